//! A downloaded file equals the uploaded one and has a safe name. Equal bytes are stored once in a space.

use serde_json::json;

use crate::support::{AxReply, Daemon, text, wait_until};
use crate::workspace::harness::{agent, member, operator};
use crate::workspace_data::form::{field, file, form, post, upload};

#[test]
fn a_file_comes_back_with_the_headers_that_keep_browsers_from_running_it() {
    let daemon = Daemon::start();
    let (owner, other) = (member(&daemon, "ann"), member(&daemon, "bob"));
    let worker = agent(&daemon, &owner, "worker");
    let content = "# Plan\n\nnaïve\n".as_bytes();
    let made =
        post(&worker.client, &form(&[field("space_id", &owner.space), file("../x/plan.md", "text/markdown", content)]));
    let made = made.expect(201).json();
    assert_eq!((&made["content_type"], &made["size"]), (&json!("text/markdown"), &json!(content.len())));
    assert_eq!((&made["original_filename"], &made["space_id"]), (&json!("plan.md"), &json!(owner.space)));
    let url = text(&made, "url");
    assert_eq!(url, format!("/api/v1/uploads/files/{}", text(&made, "attachment_id")));
    let got = owner.client.get(&url).expect(200);
    assert_eq!(got.body, content);
    for (name, value) in [
        ("content-type", "text/markdown; charset=utf-8"),
        ("content-disposition", "attachment; filename=\"plan.md\"; filename*=UTF-8''plan.md"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("cache-control", "private, no-store"),
        ("content-length", &content.len().to_string()),
    ] {
        assert_eq!(got.header(name), Some(value), "{name}");
    }
    let head = owner.client.send("HEAD", &url, None);
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, got.header("content-length"), 0));
    let foreign = other.client.get(&url);
    let nothing = other.client.get("/api/v1/uploads/files/00000000-0000-7000-8000-000000000000");
    assert_eq!(foreign.expect_ax(404, "upload_not_found"), nothing.expect_ax(404, "upload_not_found"));
    let into = form(&[field("space_id", &owner.space), file("x.txt", "text/plain", b"x")]);
    post(&other.client, &into).expect_ax(403, "space_forbidden");
}

#[test]
fn the_same_bytes_are_kept_once_in_a_space_and_each_name_stays() {
    let daemon = Daemon::with(&[], &[("TAOSD_SWEEP_INTERVAL", "1")]);
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    let content = vec![b'x'; 700_000];
    let first = upload(&ann.client, "a.txt", "text/plain", &content).expect(201).json();
    let second = upload(&ann.client, "b.csv", "text/csv", &content).expect(201).json();
    upload(&bob.client, "c.txt", "text/plain", &content).expect(201);
    wait_until("one a space", || daemon.number("SELECT count(*) FROM upload_contents", []) == 2);
    assert_eq!(daemon.number("SELECT count(*) FROM upload_chunks", []), 6, "of at most 256 KiB each");
    let used = daemon.number("SELECT upload_bytes FROM workspace_usage WHERE holder = 'box'", []);
    assert_eq!(used, 2 * 700_000 + 3 * 512);
    for made in [&first, &second] {
        assert_eq!(ann.client.get(&text(made, "url")).expect(200).body, content);
    }
    assert!(ann.client.get(&text(&second, "url")).header("content-type").unwrap().starts_with("text/csv"));
    let empty = upload(&ann.client, "empty.txt", "text/plain", b"").expect(201).json();
    assert_eq!(ann.client.get(&text(&empty, "url")).expect(200).body, b"");
}

