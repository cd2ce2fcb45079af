//! SIGHUP applies the names, models, frameworks, policies and the webhook of the file.

use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::settings::box_with_file::BoxWithFile;
use crate::settings::receiver::Hook;

#[test]
fn a_name_for_the_box_can_be_given_and_taken() {
    let harness = BoxWithFile::start("");
    let by_name = |name: &str| harness.daemon.anonymous().with("Host", name).get("/docs").status;
    assert_eq!((by_name("box.lan"), by_name("localhost")), (403, 200));
    harness.reload("allowed_hosts = ['box.lan']\n");
    assert_eq!((by_name("box.lan"), by_name("localhost")), (200, 200));
    harness.reload("");
    assert_eq!((by_name("box.lan"), by_name("localhost")), (403, 200));
}

#[test]
fn models_are_checked_by_the_table_that_is_in_force() {
    let harness = BoxWithFile::start("");
    harness.daemon.agent("atlas");
    let choose = |model: &str| harness.daemon.operator().post("/api/agents/atlas/model", json!({"model": model}));
    choose("anything").expect(200);
    harness.reload("[models]\n'gpt-5' = ['cloud']\n");
    choose("anything").expect_error(409, "model_not_reachable");
    choose("gpt-5").expect(200);
    harness.reload("");
    choose("anything").expect(200);
}

#[test]
fn the_number_of_keys_and_the_frameworks_follow() {
    let harness = BoxWithFile::start("[ax]\nmax_agent_pats = 1\n");
    harness.daemon.agent("atlas");
    let key = || harness.daemon.operator().post("/credentials/agent-pat", json!({"agent_id": "atlas"})).status;
    assert_eq!((key(), key()), (201, 409));
    harness.reload("[ax]\nmax_agent_pats = 2\n[frameworks.hermes]\nimage = 'hermes'\n");
    assert_eq!((key(), key()), (201, 409));
    let deploy = |framework: &str| {
        harness.daemon.operator().post("/api/agents/deploy", json!({"name": "x", "framework": framework}))
    };
    let refused = deploy("other").expect_error(400, "unknown_framework").json();
    assert_eq!(refused["known"], json!(["hermes", "none"]));
    deploy("hermes").expect_error(503, "container_runtime_unavailable");
}

#[test]
fn the_webhook_can_be_set_moved_and_taken_away() {
    let harness = BoxWithFile::start("");
    let (first, second) = (Hook::start(&[]), Hook::start(&[]));
    let secret = harness.beside("secret");
    fs::write(&secret, "0123456789abcdef").unwrap();
    let to = |hook: &Hook| {
        format!("[webhook]\nurl = 'http://127.0.0.1:{}/in?key=k'\nsecret_file = '{}'\n", hook.port, secret.display())
    };
    let notify = |title: &str| {
        harness.daemon.operator().post("/api/ui/notify", json!({"title": title, "body": "b"})).expect(200);
    };
    notify("nobody");
    let log = harness.reload(&to(&first));
    assert!(log.contains("webhook.url: nothing → ") && !log.contains("key=k"), "{log}");
    notify("one");
    assert!(first.next().body.contains("\"one\""));
    harness.reload(&to(&second));
    notify("two");
    assert!(second.next().body.contains("\"two\""));
    fs::write(&secret, "another-secret-of-16").unwrap();
    assert!(harness.hang_up().contains("with another content"));
    harness.reload("");
    notify("nobody");
    assert!(first.is_quiet(Duration::from_millis(300)) && second.is_quiet(Duration::from_millis(300)));
}

#[test]
fn a_key_from_a_new_place_is_refused_once_the_policy_says_so() {
    let harness = BoxWithFile::start("");
    let from = |place: char| {
        harness.daemon.operator().with("X-AX-FP", &place.to_string().repeat(24)).get("/api/auth/whoami").status
    };
    assert_eq!((from('a'), from('b')), (200, 200));
    harness.reload("[ax]\nfingerprint_policy = 'deny'\n");
    assert_eq!((from('a'), from('c')), (200, 403));
    harness.reload("");
    assert_eq!(from('c'), 200);
}
