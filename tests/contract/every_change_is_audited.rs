//! The audit chain has a row for every change, written in the same transaction. Denials are aggregated. There is no gap
//! and no secret.

use std::process::Command;

use serde_json::{Value, json};
use taosd::api::ApiRoute;
use taosd::rest::route::Repeat;

use crate::harness::{Harness, plain_routes};
use crate::support::{Reply, text};

fn last_seq(harness: &Harness) -> i64 {
    harness.daemon.number("SELECT coalesce(max(seq), 0) FROM audit", [])
}

/// Returns the rows after `seq`, oldest first.
fn rows_after(harness: &Harness, seq: i64) -> Vec<Value> {
    let mut rows = harness.operator().get("/api/audit?limit=500").expect(200).json().as_array().expect("rows").clone();
    rows.retain(|row| row["seq"].as_i64() > Some(seq));
    rows.reverse();
    rows
}

/// Returns the exit code and the output of `taosd check`.
fn check(harness: &Harness) -> (Option<i32>, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_taosd")).arg("check").arg(harness.daemon.database()).output().expect("taosd");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Changes that are not audited. Notifications and what people have read do not affect rights (DESIGN D15), and would
/// need as much room as the chain itself. A check of the database changes nothing.
const NOT_AUDITED: &[&str] = &[
    "channels_test",
    "ui_notify",
    "notifications_read",
    "notifications_read_all",
    "notifications_delete",
    "database_check_begin",
    "database_check_stop",
];

/// Returns the action that a row names: the route's action, or the verb if the action has several verbs.
fn verb(route: &ApiRoute) -> String {
    let last = route.path.rsplit('/').next().expect("a word");
    if ["start", "stop", "restart", "pause", "resume", "freeze", "thaw"].contains(&last) {
        return format!("agents.{last}");
    }
    route.action().expect("an action").slug().to_owned()
}

#[test]
fn every_change_leaves_one_row_and_a_read_or_a_refusal_none() {
    let harness = Harness::new();
    for route in plain_routes() {
        let request = harness.request(route);
        if route.id == "agents_thaw" {
            request.at(request.path.replace("thaw", "freeze")).by(&harness.operator()).expect(200);
        }
        let before = (last_seq(&harness), harness.daemon.rows());
        let reply = request.by(&harness.operator().with("X-Request-Id", "the-request"));
        assert!(reply.status < 300, "{}: {}", route.id, reply.text());
        harness.await_end(&reply);
        let rows = rows_after(&harness, before.0);
        // The download of a backup is audited.
        if route.method == "GET" && route.id != "backups_download" {
            assert_eq!(rows, [] as [Value; 0], "{}", route.id);
            assert_eq!(harness.daemon.rows(), before.1, "{} wrote", route.id);
            continue;
        }
        if NOT_AUDITED.contains(&route.id) {
            assert_eq!(rows, [] as [Value; 0], "{}", route.id);
            continue;
        }
        if route.id.starts_with("agents_bulk") {
            assert_eq!(rows, [] as [Value; 0], "{}: there was nothing to do", route.id);
            continue;
        }
        let many = ["freeze_all", "thaw_all"].contains(&route.id);
        assert!(rows.len() == 1 || many, "{}: {rows:?}", route.id);
        let row = &rows[0];
        let wanted = ["user:operator", &verb(route), "ok", "the-request"];
        assert_eq!(["actor", "action", "outcome", "request_id"].map(|field| text(row, field)), wanted, "{}", route.id);
        assert!(row["resource"].as_str().is_some_and(|resource| resource.contains(':')), "{row}");
        if route.repeat == Repeat::Key {
            let again = request.by(&harness.operator());
            harness.await_end(&again);
            let count = rows_after(&harness, before.0).iter().filter(|row| row["outcome"] == "ok").count();
            // A decided request cannot be decided again.
            let did = again.status < 300 && route.id != "requests_decide";
            assert_eq!(count, if did { 2 } else { 1 }, "{}: only what was done", route.id);
        }
    }
    assert_eq!(check(&harness).0, Some(0));
}

#[test]
fn the_row_is_written_with_the_change_or_neither_is() {
    let harness = Harness::new();
    harness
        .daemon
        .db()
        .execute_batch("CREATE TRIGGER no_more BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'no audit'); END")
        .expect("a trigger");
    let name = harness.name();
    let refused: Reply = harness.operator().post("/api/agents", json!({"name": name})).expect_error(500, "internal");
    assert!(!refused.text().contains("no audit"), "the cause stays inside: {}", refused.text());
    assert!(harness.daemon.log_text().contains("no audit"));
    harness.operator().get(&format!("/api/agents/{name}")).expect_error(404, "agent_not_found");
    assert_eq!(harness.daemon.number("SELECT count(*) FROM grants WHERE agent_id IS NOT NULL", []), 0);
}

#[test]
fn denials_are_recorded_once_a_minute_for_each_credential_and_action() {
    let mut harness = Harness::new();
    let agent = harness.agent();
    let path = format!("/api/agents/{agent}");
    let (one, other) = (harness.daemon.user_token("operator", &[]), harness.daemon.user_token("operator", &[]));
    let viewer = harness.member_on(&agent, "viewer");
    let member = harness.member();
    let before = last_seq(&harness);
    for _ in 0..5 {
        one.get("/api/agents").expect_error(403, "scope_denied");
        one.delete(&path).expect_error(403, "scope_denied");
        other.get("/api/agents").expect_error(403, "scope_denied");
        viewer.put(&path, json!({"host": "h"})).expect_error(403, "forbidden");
        viewer.get("/api/users").expect_error(403, "forbidden");
        member.post("/api/agents", json!({"name": "x"})).expect_error(403, "create_not_allowed");
        harness.daemon.client("unknown").get("/api/agents").expect_error(401, "invalid_token");
    }
    let told = |harness: &Harness| -> Vec<(String, i64)> {
        let rows = rows_after(harness, before).into_iter().filter(|row| row["outcome"] == "denied");
        let mut all: Vec<_> = rows.map(|row| (text(&row, "action"), row["count"].as_i64().expect("a count"))).collect();
        all.sort();
        all
    };
    let wanted =
        ["agents.create", "agents.delete", "agents.list", "agents.list", "agents.list", "agents.update", "users.list"];
    assert_eq!(told(&harness), wanted.map(|action| (action.to_owned(), 1)).to_vec());
    harness.daemon.restart();
    let all = wanted.iter().flat_map(|action| [(action.to_string(), 1), (action.to_string(), 4)]);
    let mut all: Vec<_> = all.collect();
    all.sort();
    assert_eq!(told(&harness), all, "and the rest as a count, at the end of the minute or of the run");
    assert_eq!(check(&harness).0, Some(0));
}

#[test]
fn the_chain_verifies_and_an_altered_row_is_found() {
    let harness = Harness::new();
    for _ in 0..5 {
        harness.agent();
    }
    let (code, found) = check(&harness);
    assert_eq!(code, Some(0), "{found}");
    let rows = rows_after(&harness, 0);
    assert!(found.contains(&format!("audit chain: {} rows, unbroken", rows.len())), "{found}");
    for pair in rows.windows(2) {
        assert_eq!(pair[1]["prev_hash"], pair[0]["hash"]);
    }
    let alter = "UPDATE audit SET actor = 'user:other' WHERE seq = 3";
    assert!(harness.daemon.db().execute(alter, []).is_err(), "rows are never changed");
    let guard = harness.daemon.text("SELECT sql FROM sqlite_schema WHERE name = 'audit_is_append_only'", []);
    harness.daemon.execute("DROP TRIGGER audit_is_append_only", []);
    harness.daemon.execute(alter, []);
    assert!(check(&harness).1.contains("audit_is_append_only is missing"), "the guard itself is looked at");
    harness.daemon.execute(&guard, []);
    let (code, found) = check(&harness);
    assert!(code == Some(4) && found.contains("audit row 3 was altered"), "{code:?} {found}");
    harness.daemon.execute("DELETE FROM audit WHERE seq = 3", []);
    assert!(check(&harness).1.contains("audit row 4 does not follow"), "a missing row is found");
}

#[test]
fn no_secret_is_in_any_record_row_reply_or_log() {
    let harness = Harness::new();
    let name = harness.agent();
    let mut secrets = vec![harness.operator().token().to_owned()];
    secrets.push(harness.daemon.agent_token(&name, &["*"]).token().to_owned());
    secrets.push(harness.daemon.agent_token(&name, &["*"]).token().to_owned());
    secrets.push(harness.daemon.user_token("operator", &["*"]).token().to_owned());
    let keyed = harness.operator().with("Idempotency-Key", "k");
    for path in [format!("/api/agents/{name}/token/issue"), "/api/users/operator/tokens".into()] {
        let reply = keyed.post(&path, json!({}));
        secrets.push(text(&reply.json(), "token"));
    }
    let hashes: Vec<String> =
        secrets.iter().map(|secret| blake3::hash(secret.as_bytes()).to_hex().to_string()).collect();
    let mut said = Vec::new();
    for route in plain_routes().filter(|route| route.method == "GET") {
        let request = harness.request(route);
        said.push(request.by(&harness.operator()).text());
    }
    for path in ["/api/agents", "/api/agents/archived", "/api/audit?limit=500", "/api/users/operator/tokens"] {
        said.push(harness.operator().get(path).expect(200).text());
    }
    harness.daemon.client(&secrets[1].replace('a', "b")).get("/api/agents").expect(401);
    harness.operator().get(&format!("/api/agents?access_token={}", secrets[0])).expect(422);
    said.push(harness.operator().get(&format!("/api/agents/{name}/token")).expect(200).text());
    said.push(harness.daemon.log_text());
    let rows = harness.daemon.rows();
    for (secret, hash) in secrets.iter().zip(&hashes) {
        for text in &said {
            assert!(!text.contains(secret.as_str()) && !text.contains(&secret[secret.len() - 20..]), "{text}");
            assert!(!text.contains(hash.as_str()), "{text}");
        }
        for (key, row) in &rows {
            assert!(!row.contains(secret.as_str()), "{key}: {row}");
            assert!(key.starts_with("credentials/") || !row.contains(hash.as_str()), "{key}: {row}");
        }
    }
    for file in ["taosd.db", "taosd.db-wal"] {
        let bytes = std::fs::read(harness.daemon.data.join(file)).expect("a file");
        let text = String::from_utf8_lossy(&bytes);
        assert!(secrets.iter().all(|secret| !text.contains(&secret[12..])), "{file}");
    }
}
