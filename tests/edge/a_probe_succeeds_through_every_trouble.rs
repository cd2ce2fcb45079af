//! A well-behaved client with a token sends requests while all others misbehave. None of its requests may fail.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::*;

#[test]
fn a_probe_succeeds_through_every_trouble() {
    let server = Process::start("head_timeout=2,body_timeout=2,write_timeout=2,max_connections_per_peer=512");
    let stop = AtomicBool::new(false);
    let mut times = std::thread::scope(|scope| {
        let probe = scope.spawn(|| probe(&server.target, &stop));
        // Ends the probe even if this scope panics.
        let done = EndProbe(&stop);
        for _ in 0..3 {
            misbehave(&server);
        }
        drop(done);
        probe.join().unwrap()
    });
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];
    println!("{} requests of the probe, p50 {:?}, p99 {p99:?}", times.len(), times[times.len() / 2]);
    assert!(times.len() > 100);
    let log = server.log();
    assert!(!log.contains("ERROR") || log.contains("the handler panicked"), "{log}");
}

struct EndProbe<'a>(&'a AtomicBool);

impl Drop for EndProbe<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends one request after the other, alternately on a kept connection and on a new one.
fn probe(target: &Target, stop: &AtomicBool) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut kept = Client::connect(target.address);
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        if times.len() % 2 == 0 {
            kept.assert_open(target);
        } else {
            Client::connect(target.address).assert_open(target);
        }
        times.push(start.elapsed());
        std::thread::sleep(Duration::from_millis(2));
    }
    times
}

fn misbehave(server: &Process) {
    let auth = format!("Authorization: Bearer {TOKEN}\r\n");
    let head = "X-A: ".to_owned() + &"a".repeat(14_000);
    let mut held = Vec::new();
    for n in 0..400 {
        let mut client = server.connect();
        client.send(match n % 16 {
            0 => "PRI * HTTP/2.0\r\n\r\n".to_owned(),
            1 => "\x16\x03\x01\x02\x00".to_owned(),
            2 => format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{head}"),
            3 => post("/api/agents", "Content-Length: 2000\r\n", "abc"),
            4 => post("/api/agents", "Content-Length: 9000000000000000\r\n", ""),
            5 => post("/api/agents", "Transfer-Encoding: chunked\r\n", "zz\r\n"),
            6 => post("/api/agents", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nGET /"),
            7 => get("/api/large?bytes=400000", &auth),
            8 => get("/api/panic", &auth),
            9 => get(server.target.public, "").repeat(300),
            10 => post("/api/uploads", "Expect: 100-continue\r\nContent-Length: 1000000\r\n", ""),
            11 => get("/api/events", &auth),
            12 => get("/%00", ""),
            13 => format!("GET /{} HTTP/1.1\r\n", "a".repeat(12_000)),
            14 => get("/api/auth/whoami", "Authorization: Bearer bad\r\n"),
            _ => String::new(),
        });
        if n % 3 > 0 {
            held.push(client);
        }
    }
    std::thread::sleep(Duration::from_millis(700));
}
