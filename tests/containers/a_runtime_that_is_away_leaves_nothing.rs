//! A runtime is away, in each possible way. The reply is 503 with the way and the command that fixes it. Nothing is
//! left behind, however often the request is sent again. The log reports it once. The tests also check what works
//! without the runtime.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::gate::{Fate, Gate};
use crate::harness::Host;
use crate::support::{Daemon, Reply};
use crate::test_runtime::Folder;

fn daemon(runtime: &str, socket: &Path) -> Daemon {
    Daemon::with(&["--containers", runtime, "--containers-socket", socket.to_str().unwrap()], &[])
}

#[track_caller]
fn holds_nothing(daemon: &Daemon) {
    for table in ["agents", "credentials WHERE agent_id IS NOT NULL", "operations"] {
        assert_eq!(daemon.number(&format!("SELECT count(*) FROM {table}"), []), 0, "{table}");
    }
    assert_eq!(std::fs::read_dir(daemon.data.join("agents")).map_or(0, Iterator::count), 0, "sockets");
}

#[track_caller]
fn is_away(reply: Reply, way: &str, mend: &str) {
    let body = reply.expect_error(503, "container_runtime_unavailable").json();
    assert_eq!((&body["away"], &body["mend"]), (&json!(way), &json!(mend)), "{body}");
    assert!(body["detail"].as_str().unwrap().ends_with(mend), "{body}");
}

/// Returns a socket in the state that a dead runtime leaves.
fn dead(folder: &Folder) -> std::path::PathBuf {
    let socket = folder.0.join("dead.sock");
    drop(UnixListener::bind(&socket).unwrap());
    socket
}

#[test]
fn one_that_is_absent_refuses_or_hangs_leaves_nothing() {
    let folder = Folder::new();
    let hanging = Gate::before(Path::new("/nonexistent"));
    hanging.rule(|_| Fate::Hang);
    let closing = Gate::before(Path::new("/nonexistent"));
    closing.rule(|_| Fate::Close);
    let ways = [
        ("lxd", dead(&folder), "refusing", "systemctl start lxd.socket lxd.service"),
        (
            "incus",
            dead(&Folder::new()),
            "absent",
            "apt install incus && usermod -aG incus-admin taosd && systemctl restart taosd",
        ),
        ("incus", closing.socket(), "refusing", "systemctl start incus.socket incus.service"),
        ("incus", hanging.socket(), "hanging", "systemctl restart incus.service"),
    ];
    for (runtime, socket, way, mend) in ways {
        let daemon = daemon(runtime, &socket);
        let keyed = daemon.operator().with("Idempotency-Key", "one");
        for path in ["/api/agents/deploy", "/api/agents/deploy?wait=30"] {
            for _ in 0..2 {
                is_away(keyed.post(path, json!({"name": "a", "image": "bb"})), way, mend);
            }
        }
        holds_nothing(&daemon);
    }
}

#[test]
fn a_deployment_by_command_line_is_tried_again_and_leaves_nothing() {
    let folder = Folder::new();
    let daemon = daemon("incus", &dead(&folder));
    let output = Command::new(env!("CARGO_BIN_EXE_taosctl"))
        .args(["agents", "deploy", "--name", "A", "--image", "bb"])
        .env_clear()
        .env("HOME", &folder.0)
        .env("TAOS_URL", format!("http://{}", daemon.address))
        .env("TAOS_TOKEN", &daemon.token)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("systemctl start incus.socket incus.service"), "{said}");
    holds_nothing(&daemon);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn the_log_says_once_that_it_is_away_and_once_that_it_is_back() {
    let host = Host::rest();
    host.deploy(&host.name("a"));
    host.gate().rule(|_| Fate::Close);
    let said = |what: &str| host.daemon.log_text().matches(what).count();
    host.eventually("it is said", || said("could not ask the container runtime") > 0);
    // Time for two more runs of the reconciler.
    std::thread::sleep(Duration::from_secs(21));
    assert_eq!(said("could not ask the container runtime"), 1, "{}", host.daemon.log_text());
    host.gate().open();
    host.eventually("it is back", || said("the container runtime answers again") == 1);
}

/// The runtime dies right after it has begun to make a container. When it is back it has the container, which the
/// daemon must remove.
fn dies_half_way(again: bool) {
    let host = Host::rest();
    let name = host.name("a");
    let dead = std::sync::atomic::AtomicBool::new(false);
    host.gate().rule(move |request| {
        if dead.load(std::sync::atomic::Ordering::SeqCst) {
            return Fate::Close;
        }
        if request.starts_with("POST /1.0/instances\n") {
            dead.store(true, std::sync::atomic::Ordering::SeqCst);
        }
        Fate::Pass
    });
    let keyed = host.daemon.operator().with("Idempotency-Key", "one");
    let ask = || keyed.post("/api/agents/deploy?wait=60", json!({"name": name}));
    let began = Instant::now();
    let told = ask().expect_error(503, "container_runtime_unavailable").json();
    assert!(["refusing", "lost"].contains(&told["away"].as_str().unwrap()), "{told}");
    assert!(began.elapsed() < Duration::from_secs(60));
    if again {
        ask().expect_error(503, "container_runtime_unavailable");
    }
    assert!(host.daemon.number("SELECT count(*) FROM agents", []) <= 1, "never a second record");
    host.gate().open();
    host.eventually("nothing is left", || host.daemon.number("SELECT count(*) FROM agents", []) == 0);
    assert_eq!((host.containers(), host.sockets(), host.open_operations()), (Vec::new(), 0, 0));
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn what_one_that_dies_half_way_has_made_goes_when_it_is_back() {
    dies_half_way(false);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_repeat_while_it_is_dead_makes_no_second_record() {
    dies_half_way(true);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_deployment_that_failed_is_not_done_again_under_its_key() {
    let host = Host::rest();
    let keyed = host.daemon.operator().with("Idempotency-Key", "one");
    let ask = || keyed.post("/api/agents/deploy?wait=60", json!({"name": host.name("a"), "image": "none-such"}));
    let first = ask().expect_error(400, "unknown_image").json();
    let known = first["known"].as_array().unwrap();
    assert!(known.contains(&json!(host.test_runtime.image.as_str())), "{first}");
    assert_eq!(ask().expect_error(400, "unknown_image").json()["operation_id"], first["operation_id"]);
    assert_eq!(host.daemon.number("SELECT count(*) FROM agents", []), 1);
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn the_ways_in_are_open_before_the_runtime_answers() {
    let mut host = Host::rest();
    let name = host.name("a");
    let id = host.deploy(&name);
    let token = host.configured_token(&host.container(&name)).unwrap();
    host.gate().rule(|_| Fate::Close);
    host.daemon.restart();
    // After a boot the container may start before the daemon, and send a request at once.
    let socket = host.daemon.data.join("agents").join(format!("{id}.sock"));
    let me = host.daemon.client(&token).over(&socket).get("/api/auth/whoami").expect(200).json();
    assert_eq!(me["agent_id"], json!(id));
    host.gate().open();
}
