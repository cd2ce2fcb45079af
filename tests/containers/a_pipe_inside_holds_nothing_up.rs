//! Root in a container puts pipes where the daemon reads files. The runtime that opens one for the daemon waits for a
//! writer, and could neither stop nor delete the container until then.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::Host;
use crate::test_runtime::path;

/// The time in which everything here is done on a slow box; the calls that hung took minutes.
const PATIENCE: Duration = Duration::from_secs(40);

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_pipe_for_the_token_delays_only_its_own_delivery() {
    let host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    let container = host.container(&name);
    host.inside(&container, "busybox rm /run/taos/token; busybox mkfifo /run/taos/token; echo done");
    let operator = host.daemon.operator();
    operator.post(&format!("/api/agents/{name}/token/issue"), json!({})).expect(200);
    let first = host.token_file(&container);
    assert!(!first.is_empty(), "the file took the pipe's place");
    // A read that meets a pipe ends too.
    host.inside(&container, "busybox mkfifo /run/pipe; echo done");
    let soon = Instant::now() + Duration::from_secs(2);
    host.test_runtime.driver.read_file(&container, &path("/run/pipe"), soon).expect_err("no file");
    let began = Instant::now();
    host.archive(&name);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
}
