//! To cancel an operation, a caller needs the right to the operation's own action.

use serde_json::json;
use taosd::store::operations::OperationKind;

use crate::support::{Daemon, text};

/// Every kind, with the scope and the role that it needs. The role is `admin` for operations of the box.
const KINDS: &[(OperationKind, &str, &str)] = &[
    (OperationKind::Start, "agents.lifecycle", "editor"),
    (OperationKind::Stop, "agents.lifecycle", "editor"),
    (OperationKind::Restart, "agents.lifecycle", "editor"),
    (OperationKind::Pause, "agents.lifecycle", "editor"),
    (OperationKind::Resume, "agents.lifecycle", "editor"),
    (OperationKind::Bulk, "agents.lifecycle", "editor"),
    (OperationKind::Wake, "agents.lifecycle", "editor"),
    (OperationKind::Sleep, "agents.lifecycle", "editor"),
    (OperationKind::Migrate, "agents.token.issue", "editor"),
    (OperationKind::Deploy, "agents.deploy", "owner"),
    (OperationKind::Archive, "agents.delete", "owner"),
    (OperationKind::Restore, "agents.restore", "owner"),
    (OperationKind::Purge, "agents.purge", "owner"),
    (OperationKind::Freeze, "agents.freeze", "owner"),
    (OperationKind::Thaw, "agents.freeze", "owner"),
    (OperationKind::Backup, "backups.create", "admin"),
];

fn needed(kind: OperationKind) -> (&'static str, &'static str) {
    let found = KINDS.iter().find(|(one, ..)| *one == kind);
    let (_, scope, role) = found.unwrap_or_else(|| panic!("say in KINDS who may cancel {kind}"));
    (scope, role)
}

/// The status of a cancel by a caller that may cancel. Some kinds cannot be cancelled at all.
fn allowed(kind: OperationKind) -> u16 {
    if matches!(kind, OperationKind::Bulk | OperationKind::Freeze | OperationKind::Thaw) { 409 } else { 200 }
}

/// A queued operation, written as the daemon would. A bulk operation has a part for the agent, and no agent itself.
fn waiting(daemon: &Daemon, kind: &str, agent: Option<&str>, actor: &str) -> String {
    let id = format!("op-{kind}-{}", daemon.number("SELECT count(*) FROM operations", []));
    daemon.execute("UPDATE operations SET status = 'cancelled', finished_at = 1 WHERE finished_at IS NULL", []);
    let insert =
        "INSERT INTO operations (id, kind, status, agent_id, actor, actor_id, request_id, created_at, parent_id)
            VALUES (?1, ?2, 'queued', ?3, 'user:whoever', ?4, '-', 1, ?5)";
    let is_bulk = kind == "bulk";
    let none: Option<&str> = None;
    daemon.execute(insert, (&id, kind, agent.filter(|_| !is_bulk), actor, none));
    if is_bulk {
        daemon.execute(insert, (format!("{id}-part"), "stop", agent, actor, Some(&id)));
    }
    // The rows were written past the daemon, which looks again after a commit.
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
    let people = people.map(|(role, client)| {
        let me = client.get("/api/auth/whoami").expect(200).json();
        daemon.grant(&format!("user:{}", text(&me, "username")), &agent, role);
        (role, client, format!("user:{}", text(&me, "user_id")))
    });
    let rank = |role: &str| ["viewer", "editor", "owner", "admin"].iter().position(|name| *name == role).unwrap();
    for kind in OperationKind::ALL {
        let (_, role_needed) = needed(*kind);
        for (role, client, actor) in &people {
            // An operation without an agent is visible only to the user who started it.
            let agents = (*kind != OperationKind::Backup).then_some(agent.as_str());
            let id = waiting(&daemon, kind.slug(), agents, actor);
            client.get(&format!("/api/operations/{id}")).expect(200);
            let reply = client.post(&format!("/api/operations/{id}/cancel"), json!({}));
            let expected = if rank(role) >= rank(role_needed) { allowed(*kind) } else { 403 };
            assert_eq!(reply.status, expected, "{kind} by {role}: {}", reply.text());
        }
    }
}

#[test]
fn each_kind_needs_its_own_scope() {
    let daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0")]);
    let agent = daemon.agent("worker");
    let me = text(&daemon.operator().get("/api/auth/whoami").expect(200).json(), "user_id");
    let narrow = daemon.user_token("operator", &["operations.*", "agents.read"]);
    for kind in OperationKind::ALL {
        let (scope, _) = needed(*kind);
        let agents = (*kind != OperationKind::Backup).then_some(agent.as_str());
        let cancel = format!("/api/operations/{}/cancel", waiting(&daemon, kind.slug(), agents, &format!("user:{me}")));
        let refused = narrow.post(&cancel, json!({})).expect_error(403, "scope_denied").json();
        assert_eq!(refused["action"], scope, "{kind}");
        let wide = daemon.user_token("operator", &["operations.cancel", scope]);
        assert_eq!(wide.post(&cancel, json!({})).status, allowed(*kind), "{kind}");
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
