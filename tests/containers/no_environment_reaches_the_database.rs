//! The environment of a deployment, from the request or the settings, is never in the data directory: not during the
//! operation, not after it, and not in backups. A start removes the environments that an older release stored.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::gate::Fate;
use crate::harness::Host;
use crate::support::Daemon;

const OURS: &str = "s3cret-of-the-request";

/// Returns the files below a folder that contain these bytes.
fn holding(dir: &Path, needle: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, needle));
        } else if fs::read(&path).is_ok_and(|bytes| bytes.windows(needle.len()).any(|w| w == needle.as_bytes())) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn on_lxd() {
    let host = Host::rest();
    let data = host.daemon.database().parent().expect("a folder").to_owned();
    let nowhere = |when: &str| assert_eq!(holding(&data, OURS), Vec::<String>::new(), "{when}");
    host.gate().rule(|request| if request.starts_with("POST /1.0/instances\n") { Fate::Hold } else { Fate::Pass });
    let name = host.name("secret");
    let body = json!({"name": name, "env": [format!("KEY={OURS}")], "framework": "quiet"});
    let promised = host.daemon.operator().post("/api/agents/deploy", body).expect(202).json();
    host.gate().wait_for(Fate::Hold);
    nowhere("while it runs");
    host.gate().rule(|_| Fate::Pass);
    let operation = promised["operation_id"].as_str().expect("an id");
    assert_eq!(host.ended(operation)["status"], "succeeded");
    assert_eq!(host.inside(&host.container(&name), "echo $KEY $MODE").trim(), format!("{OURS} quiet"));
    host.daemon.operator().send("POST", "/api/backups?wait=60", None).expect(200);
    nowhere("after it and in a backup");
    assert!(!host.daemon.text("SELECT payload FROM operations WHERE kind = 'deploy'", []).contains("quiet"));
}

#[test]
fn a_start_removes_what_was_kept() {
    let mut daemon = Daemon::start();
    assert_eq!(daemon.stop(), Some(0));
    let conn = rusqlite::Connection::open(daemon.database()).expect("the database");
    conn.execute("DELETE FROM meta WHERE key = 'deploy_environments_forgotten'", []).expect("no mark");
    let payload = json!({"image": "i", "env": [["KEY", OURS]], "mounts": []}).to_string();
    conn.execute(
        "INSERT INTO operations (id, kind, status, payload, actor, request_id, created_at, finished_at)
            VALUES ('00000000-0000-7000-8000-000000000001', 'deploy', 'succeeded', ?1, 'user:operator', '-', 1, unixepoch() * 1000000)",
        [payload],
    )
    .expect("an old row");
    drop(conn);
    assert_ne!(holding(&daemon.data, OURS), Vec::<String>::new());
    daemon.spawn();
    assert_eq!(holding(&daemon.data, OURS), Vec::<String>::new());
    let kept = daemon.text("SELECT payload FROM operations WHERE kind = 'deploy'", []);
    assert_eq!(serde_json::from_str::<Value>(&kept).expect("JSON"), json!({"image": "i", "mounts": []}));
}