#[test]
fn a_file_is_deleted_by_an_owner_of_its_space_and_makes_room() {
    let settings = [("TAOSD_WORKSPACE_UPLOAD_BYTES_PER_SPACE", "3200000"), ("TAOSD_SWEEP_INTERVAL", "1")];
    let daemon = Daemon::with(&[], &settings);
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    let worker = agent(&daemon, &ann, "worker");
    let content = vec![b'x'; 1_500_000];
    let first = upload(&worker.client, "a.txt", "text/plain", &content).expect(201).json();
    let second = upload(&ann.client, "b.txt", "text/plain", &content).expect(201).json();
    let other = vec![b'y'; 1_900_000];
    upload(&ann.client, "c.txt", "text/plain", &other).expect_ax(413, "quota_exceeded");
    let (url, same) = (text(&first, "url"), text(&second, "url"));

    bob.client.delete(&url).expect_ax(404, "upload_not_found");
    worker.client.delete(&url).expect_ax(403, "forbidden");
    ann.client.delete("/api/v1/uploads/files/none").expect_ax(404, "upload_not_found");
    ann.client.delete(&url).expect(204);
    ann.client.get(&url).expect_ax(404, "upload_not_found");
    ann.client.delete(&url).expect_ax(404, "upload_not_found");
    assert_eq!(ann.client.get(&same).expect(200).body, content, "another name of the same bytes stays");
    upload(&ann.client, "c.txt", "text/plain", &other).expect_ax(413, "quota_exceeded");

    ann.client.delete(&same).expect(204);
    let third = upload(&ann.client, "c.txt", "text/plain", &other).expect(201).json();
    let again = upload(&ann.client, "d.txt", "text/plain", b"x").expect(201).json();
    wait_until("the bytes are swept", || daemon.number("SELECT count(*) FROM upload_contents", []) == 2);
    assert_eq!(daemon.number("SELECT count(*) FROM upload_chunks", []), 9, "eight of the third and one of the fourth");
    let used = daemon.number("SELECT upload_bytes FROM workspace_usage WHERE holder = 'box'", []);
    assert_eq!(used, 1_900_001 + 2 * 512);
    assert_eq!(ann.client.get(&text(&third, "url")).expect(200).body, other);
    assert_eq!(ann.client.get(&text(&again, "url")).expect(200).body, b"x");
    let told = daemon.operator().get("/api/audit?action=uploads.delete").expect(200).json();
    assert_eq!(told.as_array().unwrap().iter().filter(|row| row["outcome"] == json!("ok")).count(), 2);
}

/// The most memory the process has held so far, in KiB.
fn peak(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("its status");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("VmHWM");
    line.split_whitespace().nth(1).unwrap().parse().expect("a number")
}

#[test]
fn a_file_of_25_mib_passes_through_little_memory_in_both_directions() {
    let daemon = Daemon::with(&[], &[("TAOSD_SWEEP_INTERVAL", "1")]);
    let client = operator(&daemon).client;
    // Memory that is allocated only once does not count, above all SQLite's page caches.
    let warm = upload(&client, "warm.txt", "text/plain", &vec![b'w'; 4 * 1024 * 1024]).expect(201).json();
    client.get(&text(&warm, "url")).expect(200);
    let before = peak(&daemon);
    let content: Vec<u8> = (0..25 * 1024 * 1024u32).map(|n| b'a' + (n / 4096 % 26) as u8).collect();
    let made = upload(&client, "large.txt", "text/plain", &content).expect(201).json();
    let up = peak(&daemon);
    let got = client.get(&text(&made, "url")).expect(200);
    assert!(got.body == content, "it came back changed");
    let down = peak(&daemon);
    // The kernel counts in batches per processor, so a later peak can be a little lower than an earlier one.
    let grown = up.max(down).saturating_sub(before);
    assert!(grown <= 2 * 1024, "{before} KiB, then {up}, then {down}");
    let more = form(&[file("x.txt", "text/plain", &vec![b'x'; 25 * 1024 * 1024 + 1])]);
    post(&client, &more).expect_ax(413, "payload_too_large");
    wait_until("what was written of it is swept", || daemon.number("SELECT count(*) FROM upload_contents", []) == 2);
}
