//! Measures list, count and notify with 1,000 and with 1,000,000 stored notifications.
//!
//! `cargo bench --bench notifications`. Two daemons have 100 users each. The measured user has a hundredth of all
//! notifications: in the large daemon 10,000, the most that retention leaves a user. Rounds alternate; the numbers are
//! medians of the requests of one connection. Target: no ratio above 1.5.

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use support::Daemon;

const USERS: i64 = 100;
const ROUNDS: usize = 5;
const REQUESTS: usize = 200;
const FILL: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
    INSERT INTO notifications (id, user_id, source, level, title, message, read, created_at)
    SELECT printf('%08x-%04x-7000-8000-%012x', (?2 + i) >> 32, (?2 + i) >> 16 & 65535, i), u.id, 'user:operator', 'normal',
        'A title of common length', 'A message that says in a sentence what has happened and what there is to do.', i % 2, ?2 + i
    FROM n JOIN (SELECT id, row_number() OVER (ORDER BY created_at, id) - 1 AS place FROM users) u ON u.place = i % ?3";

fn main() {
    let (small, large) = (filled(1_000), filled(1_000_000));
    let (mut small, mut large) = (Target::new(small), Target::new(large));
    println!("{ROUNDS} alternating rounds of {REQUESTS} requests, medians");
    println!("{:>34} {:>12} {:>12} {:>7}", "", "1,000", "1,000,000", "ratio");
    let notify = post("/api/ui/notify", r#"{"title": "Build finished", "body": "All tests passed."}"#);
    for (name, request) in [
        // The pages must be equally long, and in the small daemon a user has only ten notifications.
        ("list, first ten", get("/api/notifications?limit=10")),
        ("list, five unread", get("/api/notifications?unread_only=true&limit=5")),
        ("count", get("/api/notifications/count")),
        ("notify", notify),
    ] {
        let (mut few, mut many) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            few.push(small.median(&request));
            many.push(large.median(&request));
        }
        let (few, many) = (middle(&mut few), middle(&mut many));
        println!("{name:>34} {few:>12.2?} {many:>12.2?} {:>7.2}", many.as_secs_f64() / few.as_secs_f64());
    }
}

struct Target {
    daemon: Daemon,
    stream: BufReader<TcpStream>,
}

/// A daemon that holds `count` notifications.
fn filled(count: i64) -> Daemon {
    let mut daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0"), ("RUST_LOG", "warn")]);
    assert_eq!(daemon.stop(), Some(0));
    let start = Instant::now();
    let db = rusqlite::Connection::open(daemon.database()).expect("the database");
    let users = "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO users (id, username, display_name, role, created_at, updated_at)
        SELECT 'u' || i, 'u' || i, 'u', 'member', 9000000000000000 + i, 0 FROM n";
    db.execute(users, [USERS]).expect("users");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_micros() as i64;
    db.execute(FILL, [count, now - count, USERS]).expect("notifications");
    drop(db);
    println!("{count} notifications made in {:.1?}", start.elapsed());
    daemon.spawn();
    daemon
}

impl Target {
    fn new(daemon: Daemon) -> Self {
        let stream = TcpStream::connect(&daemon.address).expect("a connection");
        stream.set_nodelay(true).expect("an option");
        Self { stream: BufReader::new(stream), daemon }
    }

    /// The median time of one request.
    fn median(&mut self, request: &str) -> Duration {
        let request = request.replace("TOKEN", &self.daemon.token);
        let mut times: Vec<Duration> = (0..REQUESTS).map(|_| self.exchange(&request)).collect();
        middle(&mut times)
    }

    fn exchange(&mut self, request: &str) -> Duration {
        let start = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes()).expect("a request");
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.stream.read_line(&mut head).expect("a head") > 0, "closed");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.expect("a length")];
        self.stream.read_exact(&mut body).expect("a body");
        start.elapsed()
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\n\r\n")
}

fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\n\
        Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}
