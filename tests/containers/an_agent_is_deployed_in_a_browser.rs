//! A person deploys an agent in the console and uses each action on it, in a real browser with a real runtime. What a
//! hostile agent writes into its log is shown as text.

use std::path::Path;
use std::process::Command;

use crate::harness::Host;

/// A log line that would run if the page took it for markup.
const LOGGED: &str =
    "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>{{7*7}}</pre><h1 class=pwned>";

#[test]
#[ignore = "needs LXD, Chromium, Node and its package index: bash .ci/lxd deb12"]
fn an_agent_is_deployed_rotated_frozen_thawed_and_archived() {
    let host = Host::rest();
    let (name, hostile) = (host.name("a"), host.name("h"));
    host.deploy(&hostile);
    let container = host.container(&hostile);
    host.whoami_inside(&container);
    let line = format!("{LOGGED} {}", "w".repeat(60_000));
    host.inside(&container, &format!("busybox cat >/dev/console <<'END'\n{line}\nEND"));
    host.eventually("the log has the line", || {
        let logs = host.daemon.operator().get(&format!("/api/agents/{hostile}/logs?lines=300")).expect(200).json();
        logs["logs"].as_str().is_some_and(|logs| logs.contains("window.pwned"))
    });
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let url = format!("http://{}", host.daemon.address);
    let done = Command::new(root.join("tests/browser/deploy.sh"))
        .current_dir(root)
        .args([&url, &host.daemon.token, &name, &hostile, &host.mounts.path().display().to_string()])
        .output()
        .expect("the script");
    print!("{}", String::from_utf8_lossy(&done.stdout));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let archived = host.daemon.operator().get("/api/agents/archived").expect(200).json();
    assert_eq!(archived[0]["archived_slug"], name.as_str(), "{archived}");
}
