//! The right to cancel an operation is the right to what it does.

use serde_json::json;

use crate::support::{Daemon, text};

/// A waiting operation, written as the daemon would.
fn waiting(daemon: &Daemon, kind: &str, agent: Option<&str>, actor: &str) -> String {
    let id = format!("op-{kind}-{}", daemon.number("SELECT count(*) FROM operations", []));
    daemon.execute("UPDATE operations SET status = 'cancelled', finished_at = 1 WHERE finished_at IS NULL", []);
    daemon.execute(
        "INSERT INTO operations (id, kind, status, agent_id, actor, actor_id, request_id, created_at)
            VALUES (?1, ?2, 'queued', ?3, 'user:whoever', ?4, '-', 1)",
        (&id, kind, agent, actor),
    );
    // Beside the daemon: it looks again once something is committed.
    daemon.operator().put("/api/agents/worker", json!({"host": id})).expect(200);
    id
}

#[test]
fn each_kind_needs_its_own_role() {
    let daemon = Daemon::start();
    let agent = daemon.agent("worker");
    let people = [
        ("viewer", daemon.member("vi", &["*"])),
        ("editor", daemon.member("ed", &["*"])),
        ("owner", daemon.member("ow", &["*"])),
    ];
    for (role, client) in &people {
        let me = client.get("/api/auth/whoami").expect(200).json();
        daemon.grant(&format!("user:{}", text(&me, "username")), &agent, role);
    }
    let rank = |role: &str| ["viewer", "editor", "owner"].iter().position(|name| *name == role).unwrap();
    for (kind, needed) in [
        ("start", "editor"),
        ("stop", "editor"),
        ("restart", "editor"),
        ("pause", "editor"),
        ("resume", "editor"),
        ("migrate", "editor"),
        ("deploy", "owner"),
        ("archive", "owner"),
        ("restore", "owner"),
        ("purge", "owner"),
    ] {
        for (role, client) in &people {
            let id = waiting(&daemon, kind, Some(&agent), "user:none");
            client.get(&format!("/api/operations/{id}")).expect(200);
            let reply = client.post(&format!("/api/operations/{id}/cancel"), json!({}));
            let expected = if rank(role) >= rank(needed) { 200 } else { 403 };
            assert_eq!(reply.status, expected, "{kind} by {role}: {}", reply.text());
        }
    }
}

#[test]
fn the_asker_who_lost_the_role_may_look_and_not_cancel() {
    let daemon = Daemon::start();
    let agent = daemon.agent("worker");
    let editor = daemon.member("ed", &["*"]);
    let me = text(&editor.get("/api/auth/whoami").expect(200).json(), "user_id");
    let grant = daemon.grant("user:ed", &agent, "editor");
    let actor = format!("user:{me}");
    let id = waiting(&daemon, "stop", Some(&agent), &actor);
    daemon.operator().delete(&format!("/api/grants/{}", text(&grant, "id"))).expect(204);
    editor.get(&format!("/api/operations/{id}")).expect(200);
    editor.post(&format!("/api/operations/{id}/cancel"), json!({})).expect_error(403, "forbidden");
    let backup = waiting(&daemon, "backup", None, &actor);
    editor.post(&format!("/api/operations/{backup}/cancel"), json!({})).expect_error(403, "forbidden");
    daemon.operator().post(&format!("/api/operations/{backup}/cancel"), json!({})).expect(200);
}
