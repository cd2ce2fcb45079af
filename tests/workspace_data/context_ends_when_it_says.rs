//! Shared context: values are set, listed by prefix, read under any key, gone at their end, kept once promoted, and
//! bounded.

use serde_json::{Value, json};

use crate::support::{AxReply, Client, Daemon};
use crate::workspace::harness::{agent, member};

fn set(client: &Client, key: &str, value: &str, more: Value) -> crate::support::Reply {
    let mut body = json!({"key": key, "value": value});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post("/api/v1/context", body)
}

/// A key as a path segment, with every byte encoded.
fn encoded(key: &str) -> String {
    key.bytes().map(|b| format!("%{b:02X}")).collect()
}

#[test]
fn a_value_is_there_under_any_key_until_it_ends() {
    let daemon = Daemon::start();
    let owner = member(&daemon, "ann");
    let worker = agent(&daemon, &owner, "worker");
    for key in ["spec:a/b", "..", "a\\b", "/", "%2F", "with space", "ключ", "a?b#c", "x"] {
        let made = set(&worker.client, key, key, json!({})).expect(200).json();
        assert_eq!((&made["ok"], &made["key"], &made["ttl"]), (&json!(true), &json!(key), &json!(86_400)));
        let path = format!("/api/v1/context/{}", encoded(key));
        let got = owner.client.get(&path).expect(200).json();
        assert_eq!(
            (&got["value"], &got["created_by"], &got["space_id"]),
            (&json!(key), &json!("worker"), &json!(owner.space))
        );
        owner.client.delete(&path).expect(204);
        owner.client.get(&path).expect_ax(404, "context_not_found");
        owner.client.delete(&path).expect_ax(404, "context_not_found");
    }
    set(&worker.client, "short", "1", json!({"ttl": 1})).expect(200);
    set(&worker.client, "short", "2", json!({"ttl": 1})).expect(200);
    assert_eq!(owner.client.get("/api/v1/context/short").expect(200).json()["value"], "2");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    owner.client.get("/api/v1/context/short").expect_ax(404, "context_not_found");
    assert_eq!(owner.client.get("/api/v1/context").expect(200).json(), json!([]));
    assert_eq!(daemon.number("SELECT count(*) FROM context", []), 1, "it is not even swept");
}

#[test]
fn other_routes_take_no_encoded_separators() {
    let daemon = Daemon::start();
    let owner = member(&daemon, "ann");
    // A path with an encoded slash does not exist. Encoded dots and backslashes are refused anywhere.
    for (path, code) in [
        ("/api/v1/tasks/a%2Fb", "not_found"),
        ("/api/v1/context%2Fx", "not_found"),
        ("/api/v1/tasks/%2e%2e", "invalid_path"),
        ("/api/agents/a%5Cb", "invalid_path"),
        ("/docs/%2e%2e/x", "invalid_path"),
    ] {
        let reply = owner.client.get(path);
        assert!(reply.status == if code == "not_found" { 404 } else { 400 }, "{path}: {}", reply.text());
        assert!(reply.text().contains(&format!("\"{code}\"")), "{path}: {}", reply.text());
    }
}

#[test]
fn keys_are_listed_by_prefix_in_pages() {
    let daemon = Daemon::start();
    let owner = member(&daemon, "ann");
    for key in ["a", "b:1", "b:2", "b:3", "b;", "c"] {
        set(&owner.client, key, "v", json!({})).expect(200);
    }
    let keys = |reply: &crate::support::Reply| -> Vec<String> {
        reply.json().as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect()
    };
    let all = owner.client.get("/api/v1/context?prefix=b:").expect(200);
    assert_eq!(keys(&all), ["b:1", "b:2", "b:3"]);
    assert!(all.header("link").is_none());
    let first = owner.client.get("/api/v1/context?prefix=b:&limit=2").expect(200);
    assert_eq!(keys(&first), ["b:1", "b:2"]);
    let link = first.header("link").expect("a next page").to_owned();
    let next = link.strip_prefix('<').and_then(|rest| rest.split('>').next()).unwrap();
    assert_eq!(keys(&owner.client.get(next).expect(200)), ["b:3"]);
    owner.client.get("/api/v1/context?cursor=%FF").expect_ax(422, "invalid_request");
    owner.client.get("/api/v1/context?cursor=!").expect_ax(400, "invalid_cursor");
    // A page ends early if its values have too many bytes.
    let value = "x".repeat(300 * 1024);
    for n in 0..5 {
        set(&owner.client, &format!("large:{n}"), &value, json!({})).expect(200);
    }
    let page = owner.client.get("/api/v1/context?prefix=large:").expect(200);
    assert!(page.body.len() < 1_300_000 && page.header("link").is_some());
}

