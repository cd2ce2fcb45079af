//! Bodies that are being received share their memory fairly. A caller that stalls many bodies is refused, and no other
//! caller is.

use std::time::{Duration, Instant};

use crate::support::{Client, OTHER, SOON, Server, TOKEN, eventually};

const ANNOUNCED: usize = 600_000;

/// Sends a POST that announces a body, and all of the body except its last byte.
fn stall(server: &Server, token: &str) -> Client {
    let mut client = server.connect();
    client.send(format!(
        "POST /api/agents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: {ANNOUNCED}\r\n\r\n"
    ));
    client.send("x".repeat(ANNOUNCED - 1));
    client
}

/// Makes a hundred writes of another principal, each on its own connection. None may wait until a stalled body times
/// out.
fn writes_of_another(server: &Server, size: usize) {
    let body = "y".repeat(size);
    for _ in 0..100 {
        let start = Instant::now();
        let reply = server.once(format!(
            "POST /api/agents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {OTHER}\r\nContent-Length: {size}\r\n\r\n{body}"
        ));
        assert_eq!(reply.status, 201, "{reply:?}");
        assert!(start.elapsed() < SOON, "{size}: {:?}", start.elapsed());
    }
}

#[test]
fn stalled_bodies_of_one_principal_hold_up_nobody_else() {
    let server = Server::start();
    let stalled: Vec<Client> = (0..53).map(|_| stall(&server, TOKEN)).collect();
    eventually(Duration::from_secs(5), "bodies are held", || server.edge.metrics().body_bytes > 5_000_000);
    for size in [200, 100_000, 600_000] {
        writes_of_another(&server, size);
    }
    assert!(server.edge.metrics().body_bytes <= 8 * 1024 * 1024, "a principal has its share");
    drop(stalled);
    eventually(Duration::from_secs(5), "the memory is given back", || server.edge.metrics().body_bytes == 0);
}

#[test]
fn a_body_without_a_good_credential_is_not_read_at_all() {
    let server = Server::start();
    for mut client in (0..53).map(|_| stall(&server, "bad")).collect::<Vec<_>>() {
        let reply = client.reply();
        assert_eq!((reply.status, reply.closes()), (401, true));
    }
    assert_eq!(server.edge.metrics().body_bytes, 0);
    assert_eq!(server.app.started(), 0);
}

#[test]
fn a_small_body_that_does_not_come_is_not_waited_for_without_a_good_credential() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(
        "POST /api/agents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer bad\r\nContent-Length: 10\r\n\r\n12345",
    );
    assert_eq!(client.reply().status, 401);
    // With a good token the edge keeps the beginning of the body, and the rest completes it.
    let mut client = server.connect();
    client.send(
        "POST /api/agents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nContent-Length: 10\r\n\r\n12345",
    );
    eventually(Duration::from_secs(5), "the beginning is held", || server.edge.metrics().body_bytes >= 5);
    client.send("67890");
    assert_eq!(client.reply().json()["bytes"], 10);
    client.assert_open(&server.target);
}

#[test]
fn who_holds_most_gives_way_when_all_memory_is_taken() {
    // One share is as large as the largest body, so two principals can fill all memory here.
    let server = Server::with(|limits| limits.max_body_bytes_in_flight = 2_000_000);
    let stalled: Vec<Client> = (0..3).map(|_| stall(&server, TOKEN)).collect();
    eventually(Duration::from_secs(5), "memory is taken", || server.edge.metrics().body_bytes > 500_000);
    let one = stall(&server, OTHER);
    writes_of_another(&server, 300_000);
    drop((stalled, one));
}

#[test]
fn a_request_that_waits_holds_no_memory_of_its_body() {
    let server = Server::start();
    let mut waiting = server.connect();
    let head = "GET /api/later?ms=60000 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n";
    waiting.send(format!("{head}Content-Length: {ANNOUNCED}\r\n\r\n"));
    waiting.send("x".repeat(ANNOUNCED));
    eventually(Duration::from_secs(5), "it waits", || server.app.started() == 1);
    eventually(Duration::from_secs(5), "the memory is given back", || server.edge.metrics().body_bytes == 0);
    server.app.signal.raise();
    assert_eq!(waiting.reply().json()["later"], true);
}
