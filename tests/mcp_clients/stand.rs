//! A server for the suite's fixtures: minimal HTTP around the daemon's own protocol layer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use serde_json::Value;
use taosd::fuzzing::mcp::{McpAnswer, ResultBody, answer};
use taosd::rest::reply::{Body, Reply};

use super::fixture::{Fixture, Streamed};

/// The pause between two notifications.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves the fixtures as long as the test program runs. Returns the URL.
pub fn open() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || serve(client));
        }
    });
    url
}

fn serve(client: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (method, headers) = head(&mut reader)?;
    let length = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut to = client;
    if !is_local(&headers) {
        return write(&mut to, 403, "", b"");
    }
    if method != "POST" {
        return write(&mut to, 405, "Allow: POST\r\n", b"");
    }
    match answer(&Fixture, &headers, &body) {
        McpAnswer::Reply(reply) => whole(&mut to, &reply),
        McpAnswer::Work(streamed, era, id) => {
            let begin = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
            to.write_all(begin.as_bytes()).ok()?;
            let Streamed { notices, end } = streamed;
            for notice in notices {
                event(&mut to, &notice.to_string())?;
                thread::sleep(PAUSE);
            }
            match end {
                Some(end) => event(&mut to, &result(end, era, &id)),
                // A subscription lasts until its client disconnects.
                None => reader.read(&mut [0]).ok().map(|_| ()),
            }
        }
    }
}

fn result(end: ResultBody, era: taosd::fuzzing::mcp::Era, id: &Value) -> String {
    match end.reply(era, id).body {
        Body::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Body::Stream(_) | Body::Pulled(_) => String::new(),
    }
}

fn head(reader: &mut impl BufRead) -> Option<(String, HeaderMap)> {
    let (mut first, mut headers) = (String::new(), HeaderMap::new());
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 || line == "\r\n" {
            return Some((first.split(' ').next()?.to_owned(), headers));
        }
        let (name, value) = line.split_once(':')?;
        headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value.trim()).ok()?);
    }
}

/// Returns false for a request from a page of another site, which the daemon's edge refuses too.
fn is_local(headers: &HeaderMap) -> bool {
    let is_own = |text: &str| {
        let host = text.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(text, |(host, _)| host);
        ["localhost", "127.0.0.1", "[::1]"].contains(&host)
    };
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("?"));
    text(HOST).is_some_and(is_own) && text(ORIGIN).is_none_or(|origin| is_own(origin.trim_start_matches("http://")))
}

fn whole(to: &mut TcpStream, reply: &Reply) -> Option<()> {
    let headers = reply.headers.iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap_or("")));
    let Body::Bytes(bytes) = &reply.body else { return None };
    write(to, reply.status.as_u16(), &headers.collect::<String>(), bytes)
}

fn write(to: &mut TcpStream, status: u16, headers: &str, body: &[u8]) -> Option<()> {
    let length = body.len();
    to.write_all(
        format!("HTTP/1.1 {status} -\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n").as_bytes(),
    )
    .ok()?;
    to.write_all(body).ok()
}

fn event(to: &mut TcpStream, data: &str) -> Option<()> {
    to.write_all(format!("event: message\ndata: {data}\n\n").as_bytes()).ok()
}
