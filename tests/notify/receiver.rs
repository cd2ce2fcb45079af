//! A receiver of webhooks on loopback, with replies that the test sets.

#![allow(dead_code, reason = "each test target uses its own part of this")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A request that came in.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub head: String,
    pub body: String,
}

impl Delivery {
    pub fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")));
        line.and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value)
    }
}

/// A running receiver. Its thread ends with the process.
pub struct Hook {
    pub port: u16,
    deliveries: Receiver<Delivery>,
    answered: Arc<AtomicUsize>,
}

impl Hook {
    /// Answers the first requests with these status lines, all others with `204 No Content`.
    pub fn start(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut answers: Vec<String> = answers.iter().rev().map(|a| (*a).to_owned()).collect();
        let (sender, deliveries) = channel();
        let answered = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&answered);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let Some(delivery) = read(&mut stream) else { continue };
                let answer = answers.pop().unwrap_or_else(|| "204 No Content".to_owned());
                let _ = stream.write_all(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").as_bytes());
                count.fetch_add(1, Ordering::Relaxed);
                if sender.send(delivery).is_err() {
                    return;
                }
            }
        });
        Self { port, deliveries, answered }
    }

    /// The number of requests that it has answered, whether [`Hook::next`] took them or not.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    pub fn next(&self) -> Delivery {
        self.deliveries.recv_timeout(Duration::from_secs(20)).expect("a delivery")
    }

    pub fn is_quiet(&self, time: Duration) -> bool {
        self.deliveries.recv_timeout(time).is_err()
    }
}

fn read(stream: &mut TcpStream) -> Option<Delivery> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut bytes = Vec::new();
    loop {
        let mut some = [0; 4096];
        let n = stream.read(&mut some).ok()?;
        bytes.extend_from_slice(&some[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let whole = text.split_once("\r\n\r\n").filter(|(head, body)| {
            let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            body.len() >= length.unwrap_or(0)
        });
        if let Some((head, body)) = whole {
            return Some(Delivery { head: head.to_owned(), body: body.to_owned() });
        }
        if n == 0 {
            return None;
        }
    }
}
