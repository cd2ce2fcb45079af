//! An upload that is no form, has a file type that is not accepted, or is incomplete is refused. Nothing of it stays.

use crate::support::{AxReply, Client, Daemon, wait_until};
use crate::workspace::harness::operator;
use crate::workspace_data::form::{field, file, form, post, upload};

/// Waits until nothing of any upload is left. The sweep deletes what was written in its next round.
fn assert_nothing_is_left(daemon: &Daemon) {
    let left = || {
        daemon.number("SELECT (SELECT count(*) FROM upload_contents) + (SELECT count(*) FROM upload_chunks) + (SELECT count(*) FROM uploads)", [])
            + daemon.number("SELECT coalesce(sum(upload_bytes), 0) FROM workspace_usage", [])
    };
    wait_until("nothing is left", || left() == 0);
}

#[test]
fn what_is_no_form_is_refused() {
    let daemon = Daemon::with(&[], &[("TAOSD_SWEEP_INTERVAL", "1")]);
    let client = operator(&daemon).client;
    let whole = form(&[file("a.txt", "text/plain", &vec![b'a'; 600_000])]);
    post(&client, &whole[..whole.len() - 10]).expect_ax(422, "invalid_request");
    post(&client, &whole[..300_000]).expect_ax(422, "invalid_request");
    post(&client, b"").expect_ax(422, "invalid_request");
    post(&client, b"--another\r\n").expect_ax(422, "invalid_request");
    post(&client, &form(&[])).expect_ax(422, "invalid_request");
    post(&client, &form(&[field("space_id", "x")])).expect_ax(422, "invalid_request");
    let (one, two) = (file("a.txt", "text/plain", b"a"), file("b.txt", "text/plain", b"b"));
    post(&client, &form(&[one.clone(), two])).expect_ax(422, "invalid_request");
    post(&client, &form(&[one, field("space_id", "x")])).expect_ax(422, "invalid_request");
    post(&client, &form(&[field("space_id", &"x".repeat(65))])).expect_ax(422, "invalid_request");
    post(&client, &form(&[field("a", "b").repeat(40)])).expect_ax(422, "invalid_request");
    let send = |kind: &str| client.with("Content-Type", kind).send("POST", "/api/v1/uploads/", Some(&whole));
    for kind in ["application/json", "multipart/form-data", "multipart/mixed; boundary=the-boundary", "text/plain"] {
        send(kind).expect_ax(415, "unsupported_media_type");
    }
    assert_nothing_is_left(&daemon);
}

#[test]
fn files_that_are_not_what_they_say_or_could_be_run_are_refused() {
    let daemon = Daemon::with(&[], &[("TAOSD_SWEEP_INTERVAL", "1")]);
    let client = operator(&daemon).client;
    let png = b"\x89PNG\r\n\x1a\n0000";
    for (kind, content) in [
        ("text/html", &b"<script>alert(1)</script>"[..]),
        ("image/svg+xml", b"<svg/>"),
        ("application/zip", b"PK\x03\x04"),
        ("application/octet-stream", b"x"),
        ("image/png", b"GIF89a"),
        ("image/jpeg", png),
        ("text/plain", png),
        ("application/json", b"{\"a\": \"\xff\"}"),
        ("text/plain", b"a\0b"),
    ] {
        upload(&client, "x", kind, content).expect_ax(415, "unsupported_media_type");
    }
    // The wrong type shows only after chunks were written.
    let late = [vec![b'a'; 900_000], b"\xff".to_vec()].concat();
    upload(&client, "x.txt", "text/plain", &late).expect_ax(415, "unsupported_media_type");
    assert_nothing_is_left(&daemon);
    upload(&client, "x.png", "image/png", png).expect(201);
}

#[test]
fn a_client_that_goes_in_the_middle_leaves_nothing_and_frees_its_place() {
    use std::io::Write;
    let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "0"), ("TAOSD_SWEEP_INTERVAL", "1")]);
    let client = operator(&daemon).client;
    let body = form(&[file("a.txt", "text/plain", &vec![b'a'; 2_000_000])]);
    let begin = |client: &Client| {
        let mut stream = std::net::TcpStream::connect(&daemon.address).expect("a connection");
        let head = format!(
            "POST /api/v1/uploads/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: {}\r\n\
            Content-Length: {}\r\n\r\n",
            client.token(),
            crate::workspace_data::form::TYPE,
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("the head");
        stream.write_all(&body[..1_000_000]).expect("half of the body");
        stream
    };
    let half: Vec<_> = (0..4).map(|_| begin(&client)).collect();
    let wait_for = |wanted: i64| {
        for _ in 0..500 {
            if daemon.number("SELECT count(*) FROM upload_contents WHERE hash IS NULL", []) == wanted {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("there are never {wanted} unfinished uploads");
    };
    wait_for(4);
    upload(&client, "one-more.txt", "text/plain", b"x").expect_ax(503, "busy");
    drop(half);
    assert_nothing_is_left(&daemon);
    upload(&client, "one-more.txt", "text/plain", b"x").expect(201);
}
