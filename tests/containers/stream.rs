//! An event stream as a client sees it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::Host;
use crate::support::Client;

/// An open stream, read line by line.
pub struct Stream(BufReader<TcpStream>);

impl Stream {
    pub fn open(host: &Host, client: &Client, path: &str) -> Self {
        let mut stream = TcpStream::connect(&host.daemon.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let token = client.token();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        assert!(first.starts_with("HTTP/1.1 200"), "{first}");
        Self(reader)
    }

    /// Reads until a line contains this text. Returns everything read.
    #[track_caller]
    pub fn until(&mut self, wanted: &str) -> String {
        let (end, mut all) = (Instant::now() + Duration::from_secs(30), String::new());
        while Instant::now() < end {
            let mut line = String::new();
            let read = self.0.read_line(&mut line).unwrap_or_else(|e| panic!("{e}: no {wanted:?} in {all}"));
            assert!(read > 0, "it ended without {wanted:?}: {all}");
            all += &line;
            if line.contains(wanted) {
                return all;
            }
        }
        panic!("no {wanted:?} in {all}");
    }

    /// Waits for the end of the stream. Returns how long that took.
    #[track_caller]
    pub fn ends(mut self) -> Duration {
        let began = Instant::now();
        let mut line = String::new();
        while self.0.read_line(&mut line).expect("an end") > 0 {
            line.clear();
        }
        began.elapsed()
    }
}
