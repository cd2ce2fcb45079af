//! A client that sends exactly the given bytes and reads replies strictly.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The longest wait for a reply.
const PATIENCE: Duration = Duration::from_secs(15);

/// A parsed reply.
#[derive(Debug)]
pub struct Reply {
    pub version: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub fn closes(&self) -> bool {
        self.header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"))
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Returns the error's slug. Asserts that the whole envelope and the request id are there.
    pub fn error(&self) -> String {
        let body = self.json();
        for key in ["error", "detail", "fix", "doc_url"] {
            assert!(body[key].is_string(), "no {key} in {body}");
        }
        assert!(self.header("x-request-id").is_some(), "{self:?}");
        body["error"].as_str().unwrap().to_owned()
    }
}

trait Socket: Read + Write + Send {
    fn end(&self);
    fn patience(&self, time: Duration);
}

impl Socket for TcpStream {
    fn end(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
    fn patience(&self, time: Duration) {
        self.set_read_timeout(Some(time)).unwrap();
    }
}

impl Socket for UnixStream {
    fn end(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
    fn patience(&self, time: Duration) {
        self.set_read_timeout(Some(time)).unwrap();
    }
}

/// One connection.
pub struct Client {
    socket: Box<dyn Socket>,
    buffer: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        Self::over(Box::new(socket))
    }

    /// Connects from the address `from`.
    pub fn connect_from(from: SocketAddr, to: SocketAddr) -> Self {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
        // `CLOEXEC`, so that server processes of other scenarios do not inherit the socket.
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        bind(&socket, &from).unwrap();
        connect(&socket, &to).unwrap();
        let socket = TcpStream::from(socket);
        socket.set_nodelay(true).unwrap();
        Self::over(Box::new(socket))
    }

    pub fn unix(path: &std::path::Path) -> Self {
        Self::over(Box::new(UnixStream::connect(path).unwrap()))
    }

    fn over(socket: Box<dyn Socket>) -> Self {
        socket.patience(PATIENCE);
        Self { socket, buffer: Vec::new() }
    }

    /// Sends bytes. A server that has closed already is no failure here: its reply decides.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.socket.write_all(bytes.as_ref()).is_ok()
    }

    /// Closes the sending side.
    pub fn end(&mut self) {
        self.socket.end();
    }

    fn fill(&mut self) -> usize {
        let mut chunk = [0; 16 * 1024];
        match self.socket.read(&mut chunk) {
            Ok(n) => {
                self.buffer.extend_from_slice(&chunk[..n]);
                n
            }
            Err(e) if e.kind() == ErrorKind::ConnectionReset => 0,
            Err(e) => panic!("no reply: {e}; so far {:?}", String::from_utf8_lossy(&self.buffer)),
        }
    }

    fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = self.buffer.drain(..end + 4).collect();
                return Some(String::from_utf8(head).unwrap());
            }
            if self.fill() == 0 {
                assert!(self.buffer.is_empty(), "half a head: {:?}", String::from_utf8_lossy(&self.buffer));
                return None;
            }
        }
    }

    /// Returns the next reply, or `None` if the server closes instead.
    pub fn try_reply(&mut self) -> Option<Reply> {
        self.reply_to(false)
    }

    /// Returns the next reply.
    pub fn reply(&mut self) -> Reply {
        self.try_reply().expect("the server closed without a reply")
    }

    /// Returns the reply to a HEAD request.
    pub fn reply_to_head(&mut self) -> Reply {
        self.reply_to(true).expect("the server closed without a reply")
    }

    fn reply_to(&mut self, head_only: bool) -> Option<Reply> {
        let head = self.head()?;
        let mut lines = head.trim_end().split("\r\n");
        let mut status = lines.next().unwrap().splitn(3, ' ');
        let version = status.next().unwrap().to_owned();
        let status = status.next().unwrap().parse().unwrap();
        let headers = lines.map(|l| l.split_once(": ").unwrap()).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        let mut reply = Reply { version, status, headers, body: Vec::new() };
        if !head_only && status >= 200 && status != 204 {
            reply.body = self.body(&reply);
        }
        Some(reply)
    }

    fn body(&mut self, reply: &Reply) -> Vec<u8> {
        if reply.header("transfer-encoding").is_some() {
            let mut body = Vec::new();
            while let Some(chunk) = self.chunk() {
                body.extend(chunk);
            }
            return body;
        }
        let Some(length) = reply.header("content-length") else {
            while self.fill() > 0 {}
            return std::mem::take(&mut self.buffer);
        };
        let length: usize = length.parse().unwrap();
        while self.buffer.len() < length {
            assert!(self.fill() > 0, "the body ends early");
        }
        self.buffer.drain(..length).collect()
    }

    /// Returns the next chunk of a chunked body, or `None` at its end.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = loop {
            if let Some(end) = self.buffer.windows(2).position(|w| w == b"\r\n") {
                break self.buffer.drain(..end + 2).collect::<Vec<_>>();
            }
            if self.fill() == 0 {
                panic!("the chunked body ends early");
            }
        };
        let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        while self.buffer.len() < size + 2 {
            assert!(self.fill() > 0, "the chunk ends early");
        }
        let mut chunk: Vec<u8> = self.buffer.drain(..size + 2).collect();
        chunk.truncate(size);
        (size > 0).then_some(chunk)
    }

    /// Returns a head without its body, such as a stream's.
    pub fn stream_head(&mut self) -> String {
        self.head().expect("the server closed without a reply")
    }

    /// Asserts that the server soon closes without sending another byte.
    pub fn assert_closed(&mut self) {
        self.socket.patience(super::SOON);
        let n = self.fill();
        assert_eq!(n, 0, "more came: {:?}", String::from_utf8_lossy(&self.buffer));
        assert!(self.buffer.is_empty(), "more came: {:?}", String::from_utf8_lossy(&self.buffer));
        self.socket.patience(PATIENCE);
    }

    /// Asserts that the connection can be used again.
    pub fn assert_open(&mut self, target: &super::Target) {
        assert!(self.send(super::get_private(target)));
        let reply = self.reply();
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// Returns true if nothing arrives in this time.
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        self.socket.patience(time);
        let mut byte = [0];
        let silent = matches!(self.socket.read(&mut byte),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        self.socket.patience(PATIENCE);
        silent
    }
}
