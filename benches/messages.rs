//! Measures messages: sends a second, the delay until streams receive one, and the cost of a space with a million.
//!
//! `TMPDIR=DIR cargo bench --bench messages` measures the disk of DIR. After `--`, the name of one part (`send`,
//! `streams` or `growth`) runs only that part. The daemon replies to a send once it is on disk. Targets: 10,000 sends a
//! second at 32 clients, and 5 times the serial commits of the same disk in the same run; 200 streams receive a message
//! within 100 ms (p99); list, search and send with 1,000,000 messages at 0.8 of their speed with 1,000.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use support::daemon::Daemon;
use support::{cpu_seconds, measured, median, percentile, quiet_daemon, request};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(1500);
const CLIENTS: usize = 32;
const STREAMS: usize = 200;
/// The number of messages that every stream receives. `APART` is the pause between two.
const TOLD: usize = 60;
const APART: Duration = Duration::from_millis(50);
/// Requests in a round of `growth`.
const REQUESTS: usize = 200;
const MESSAGE: &str = r#"{"content": "The build of last night is done, and all tests have passed."}"#;
const FILL: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
    INSERT INTO messages (id, space_id, seq, channel, message_type, conversation_id, author, author_name, content,
        mentions, attachments, metadata, bytes, created_at, updated_at)
    SELECT printf('%08x-0000-7000-8000-%012x', i, i), s.id, i, 'main', 'text', printf('%08x-0000-7000-8000-%012x', i, i),
        'user:' || s.owner_user_id, 'operator', 'Message number ' || i || ' says in a sentence what was done word' || (i % 997),
        '[]', '[]', '{}', 400, ?2 + i, ?2 + i
    FROM n, spaces s WHERE s.is_default = 1";
/// Prefixes each word with its space, as the daemon stores it.
const FILL_WORDS: &str = "INSERT INTO message_words (rowid, content)
    SELECT place, 'o' || substr(space_id, -12) || replace(content, ' ', ' o' || substr(space_id, -12)) FROM messages";
const FILL_COUNTS: &str = "INSERT INTO message_counts (space_id, last_seq, messages, open, bytes)
    SELECT space_id, max(seq), count(*), count(*), sum(bytes) FROM messages GROUP BY space_id";

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    for (name, part) in [("send", send as fn()), ("streams", streams), ("growth", growth)] {
        if wanted.as_deref().is_none_or(|wanted| wanted == name) {
            part();
        }
    }
}

fn send() {
    let daemon = quiet_daemon();
    let beside = daemon.data.with_file_name("reference.db");
    let reference = serial(&beside);
    let one = request("POST", "/api/v1/messages", &daemon.token, MESSAGE);
    let (mut commits, mut rates, mut slowest, mut worked) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        commits.push(serial_round(&reference));
        let (rate, latencies, micros) = measured(&daemon.address, &vec![one.clone(); CLIENTS], daemon.pid(), ROUND);
        rates.push(rate);
        worked.push(micros);
        slowest.push(percentile(&latencies, 0.99));
    }
    let (rate, commits) = (median(&rates), median(&commits));
    println!("send, {CLIENTS} clients, {ROUNDS} rounds of {ROUND:?}, medians");
    println!("sends a second: {rate:.0}; p99 {:.1} ms", median(&slowest));
    println!("processor time of the daemon for one send: {:.0} us", median(&worked));
    println!("one connection, one row a commit (reference): {commits:.0} a second; ratio {:.1}", rate / commits);
}

/// A database of one small table on the same disk.
fn serial(path: &std::path::Path) -> Connection {
    let conn = Connection::open(path).expect("a database");
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).expect("WAL");
    conn.pragma_update(None, "synchronous", "FULL").expect("FULL");
    conn.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)").expect("a table");
    conn
}

fn serial_round(conn: &Connection) -> f64 {
    let (begun, mut commits) = (Instant::now(), 0);
    let mut insert = conn.prepare_cached("INSERT INTO t (text) VALUES ('a small row')").expect("a statement");
    while begun.elapsed() < ROUND {
        insert.execute([]).expect("a commit");
        commits += 1;
    }
    f64::from(commits) / begun.elapsed().as_secs_f64()
}

fn streams() {
    let env = [
        ("TAOSD_MAX_STREAMS", "300"),
        ("TAOSD_MAX_STREAMS_PER_CREDENTIAL", "300"),
        ("TAOSD_MAX_CONNECTIONS_PER_PEER", "400"),
        ("RUST_LOG", "warn"),
    ];
    let daemon = Daemon::with(&[], &env);
    let head = format!(
        "GET /api/v1/sse/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        daemon.token
    );
    let begun = Instant::now();
    let mut sender = Target::new(&daemon);
    let mut worked = 0.0;
    let heard: Vec<Vec<Duration>> = std::thread::scope(|scope| {
        // One thread reads all streams, as an event loop would.
        let reader = scope.spawn(|| listen(&daemon.address, &head, begun));
        // Each stream must be open before the first send, so that it receives every message.
        while !daemon.operator().get("/metrics").text().contains(&format!("taosd_streams {STREAMS}\n")) {
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(500));
        let before = cpu_seconds(daemon.pid());
        let sent: Vec<Duration> = (0..TOLD)
            .map(|n| {
                std::thread::sleep(APART);
                let at = begun.elapsed();
                sender.exchange(&post("/api/v1/messages", &format!(r#"{{"content": "number-{n}-"}}"#)));
                at
            })
            .collect();
        let heard = reader.join().expect("the reader");
        worked = cpu_seconds(daemon.pid()) - before;
        heard.into_iter().map(|times| times.into_iter().zip(&sent).map(|(at, sent)| at - *sent).collect()).collect()
    });
    let mut all: Vec<Duration> = heard.into_iter().flatten().collect();
    assert_eq!(all.len(), STREAMS * TOLD, "every stream heard every message");
    all.sort_unstable();
    println!("{STREAMS} streams, {TOLD} messages, from the beginning of the send to the event");
    println!("median {:.1} ms, p99 {:.1} ms", percentile(&all, 0.5), percentile(&all, 0.99));
    println!("processor time of the daemon for one event: {:.1} us", worked * 1e6 / all.len() as f64);
}

/// Opens the streams and reads them to the last message. Returns for each stream when each message arrived, measured
/// from `begun`.
fn listen(address: &str, head: &str, begun: Instant) -> Vec<Vec<Duration>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let readers: Vec<_> =
            (0..STREAMS).map(|_| tokio::task::spawn_local(hear(address.to_owned(), head.to_owned(), begun))).collect();
        let mut all = Vec::new();
        for reader in readers {
            all.push(reader.await.expect("a reader"));
        }
        all
    })
}

