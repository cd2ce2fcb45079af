//! A reader of Server-Sent Events over a bare socket.

#![allow(dead_code, reason = "each test target uses its own part of this")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// An open stream.
pub struct Events {
    reader: BufReader<TcpStream>,
    pub status: u16,
    pub head: String,
    text: String,
}

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub id: String,
    pub event: String,
    pub data: String,
}

impl Events {
    /// Asks for a stream and reads the head of the reply.
    pub fn open(address: &str, token: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        Self::ask("GET", address, token, path, headers, "")
    }

    /// As [`Self::open`], with a method and a body.
    pub fn ask(method: &str, address: &str, token: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            head += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        }
        stream.write_all((head + "\r\n" + body).as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "no head: {head:?}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { reader, status, head, text: String::new() }
    }

    /// One chunk; `None` at the end of the stream or of the connection.
    fn chunk(&mut self) -> Option<String> {
        let mut size = String::new();
        if self.reader.read_line(&mut size).unwrap_or(0) == 0 {
            return None;
        }
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut bytes = vec![0; size + 2];
        self.reader.read_exact(&mut bytes).ok()?;
        bytes.truncate(size);
        if size == 0 { None } else { Some(String::from_utf8(bytes).unwrap()) }
    }

    /// The text up to the next empty line, including comments and settings.
    pub fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let rest = self.text.split_off(end + 2);
                return Some(std::mem::replace(&mut self.text, rest));
            }
            let chunk = self.chunk()?;
            self.text += &chunk;
        }
    }

    /// The next event, without comments and settings. `None` at the end.
    pub fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.block()?;
            let mut event = Event::default();
            for (name, value) in block.lines().filter_map(|line| line.split_once(": ")) {
                match name {
                    "id" => value.clone_into(&mut event.id),
                    "event" => value.clone_into(&mut event.event),
                    "data" => value.clone_into(&mut event.data),
                    _ => {}
                }
            }
            if !event.data.is_empty() {
                return Some(event);
            }
        }
    }

    /// Reads to the end of the stream and returns how long that took.
    pub fn until_end(&mut self) -> Duration {
        let start = Instant::now();
        while self.block().is_some() {}
        start.elapsed()
    }
}
