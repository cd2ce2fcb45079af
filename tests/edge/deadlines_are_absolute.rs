//! Heads, bodies, idle connections and writes each have a deadline. Slowly sent bytes do not extend it.

use std::time::{Duration, Instant};

use crate::support::*;

/// Sends a byte every 100 ms until a reply comes. Returns how long that took.
fn dribble(client: &mut Client, bytes: &str) -> Duration {
    let start = Instant::now();
    for byte in bytes.as_bytes().iter().cycle() {
        client.send([*byte]);
        if !client.is_silent_for(Duration::from_millis(100)) {
            break;
        }
        assert!(start.elapsed() < 2 * SOON, "dribbling goes on for ever");
    }
    start.elapsed()
}

/// Asserts that the configured deadline of a second applied, not a default.
fn assert_after_a_second(took: Duration) {
    assert!(took >= Duration::from_millis(900) && took < SOON, "{took:?}");
}

#[test]
fn a_head_that_dribbles_gets_408() {
    let server = Server::with(|l| l.head_timeout = 1);
    let mut client = server.connect();
    let start = Instant::now();
    client.send("GET /healthz HTTP/1.1\r\nX-A: ");
    for _ in 0..9 {
        client.send("a");
        std::thread::sleep(Duration::from_millis(80));
    }
    let reply = client.reply();
    assert_after_a_second(start.elapsed());
    assert_eq!((reply.status, reply.error().as_str()), (408, "request_timeout"));
    client.assert_closed();
    assert_eq!(server.edge.metrics().timeouts, 1);
}

#[test]
fn a_connection_that_says_nothing_gets_408_by_the_head_timeout() {
    let server = Server::with(|l| l.head_timeout = 1);
    let mut client = server.connect();
    let start = Instant::now();
    assert_eq!(client.reply().status, 408);
    assert_after_a_second(start.elapsed());
}

#[test]
fn a_second_head_has_its_own_deadline_from_its_first_byte() {
    let server = Server::with(|l| (l.head_timeout, l.idle_timeout) = (1, 30));
    let mut client = server.connect();
    client.assert_open(&server.target);
    std::thread::sleep(Duration::from_millis(1300));
    client.assert_open(&server.target);
    let start = Instant::now();
    client.send("GET");
    assert_eq!(client.reply().status, 408);
    assert_after_a_second(start.elapsed());
}

#[test]
fn deadlines_hold_after_an_empty_file() {
    let auth = format!("Authorization: Bearer {TOKEN}\r\n");
    let server = Server::with(|l| (l.head_timeout, l.idle_timeout) = (1, 30));
    let mut client = server.connect();
    client.send(get("/api/empty", &auth));
    assert_eq!(client.reply().body.len(), 0);
    let start = Instant::now();
    client.send("GET");
    assert_eq!(client.reply().status, 408);
    assert_after_a_second(start.elapsed());
    let server = Server::with(|l| l.idle_timeout = 1);
    let mut client = server.connect();
    client.send(get("/api/empty", &auth));
    assert_eq!(client.reply().status, 200);
    let start = Instant::now();
    client.assert_closed();
    assert_after_a_second(start.elapsed());
}

#[test]
fn a_body_that_dribbles_gets_408_and_no_worker_waits_for_it() {
    let server = Server::with(|l| (l.body_timeout, l.workers) = (1, 1));
    let mut slow: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    let start = Instant::now();
    for client in &mut slow {
        client.send(post(server.target.post, "Content-Length: 2000\r\n", "abc"));
    }
    server.assert_well();
    dribble(&mut slow[0], "x");
    assert_after_a_second(start.elapsed());
    for client in &mut slow[1..] {
        let reply = client.reply();
        assert_eq!((reply.status, reply.error().as_str()), (408, "request_timeout"));
        assert!(reply.closes());
        client.assert_closed();
    }
    assert_eq!(server.app.started(), 1, "only the probe ran");
}

#[test]
fn a_connection_that_rests_too_long_is_closed_without_a_word() {
    let server = Server::with(|l| l.idle_timeout = 1);
    let mut client = server.connect();
    client.assert_open(&server.target);
    let start = Instant::now();
    client.assert_closed();
    assert_after_a_second(start.elapsed());
}

#[test]
fn a_handlers_time_counts_against_no_deadline() {
    let server = Server::with(|l| {
        (l.head_timeout, l.body_timeout, l.idle_timeout, l.write_timeout) = (1, 1, 1, 1);
    });
    let mut client = server.connect();
    client.send(get("/api/sleep?ms=2200", &format!("Authorization: Bearer {TOKEN}\r\n")));
    assert_eq!(client.reply().json()["slept"], 2200);
    client.assert_open(&server.target);
}

#[test]
fn a_slow_reader_is_cut_at_the_write_timeout_and_holds_no_worker() {
    let server = Server::with(|l| (l.write_timeout, l.workers) = (1, 1));
    let auth = format!("Authorization: Bearer {TOKEN}\r\n");
    let mut slow: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    for client in &mut slow {
        client.send(get("/api/large?bytes=30000000", &auth));
    }
    eventually(Duration::from_secs(5), "the replies are made", || server.app.started() == 4);
    server.assert_well();
    eventually(Duration::from_secs(5), "they are cut", || server.edge.metrics().connections == 0);
    assert_eq!(server.edge.metrics().timeouts, 4);
}

#[test]
fn a_stream_is_cut_only_when_it_makes_no_progress() {
    let server = Server::with(|l| (l.write_timeout, l.idle_timeout) = (1, 1));
    let auth = format!("Authorization: Bearer {TOKEN}\r\n");
    let mut reader = server.connect();
    reader.send(get("/api/events", &auth));
    reader.stream_head();
    assert_eq!(reader.chunk().unwrap(), b"data: hello\n\n");
    std::thread::sleep(Duration::from_millis(1500));
    let sender = server.app.streams.lock().unwrap().pop().unwrap();
    assert!(sender.send("data: still here\n\n"), "a quiet stream is no stuck one");
    assert_eq!(reader.chunk().unwrap(), b"data: still here\n\n");

    let mut stuck = server.connect();
    stuck.send(get("/api/events", &auth));
    stuck.stream_head();
    let sender = server.app.streams.lock().unwrap().pop().unwrap();
    eventually(Duration::from_secs(10), "the stuck stream is cut", || {
        sender.send(vec![b'x'; 1_000_000]);
        sender.is_closed()
    });
    assert!(server.edge.metrics().timeouts >= 1);
}

#[test]
fn slow_readers_together_hold_a_bounded_amount_and_the_oldest_make_room() {
    let server = Server::start();
    let auth = format!("Authorization: Bearer {TOKEN}\r\n");
    let mut slow: Vec<Client> = (0..12).map(|_| server.connect()).collect();
    for (n, client) in slow.iter_mut().enumerate() {
        client.send(get("/api/large?bytes=8000000", &auth));
        eventually(Duration::from_secs(5), "it is made", || server.app.log.lock().unwrap().len() == n + 1);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(server.edge.metrics().reply_bytes <= 32 * 1024 * 1024);
    eventually(Duration::from_secs(2), "the oldest are cut", || server.edge.metrics().connections <= 4);
    assert_eq!(slow.last_mut().unwrap().reply().body.len(), 8_000_000, "the youngest is served");
    server.assert_well();
}