#[test]
fn a_promoted_value_stays_and_another_space_sees_nothing() {
    let daemon = Daemon::start();
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    set(&ann.client, "k", "v", json!({"ttl": 1})).expect(200);
    let promote = |client: &Client, key: &str| {
        let path = format!("/api/v1/spaces/{}/intelligence/promote", ann.space);
        client.post(&path, json!({"key": key, "artifact_type": "RESEARCH", "agent_id": "x"}))
    };
    assert_eq!(
        promote(&ann.client, "k").expect(200).json(),
        json!({"ok": true, "key": "k", "artifact_type": "RESEARCH"})
    );
    promote(&ann.client, "nothing").expect_ax(404, "context_not_found");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let kept = ann.client.get("/api/v1/context/k").expect(200).json();
    assert_eq!(
        (&kept["expires_at"], &kept["ttl"], &kept["artifact_type"]),
        (&Value::Null, &Value::Null, &json!("RESEARCH"))
    );
    let named = |space: &str| format!("/api/v1/context/k?space_id={space}");
    let nowhere = "00000000-0000-7000-8000-000000000000";
    for (foreign, missing) in [
        (bob.client.get(&named(&ann.space)), bob.client.get(&named(nowhere))),
        (
            bob.client.get(&format!("/api/v1/context?space_id={}", ann.space)),
            bob.client.get(&format!("/api/v1/context?space_id={nowhere}")),
        ),
    ] {
        assert_eq!(foreign.expect_ax(404, "space_not_found"), missing.expect_ax(404, "space_not_found"));
    }
    for (foreign, missing) in [
        (bob.client.delete(&named(&ann.space)), bob.client.delete(&named(nowhere))),
        (
            set(&bob.client, "k", "x", json!({"space_id": ann.space})),
            set(&bob.client, "k", "x", json!({"space_id": nowhere})),
        ),
    ] {
        assert_eq!(foreign.expect_ax(403, "space_forbidden"), missing.expect_ax(403, "space_forbidden"));
    }
    promote(&bob.client, "k").expect_ax(403, "space_forbidden");
    bob.client.get("/api/v1/context/k").expect_ax(404, "context_not_found");
}

#[test]
fn what_is_too_much_is_refused() {
    let env = [("TAOSD_WORKSPACE_CONTEXT_KEYS", "3"), ("TAOSD_WORKSPACE_CONTEXT_BYTES", "2000")];
    let daemon = Daemon::with(&[], &env);
    let ann = member(&daemon, "ann");
    set(&ann.client, "", "v", json!({})).expect_ax(422, "invalid_request");
    set(&ann.client, "a\nb", "v", json!({})).expect_ax(422, "invalid_request");
    set(&ann.client, &"k".repeat(513), "v", json!({})).expect_ax(422, "invalid_request");
    set(&ann.client, "k", "v", json!({"ttl": 0})).expect_ax(422, "invalid_request");
    set(&ann.client, "k", "v", json!({"ttl": 2_592_001})).expect_ax(422, "invalid_request");
    set(&ann.client, "k", &"é".repeat(200 * 1024), json!({})).expect_ax(413, "payload_too_large");
    set(&ann.client, "k1", &"v".repeat(1500), json!({})).expect(200);
    set(&ann.client, "k2", &"v".repeat(600), json!({})).expect_ax(413, "quota_exceeded");
    set(&ann.client, "k1", "v", json!({})).expect(200);
    set(&ann.client, "k2", "v", json!({"ttl": 1})).expect(200);
    set(&ann.client, "k3", "v", json!({})).expect(200);
    let refused = set(&ann.client, "k4", "v", json!({})).expect_ax(413, "quota_exceeded");
    assert!(refused["setting"].as_str().unwrap().contains("context_keys"), "{refused}");
    set(&ann.client, "k3", "again", json!({})).expect(200);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    set(&ann.client, "k4", "v", json!({})).expect(200);
    let held = daemon.number("SELECT context_bytes FROM workspace_usage WHERE holder = 'space:' || ?1", [&ann.space]);
    assert_eq!(held, 3 + 7 + 3);
}
