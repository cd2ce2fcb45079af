//! The normal case: keep-alive, bodies, HEAD, OPTIONS, and replies that come later.

use crate::support::*;

#[test]
fn many_requests_are_served_on_one_connection() {
    let server = Server::start();
    let mut client = server.connect();
    for _ in 0..100 {
        client.assert_open(&server.target);
    }
    assert_eq!(server.edge.metrics().accepted, 1);
}

#[test]
fn a_body_reaches_the_handler_whole_small_or_large() {
    let server = Server::start();
    let mut client = server.connect();
    for size in [0, 1, 5_000, 65_536, 65_537, 1024 * 1024] {
        let body = "x".repeat(size);
        client.send(post(server.target.post, &format!("Content-Length: {size}\r\n"), &body));
        let reply = client.reply();
        assert_eq!((reply.status, reply.json()["bytes"].as_u64()), (201, Some(size as u64)), "{reply:?}");
    }
}

#[test]
fn work_that_is_postponed_is_answered_when_it_is_woken_or_its_time_has_come() {
    let server = Server::start();
    let auth = format!("Authorization: Bearer {TOKEN}\r\n");
    let mut client = server.connect();
    client.send(get("/api/later?ms=50", &auth));
    assert_eq!(client.reply().json()["later"], true);
    client.send(get("/api/later?ms=60000", &auth));
    eventually(std::time::Duration::from_secs(5), "the handler runs", || server.app.started() == 2);
    std::thread::sleep(std::time::Duration::from_millis(50));
    server.app.signal.raise();
    assert_eq!(client.reply().json()["later"], true);
}
