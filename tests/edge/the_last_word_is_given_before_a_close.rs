//! A stop: received requests get their reply, idle connections are closed, and requests that take too long are cut.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::*;

fn auth() -> String {
    format!("Authorization: Bearer {TOKEN}\r\n")
}

#[test]
fn a_stop_answers_what_runs_closes_what_rests_and_accepts_nothing_more() {
    let server = Server::with(|l| l.stop_timeout = 60);
    let address = server.target.address;
    let mut resting = server.connect();
    resting.assert_open(&server.target);
    let mut half = server.connect();
    half.send("GET /healthz HTT");
    let mut streaming = server.connect();
    streaming.send(get("/api/events", &auth()));
    streaming.stream_head();
    streaming.chunk();
    let mut running = server.connect();
    running.send(get("/api/sleep?ms=600", &auth()));
    let mut uploading = server.connect();
    uploading.send(post(server.target.post, "Content-Length: 10\r\n", "12345"));
    eventually(Duration::from_secs(5), "it runs", || server.app.started() == 3);

    let start = Instant::now();
    server.edge.shutdown();
    resting.assert_closed();
    half.assert_closed();
    assert!(streaming.chunk().is_none(), "the stream ends in order");
    assert!(TcpStream::connect(address).is_err(), "no more connections");
    uploading.send("67890");
    let reply = uploading.reply();
    assert_eq!(reply.status, 201);
    assert!(reply.closes());
    let reply = running.reply();
    assert_eq!((reply.status, reply.json()["slept"].as_u64()), (200, Some(600)));
    assert!(reply.closes());
    server.join();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[test]
fn a_stop_waits_no_longer_than_its_timeout_and_a_second_signal_cuts_it() {
    for (timeout, cut) in [(1, false), (60, true)] {
        let server = Server::with(|l| l.stop_timeout = timeout);
        let mut running = server.connect();
        running.send(get("/api/sleep?ms=30000", &auth()));
        eventually(Duration::from_secs(5), "it runs", || server.app.started() == 1);
        let start = Instant::now();
        server.edge.shutdown();
        if cut {
            std::thread::sleep(Duration::from_millis(200));
            server.edge.cut();
        }
        server.join();
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    }
}

#[test]
fn a_refusal_is_not_eaten_by_a_reset() {
    let server = Server::start();
    for _ in 0..20 {
        let mut client = server.connect();
        // More than the edge reads before it refuses. Unread bytes at the close would reset the connection.
        client.send(post(server.target.post, "Content-Length: 5000000\r\n", &"x".repeat(200_000)));
        assert_eq!(client.reply().status, 413);
        client.assert_closed();
    }
}
