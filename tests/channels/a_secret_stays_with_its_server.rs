//! A stored secret is sent only to the server that it was set for, and its owner can remove it.

use serde_json::json;

use crate::channels::receiver::{Harness, Phone};

const SECRET: &str = "tk_Zq7hVeryOwnSecret91";

#[test]
fn another_server_does_not_get_the_secret_of_the_old_one() {
    let harness = Harness::new();
    let (old, new) = (Phone::start(&harness.authority), Phone::start(&harness.authority));
    let operator = harness.daemon.operator();
    let url = |phone: &Phone, path: &str| format!("https://localhost:{}/{path}", phone.port);
    let id = harness.channel("ntfy", &url(&old, "topic"), Some(SECRET));
    let path = format!("/api/users/operator/channels/{id}");

    // Another path on the same server keeps it.
    let same = operator.patch(&path, json!({"url": url(&old, "other").replace("localhost", "LOCALHOST")})).expect(200);
    assert_eq!(same.json()["has_secret"], json!(true));
    let moved = operator.patch(&path, json!({"url": url(&new, "topic")})).expect(200).json();
    assert_eq!(moved["has_secret"], json!(false));
    harness.notify("one", "normal");
    assert_eq!(new.next().header("authorization"), "");
    // Nor when the first url comes back.
    operator.patch(&path, json!({"url": url(&old, "topic")})).expect(200);
    assert_eq!(harness.record(&id)["has_secret"], json!(false));
    // A secret of the same request goes along.
    operator.patch(&path, json!({"url": url(&new, "topic"), "secret": "another"})).expect(200);
    harness.notify("two", "normal");
    assert_eq!(new.next().header("authorization"), "Bearer another");

    let hook = harness.channel("webhook", &url(&old, "hook"), Some(SECRET));
    let refused = operator.patch(&format!("/api/users/operator/channels/{hook}"), json!({"url": url(&new, "hook")}));
    let problem = refused.expect_error(422, "channel_not_fit");
    assert!(problem.text().contains("secret is missing"), "{}", problem.text());
    assert_eq!(harness.record(&hook)["url"], json!(url(&old, "hook")), "nothing has changed");
}

#[test]
fn an_empty_text_removes_it() {
    let harness = Harness::new();
    let phone = Phone::start(&harness.authority);
    let url = format!("https://localhost:{}/topic", phone.port);
    let id = harness.channel("ntfy", &url, Some(SECRET));
    let operator = harness.daemon.operator();
    let path = format!("/api/users/operator/channels/{id}");
    let kept = operator.patch(&path, json!({"secret": null, "min_level": "low"})).expect(200).json();
    assert_eq!(kept["has_secret"], json!(true), "null is a field that is not sent");
    assert_eq!(operator.patch(&path, json!({"secret": ""})).expect(200).json()["has_secret"], json!(false));
    harness.notify("one", "normal");
    assert_eq!(phone.next().header("authorization"), "");
    let hook = harness.channel("webhook", &url, Some(SECRET));
    let path = format!("/api/users/operator/channels/{hook}");
    operator.patch(&path, json!({"secret": ""})).expect_error(422, "channel_not_fit");
    assert_eq!(harness.record(&hook)["has_secret"], json!(true));
}
