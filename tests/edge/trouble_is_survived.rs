//! Panics, full queues, vanished clients and many clients: each gets its reply, and the next client is served.

use std::time::Duration;

use taosd::http::edge::Worker;

use crate::support::*;

fn auth() -> String {
    format!("Authorization: Bearer {TOKEN}\r\n")
}

#[test]
fn a_panicking_handler_is_a_500_and_its_worker_goes_on() {
    let server = Server::with(|l| l.workers = 1);
    let mut client = server.connect();
    for _ in 0..3 {
        client.send(get("/api/panic", &auth()));
        let reply = client.reply();
        assert_eq!((reply.status, reply.error().as_str()), (500, "internal"));
        assert!(!String::from_utf8_lossy(&reply.body).contains("on purpose"), "the cause is for the log");
    }
    client.assert_open(&server.target);
    assert_eq!(server.edge.workers(), [Worker::Idle]);
}

#[test]
fn a_reply_header_that_may_not_be_sent_is_a_500() {
    let server = Server::start();
    let reply = server.once(get("/api/bad-header", &auth()));
    assert_eq!((reply.status, reply.error().as_str()), (500, "internal"));
}

#[test]
fn a_full_queue_is_a_503_and_the_connection_stays() {
    let server = Server::with(|l| (l.workers, l.queue_length) = (1, 2));
    let mut busy: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    for (n, client) in busy.iter_mut().enumerate() {
        client.send(get("/api/sleep?ms=400", &auth()));
        eventually(Duration::from_secs(5), "it is taken", || {
            server.app.started() == 1 && server.edge.metrics().queued == n as u64
        });
    }
    let mut client = server.connect();
    client.send(get(server.target.public, ""));
    let reply = client.reply();
    assert_eq!((reply.status, reply.error().as_str()), (503, "busy"));
    assert!(reply.header("retry-after").is_some() && !reply.closes());
    assert!(matches!(server.edge.workers()[0], Worker::Busy(_)));
    for client in &mut busy {
        assert_eq!(client.reply().status, 200);
    }
    client.assert_open(&server.target);
    assert_eq!(server.edge.metrics().refused_busy, 1);
}

#[test]
fn a_request_whose_client_has_gone_is_never_started() {
    let server = Server::with(|l| l.workers = 1);
    let mut busy = server.connect();
    busy.send(get("/api/sleep?ms=400", &auth()));
    eventually(Duration::from_secs(5), "the worker is busy", || server.app.started() == 1);
    for _ in 0..5 {
        let mut gone = server.connect();
        gone.send(get("/api/auth/whoami", &auth()));
        eventually(Duration::from_secs(5), "it is queued", || server.edge.metrics().queued >= 1);
        drop(gone);
    }
    eventually(Duration::from_secs(5), "their end is noticed", || server.edge.metrics().connections == 1);
    assert_eq!(busy.reply().status, 200);
    server.assert_well();
    assert_eq!(server.app.started(), 2, "the sleeper and the probe");
}

#[test]
fn slow_work_does_not_hold_up_quick_work() {
    let server = Server::with(|l| l.workers = 4);
    let mut slow = server.connect();
    slow.send(get("/api/sleep?ms=5000", &auth()));
    eventually(Duration::from_secs(5), "it runs", || server.app.started() == 1);
    let mut quick = server.connect();
    for _ in 0..50 {
        quick.assert_open(&server.target);
    }
    assert!(slow.is_silent_for(Duration::from_millis(1)), "the quick ones are done first");
    assert_eq!(slow.reply().status, 200);
}

#[test]
fn a_connection_too_many_is_turned_away_with_the_reason() {
    for change in [(|l| l.max_connections = 3) as fn(&mut taosd::limits::Limits), |l| l.max_connections_per_peer = 3] {
        let server = Server::with(change);
        let mut open: Vec<Client> = (0..3).map(|_| server.connect()).collect();
        for client in &mut open {
            client.assert_open(&server.target);
        }
        let mut fourth = server.connect();
        fourth.send(get(server.target.public, ""));
        let reply = fourth.reply();
        assert_eq!((reply.status, reply.error().as_str()), (503, "too_many_connections"));
        assert!(reply.header("retry-after").is_some() && reply.closes());
        fourth.assert_closed();
        open.pop();
        eventually(Duration::from_secs(5), "the place is free", || server.edge.metrics().connections == 2);
        server.assert_well();
    }
}

#[test]
fn eight_clients_that_keep_their_connections_are_all_served_by_two_workers() {
    let server = Server::with(|l| l.workers = 2);
    let mut clients: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    for _ in 0..10 {
        for client in &mut clients {
            client.assert_open(&server.target);
        }
    }
}

#[test]
fn streams_have_a_limit_and_a_client_that_goes_frees_its_place() {
    let server = Server::with(|l| l.max_streams = 2);
    let mut open: Vec<Client> = (0..2).map(|_| server.connect()).collect();
    for client in &mut open {
        client.send(get("/api/events", &auth()));
        assert!(client.stream_head().contains("text/event-stream"));
    }
    let reply = server.once(get("/api/events", &auth()));
    assert_eq!((reply.status, reply.error().as_str()), (503, "busy"));
    open.pop();
    eventually(Duration::from_secs(5), "the place is free", || server.edge.metrics().streams == 1);
    let mut client = server.connect();
    client.send(get("/api/events", &auth()));
    client.stream_head();
    assert!(server.app.streams.lock().unwrap()[1].is_closed(), "the handler's side learns it");
}
