//! An upload outlasts the check of its first byte: if its agent is frozen or archived meanwhile, or its key revoked, nothing
//! is published, and its room is given back.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::support::{Client, Daemon, wait_until};
use crate::workspace::harness::{agent, member};
use crate::workspace_data::form::{TYPE, file, form};

/// Begins an upload and sends its first bytes.
fn begin(daemon: &Daemon, client: &Client, body: &[u8], sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(&daemon.address).expect("a connection");
    let head = format!(
        "POST /api/v1/uploads/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: {TYPE}\r\n\
        Content-Length: {}\r\nConnection: close\r\n\r\n",
        client.token(),
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("the head");
    stream.write_all(&body[..sent]).expect("the first bytes");
    stream
}

/// Sends the rest; the reply.
fn end(mut stream: TcpStream, rest: &[u8]) -> String {
    // The daemon may refuse before it has read everything.
    let _ = stream.write_all(rest);
    let mut told = Vec::new();
    let _ = stream.read_to_end(&mut told);
    String::from_utf8_lossy(&told).into_owned()
}

/// Ends an agent's right to write; the code that it then gets.
fn end_the_right(daemon: &Daemon, name: &str, how: &str) -> &'static str {
    let (operator, path) = (daemon.operator(), format!("/api/agents/{name}"));
    match how {
        "frozen" => operator.post(&format!("{path}/freeze"), json!({"reason": "alarm"})).expect(200),
        "archived" => operator.delete(&path).expect(200),
        _ => operator.delete(&format!("{path}/token")).expect(204),
    };
    if how == "frozen" { "agent_frozen" } else { "invalid_credential" }
}

#[test]
fn nothing_of_it_is_published_once_the_caller_is_frozen_archived_or_revoked() {
    let daemon = Daemon::with(&[], &[("TAOSD_SWEEP_INTERVAL", "1"), ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")]);
    let ann = member(&daemon, "ann");
    let contents = || daemon.number("SELECT count(*) FROM upload_contents", []);
    // A chunk is on disk, or all of it is still in memory.
    for (size, chunks) in [(1_000_000, 1), (1_000, 0)] {
        for how in ["frozen", "archived", "revoked"] {
            let name = format!("{how}-{size}");
            let body = form(&[file("a.txt", "text/plain", &vec![b'a'; size])]);
            let at = agent(&daemon, &ann, &name);
            let stream = begin(&daemon, &at.client, &body, size / 2);
            if chunks > 0 {
                wait_until("a chunk is written", || contents() > 0);
            } else {
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
            let code = end_the_right(&daemon, &name, how);
            let told = end(stream, &body[size / 2..]);
            assert!(told.starts_with("HTTP/1.1 401") && told.contains(code), "{name}: {told}");
            assert_eq!(daemon.number("SELECT count(*) FROM uploads", []), 0, "{name}");
            wait_until("its room is given back", || contents() == 0);
            assert_eq!(daemon.number("SELECT coalesce(sum(upload_bytes), 0) FROM workspace_usage", []), 0, "{name}");
        }
    }
    let stays = agent(&daemon, &ann, "stays");
    let body = form(&[file("a.txt", "text/plain", &vec![b'a'; 1_000_000])]);
    let told = end(begin(&daemon, &stays.client, &body, 500_000), &body[500_000..]);
    assert!(told.starts_with("HTTP/1.1 201"), "{told}");
}
