//! A proxy that adds a bearer token to requests to the daemon, for a client that cannot send one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Starts the proxy and returns its address. It runs as long as the test program.
pub fn before(daemon: &str, token: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (daemon, token) = (daemon.to_owned(), token.to_owned());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (daemon, token) = (daemon.clone(), token.clone());
            thread::spawn(move || pass(client, &daemon, &token));
        }
    });
    address
}

/// Forwards one request, and then the reply until either side ends it.
fn pass(client: TcpStream, daemon: &str, token: &str) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 || line == "\r\n" {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "connection" | "authorization" => continue,
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut upstream = TcpStream::connect(daemon).ok()?;
    upstream.write_all(format!("{head}Authorization: Bearer {token}\r\nConnection: close\r\n\r\n").as_bytes()).ok()?;
    upstream.write_all(&body).ok()?;
    // If the client disconnects, the daemon must see it.
    let (mut gone, upstream_end) = (client.try_clone().ok()?, upstream.try_clone().ok()?);
    thread::spawn(move || {
        let _ = gone.read(&mut [0]);
        let _ = upstream_end.shutdown(std::net::Shutdown::Both);
    });
    let _ = std::io::copy(&mut upstream, &mut &client);
    client.shutdown(std::net::Shutdown::Both).ok()
}
