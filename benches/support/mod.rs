//! The parts that the benches share: a load generator, medians, and readings of a process from `/proc`.

#![allow(dead_code, reason = "each bench uses its own part of this")]

pub mod crowd;
#[path = "../../tests/support/mod.rs"]
pub mod daemon;
#[path = "../../tests/notify/events.rs"]
pub mod events;
pub mod hello;
pub mod slow_disk;

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use daemon::Daemon;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// Starts a daemon that logs to `/dev/null`, access lines included, and whose limits on rates and connections refuse
/// nobody.
pub fn quiet_daemon() -> Daemon {
    let rates = [
        ("TAOSD_REQUESTS_PER_MINUTE", "1000000000"),
        ("TAOSD_NOTIFY_PER_MINUTE", "0"),
        ("TAOSD_WRITE_ROWS_PER_HOUR", "0"),
        ("TAOSD_WRITE_BYTES_PER_HOUR", "0"),
        ("TAOSD_WORKSPACE_AGENT_ROWS_PER_DAY", "100000000"),
        ("TAOSD_MAX_CONNECTIONS_PER_PEER", "1024"),
    ];
    let mut daemon = Daemon::prepared(None, &[], &rates);
    daemon.log = "/dev/null".into();
    daemon.spawn();
    daemon
}

/// A request as bytes.
pub fn request(method: &str, path: &str, token: &str, body: &str) -> Vec<u8> {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let length = if method == "GET" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{kind}{length}\r\n{body}")
        .into_bytes()
}

/// Sends each request over and over for `time`, on a keep-alive connection of its own, one at a time. Uses one thread.
/// Returns the replies a second and the sorted latencies.
pub fn load(address: &str, requests: &[Vec<u8>], time: Duration) -> (f64, Vec<Duration>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = LocalSet::new();
    let begun = Instant::now();
    let end = begun + time;
    let mut latencies = local.block_on(&runtime, async {
        let clients: Vec<_> = requests
            .iter()
            .map(|request| tokio::task::spawn_local(client(address.to_owned(), request.clone(), end)))
            .collect();
        let mut all = Vec::new();
        for client in clients {
            all.extend(client.await.expect("a client").expect("a connection"));
        }
        all
    });
    let rate = latencies.len() as f64 / begun.elapsed().as_secs_f64();
    latencies.sort_unstable();
    (rate, latencies)
}

async fn client(address: String, request: Vec<u8>, end: Instant) -> io::Result<Vec<Duration>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut latencies = Vec::with_capacity(100_000);
    let mut buffer = vec![0; 2 * 1024 * 1024];
    let mut body = None;
    let mut now = Instant::now();
    while now < end {
        let sent = stream.try_write(&request)?;
        assert_eq!(sent, request.len(), "a request fits the socket's buffer");
        read_reply(&stream, &mut buffer, &mut body).await?;
        let done = Instant::now();
        latencies.push(done - now);
        now = done;
    }
    Ok(latencies)
}

/// Runs one round. Returns replies a second, latencies, and microseconds of the server's processor time per request.
pub fn measured(address: &str, requests: &[Vec<u8>], pid: u32, time: Duration) -> (f64, Vec<Duration>, f64) {
    let before = cpu_seconds(pid);
    let (rate, latencies) = load(address, requests, time);
    let micros = (cpu_seconds(pid) - before) * 1e6 / latencies.len() as f64;
    (rate, latencies, micros)
}

/// Reads one reply, which must have a status of 2xx or 304. `body` is the length of the previous body. Replies to one
/// request are alike, so the end of the head is first looked for where it was before, which costs the generator almost
/// nothing.
async fn read_reply(stream: &TcpStream, buffer: &mut [u8], body: &mut Option<usize>) -> io::Result<()> {
    let mut have = 0;
    loop {
        stream.readable().await?;
        match stream.try_read(&mut buffer[have..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => have += n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        let reply = &buffer[..have];
        let end = body.and_then(|body| have.checked_sub(body + 4));
        if is_good(reply) && end.is_some_and(|end| reply[end..].starts_with(b"\r\n\r\n")) {
            return Ok(());
        }
        *body = whole(reply);
        if body.is_some() {
            return Ok(());
        }
    }
}

fn is_good(reply: &[u8]) -> bool {
    reply.starts_with(b"HTTP/1.1 2") || reply.starts_with(b"HTTP/1.1 304")
}

/// Returns the length of the body once all of it has arrived.
fn whole(reply: &[u8]) -> Option<usize> {
    let head = reply.windows(4).position(|w| w == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&reply[..head]).expect("an ASCII head");
    assert!(is_good(reply), "{}", String::from_utf8_lossy(reply));
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().expect("a length"))
    });
    let length = length.unwrap_or(0);
    (reply.len() >= head + 4 + length).then_some(length)
}

/// Returns the median.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Returns the latency in milliseconds that `share` (0.0 to 1.0) of all stays below.
pub fn percentile(sorted: &[Duration], share: f64) -> f64 {
    let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |d| d.as_secs_f64() * 1000.0)
}

/// Returns the number that follows `name` in `/proc/PID/FILE`.
pub fn proc_number(pid: u32, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).expect("a running process");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Seconds of processor time a process has used.
pub fn cpu_seconds(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
    let after_name = text.rsplit(')').next().expect("a name");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // utime and stime, fields 14 and 15 of proc(5), in hundredths of a second on every Linux.
    let ticks = |n: usize| fields[n].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / 100.0
}
