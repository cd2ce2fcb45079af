//! A request that is admitted and whose last byte is held back.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::{Client, Daemon, Reply, parse};

/// An admitted request without the last byte of its body.
pub struct Held {
    socket: TcpStream,
    last: u8,
}

/// The reply to a request that was refused by its head, or the request once the daemon asks for its body: it has been
/// admitted by then.
#[track_caller]
pub fn hold(daemon: &Daemon, client: &Client, method: &str, path: &str, body: &Value) -> Result<Held, Reply> {
    let mut socket = TcpStream::connect(&daemon.address).expect("a connection");
    let (body, token) = (body.to_string().into_bytes(), client.token());
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).expect("the head is sent");
    let (mut raw, mut byte) = (Vec::new(), [0]);
    while !raw.ends_with(b"\r\n\r\n") && socket.read(&mut byte).expect("a reply") > 0 {
        raw.push(byte[0]);
    }
    if !raw.starts_with(b"HTTP/1.1 100") {
        socket.read_to_end(&mut raw).expect("the rest of the reply");
        return Err(parse(&raw).expect("a reply"));
    }
    let (last, first) = body.split_last().expect("a body");
    socket.write_all(first).expect("the body is sent");
    Ok(Held { socket, last: *last })
}

impl Held {
    /// Sends the last byte. Returns the reply.
    #[track_caller]
    pub fn end(mut self) -> Reply {
        self.socket.write_all(&[self.last]).expect("the last byte is sent");
        let mut raw = Vec::new();
        self.socket.read_to_end(&mut raw).expect("a reply");
        parse(&raw).expect("a reply")
    }
}
