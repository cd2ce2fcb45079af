//! A server that plays a list of acts and records the requests, for faults that a real daemon does not have.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the fake does with a connection.
#[derive(Debug, Clone)]
pub enum Act {
    /// Sends these bytes and closes.
    Send(Vec<u8>),
    /// Reads the request and closes.
    Cut,
    /// Reads the request and sends nothing for this long.
    Silence(Duration),
    /// Sends these bytes after this delay, and closes.
    Late(Duration, Vec<u8>),
}

impl Act {
    /// A JSON reply.
    pub fn json(status: u16, body: &str) -> Self {
        Self::json_with(status, "", body)
    }

    /// A JSON reply with more header lines, each of which ends with CRLF.
    pub fn json_with(status: u16, headers: &str, body: &str) -> Self {
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        );
        Self::Send([head.as_bytes(), body.as_bytes()].concat())
    }

    /// The same reply, `time` later. Other acts than `Send` stay as they are.
    pub fn after(self, time: Duration) -> Self {
        match self {
            Self::Send(bytes) => Self::Late(time, bytes),
            other => other,
        }
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Method and target.
    pub line: String,
    head: String,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// The fake server. Each connection gets the next act, and the last act repeats for ever.
pub struct Fake {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    pub fn playing(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        // The thread ends with the test process.
        std::thread::spawn(move || {
            for (nth, stream) in listener.incoming().enumerate() {
                let Ok(stream) = stream else { return };
                let act = &acts[nth.min(acts.len() - 1)];
                play(stream, act, &log);
            }
        });
        Self { url, seen }
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no test panics with the lock").clone()
    }
}

fn play(mut stream: TcpStream, act: &Act, log: &Mutex<Vec<Seen>>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let Some(seen) = read(&mut stream) else { return };
    log.lock().expect("no test panics with the lock").push(seen);
    match act {
        Act::Send(bytes) => {
            // A client that has seen enough closes first.
            let _ = stream.write_all(bytes);
        }
        Act::Late(time, bytes) => {
            std::thread::sleep(*time);
            let _ = stream.write_all(bytes);
        }
        Act::Cut => {}
        Act::Silence(time) => std::thread::sleep(*time),
    }
    let _ = stream.shutdown(Shutdown::Both);
}

fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let mut seen = Seen { line: head.lines().next()?.to_owned(), head, body: String::new() };
            let length: usize = seen.header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                seen.body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
                return Some(seen);
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
        }
    }
}