async fn hear(address: String, head: String, begun: Instant) -> Vec<Duration> {
    let stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    assert_eq!(stream.try_write(head.as_bytes()).expect("a request"), head.len());
    let (mut text, mut chunk, mut times) = (String::new(), vec![0; 64 * 1024], Vec::new());
    while times.len() < TOLD {
        stream.readable().await.expect("a stream");
        match stream.try_read(&mut chunk) {
            Ok(0) => panic!("the stream ended: {text}"),
            Ok(n) => text.push_str(&String::from_utf8_lossy(&chunk[..n])),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(error) => panic!("{error}"),
        }
        while text.contains(&format!("number-{}-", times.len())) {
            times.push(begun.elapsed());
        }
    }
    times
}

fn growth() {
    let (few, many) = (filled(1_000), filled(1_000_000));
    let (mut few, mut many) = (Target::new(&few), Target::new(&many));
    println!("{ROUNDS} alternating rounds of {REQUESTS} requests, medians of one connection's");
    println!("{:>34} {:>12} {:>12} {:>7}", "", "1,000", "1,000,000", "speed");
    for (name, request) in [
        ("list, the newest 50", get("/api/v1/messages?limit=50")),
        ("list, 50 after a place", get("/api/v1/messages?limit=50&after_seq=500")),
        ("list, unread", get("/api/v1/messages?limit=50&unread_only=true")),
        ("search, a common word", post("/api/v1/search/messages", r#"{"query": "sentence", "limit": 20}"#)),
        ("search, a unique word", post("/api/v1/search/messages", r#"{"query": "700", "limit": 20}"#)),
        ("search, unique and common", post("/api/v1/search/messages", r#"{"query": "number 700", "limit": 20}"#)),
        ("send", post("/api/v1/messages", MESSAGE)),
    ] {
        let (mut at_few, mut at_many) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            at_few.push(few.median(&request));
            at_many.push(many.median(&request));
        }
        let (few, many) = (median(&at_few), median(&at_many));
        println!("{name:>34} {few:>9.0} us {many:>9.0} us {:>7.2}", few / many);
    }
}

/// A daemon whose default space holds `count` messages.
fn filled(count: i64) -> Daemon {
    let env = [
        ("TAOSD_REQUESTS_PER_MINUTE", "0"),
        ("TAOSD_WRITE_ROWS_PER_HOUR", "0"),
        ("TAOSD_WRITE_BYTES_PER_HOUR", "0"),
        ("TAOSD_WORKSPACE_MESSAGES_PER_SPACE", "10000000"),
        ("TAOSD_WORKSPACE_MESSAGE_BYTES_PER_SPACE", "10000000000"),
        ("RUST_LOG", "warn"),
    ];
    let mut daemon = Daemon::with(&[], &env);
    assert_eq!(daemon.stop(), Some(0));
    let begun = Instant::now();
    let db = Connection::open(daemon.database()).expect("the database");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_micros() as i64;
    db.execute_batch("PRAGMA synchronous = OFF; BEGIN").expect("a transaction");
    db.execute(FILL, [count, now - count]).expect("messages");
    db.execute(FILL_WORDS, []).expect("words");
    db.execute(FILL_COUNTS, []).expect("counts");
    db.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)").expect("a commit");
    drop(db);
    println!("{count} messages made in {:.1?}", begun.elapsed());
    daemon.spawn();
    daemon
}

struct Target {
    stream: BufReader<TcpStream>,
    token: String,
}

impl Target {
    fn new(daemon: &Daemon) -> Self {
        let stream = TcpStream::connect(&daemon.address).expect("a connection");
        stream.set_nodelay(true).expect("an option");
        Self { stream: BufReader::new(stream), token: daemon.token.clone() }
    }

    /// The median time of one request, in microseconds.
    fn median(&mut self, request: &str) -> f64 {
        let times: Vec<f64> = (0..REQUESTS).map(|_| self.exchange(request).as_secs_f64() * 1e6).collect();
        median(&times)
    }

    fn exchange(&mut self, request: &str) -> Duration {
        let request = request.replace("TOKEN", &self.token);
        let begun = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes()).expect("a request");
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.stream.read_line(&mut head).expect("a head") > 0, "closed");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.expect("a length")];
        self.stream.read_exact(&mut body).expect("a body");
        begun.elapsed()
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
