//! Cursors of another space, file names that lead elsewhere or are endless, and lines of 64 KiB are refused clearly or
//! made harmless. No reply shows anything of another space.

use serde_json::json;

use crate::support::{AxReply, Daemon, text};
use crate::workspace::harness::member;
use crate::workspace_data::form::{file, form, post, upload};

#[test]
fn a_cursor_of_another_space_leads_nowhere_there() {
    let daemon = Daemon::start();
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    for who in [&ann, &bob] {
        for n in 0..4 {
            who.client.post("/api/v1/tasks", json!({"title": format!("{} {n}", who.name)})).expect(201);
            let context = json!({"key": format!("{}-{n}", who.name), "value": who.name});
            who.client.post("/api/v1/context", context).expect(200);
            upload(&who.client, &format!("{}-{n}.txt", who.name), "text/plain", who.name.as_bytes()).expect(201);
        }
    }
    let tasks = ann.client.get("/api/v1/tasks?limit=2").expect(200).json();
    let cursor = text(&tasks, "next_cursor");
    for who in [&ann, &bob] {
        let seen = who.client.get(&format!("/api/v1/tasks?limit=100&cursor={cursor}")).text();
        let other = if who.name == "ann" { "bob" } else { "ann" };
        assert!(!seen.contains(other), "{} sees {seen}", who.name);
    }
    // A cursor that was tampered with, or of another list, shows nothing of another space.
    for path in ["/api/v1/context", "/api/v1/tasks", "/api/v1/agents"] {
        let reply = bob.client.get(&format!("{path}?cursor={cursor}A"));
        assert!([200, 400].contains(&reply.status) && !reply.text().contains("ann"), "{path}: {}", reply.text());
    }
    for number in ["-1", "99999999999999999999", "1e3", "0x1"] {
        bob.client.get(&format!("/api/v1/messages?after_seq={number}")).expect_ax(422, "invalid_request");
    }
    assert_eq!(bob.client.get("/api/v1/messages?after_seq=9223372036854775807").expect(200).json()["count"], json!(0));
}

#[test]
fn a_name_is_one_harmless_line_of_bounded_length() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let long = "n".repeat(4000);
    for name in [
        "../../../etc/passwd",
        "..\\..\\boot.ini",
        "/",
        "...",
        "a.zip/b.zip/c.zip/d.zip/e.zip",
        "%2e%2e%2fplan.md",
        "pla\u{202e}dm.n",
        long.as_str(),
    ] {
        let made = upload(&ann.client, name, "text/plain", name.as_bytes()).expect(201).json();
        let kept = text(&made, "original_filename");
        assert!(
            kept.len() <= 255 && !kept.contains(['/', '\\', '\u{202e}', '\0']) && !kept.is_empty(),
            "{name} {kept}"
        );
        assert!(!kept.chars().all(|c| c == '.'), "{name} {kept}");
        let url = text(&made, "url");
        assert!(url.ends_with(&text(&made, "attachment_id")), "the address has no name: {made}");
        let back = ann.client.get(&text(&made, "url")).expect(200);
        let head = back.header("content-disposition").expect("a name").to_owned();
        assert!(head.starts_with("attachment; filename=\"") && head.is_ascii() && head.len() < 2000, "{head}");
        assert_eq!((back.header("x-content-type-options"), &*back.body), (Some("nosniff"), name.as_bytes()));
    }
    // A name with a line end would begin another header.
    for name in ["a\r\nX-Evil: 1", "a\0b", "a\"; filename=\"b"] {
        let reply = post(&ann.client, &form(&[file(name, "text/plain", b"x")]));
        assert!([201, 422].contains(&reply.status), "{name:?}: {}", reply.text());
        if reply.status == 201 {
            let back = ann.client.get(&text(&reply.json(), "url")).expect(200);
            assert_eq!(back.header("x-evil"), None);
        }
    }
    let endless = "n".repeat(70_000);
    post(&ann.client, &form(&[file(&endless, "text/plain", b"x")])).expect_ax(422, "invalid_request");
    post(&ann.client, &form(&[file("a", &endless, b"x")])).expect_ax(422, "invalid_request");
}

#[test]
fn a_line_of_64_kib_is_a_message_and_a_longer_one_is_none() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let line = "x".repeat(64 * 1024);
    ann.send(json!({"content": line}));
    ann.client.post("/api/v1/messages", json!({"content": format!("{line}x")})).expect_ax(422, "invalid_request");
    let value = "\u{1}".repeat(64 * 1024);
    ann.client.post("/api/v1/context", json!({"key": "k", "value": value})).expect(200);
    assert_eq!(ann.client.get("/api/v1/context/k").expect(200).json()["value"], json!(value));
    ann.client.post("/api/v1/tasks", json!({"title": line})).expect_ax(422, "invalid_request");
    ann.client.post("/api/v1/tasks", json!({"title": "t", "description": line})).expect(201);
    assert_eq!(ann.list("after_seq=0")["messages"][0]["content"], json!(line));
    assert_eq!(ann.list("")["count"], json!(1), "what was refused is not there");
}
