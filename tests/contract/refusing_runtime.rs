//! A container runtime that has no containers and refuses every action. It shows how routes handle refusals. A working
//! runtime is tested in `tests/containers`.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Serves on this socket until the test's process ends. If `lists` is true, it can list its (zero) containers.
pub fn serve(socket: &Path, lists: bool) {
    let listener = UnixListener::bind(socket).expect("a socket");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream, lists));
        }
    });
}

/// Replies to one request. The daemon may have closed the connection meanwhile.
fn answer(stream: UnixStream, lists: bool) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut line, mut length) = (String::new(), String::new(), 0);
    while reader.read_line(&mut line).is_ok_and(|read| read > 0) && line != "\r\n" {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        head += &std::mem::take(&mut line);
    }
    let _ = reader.read_exact(&mut vec![0; length]);
    let (status, body) = match head.split(' ').nth(1) {
        Some("/1.0") => (200, r#"{"type":"sync","metadata":{"environment":{"server_version":"5.0"}}}"#),
        Some(path) if lists && path.starts_with("/1.0/instances?") => (200, r#"{"type":"sync","metadata":[]}"#),
        Some("/1.0/images/aliases") => (200, r#"{"type":"sync","metadata":["/1.0/images/aliases/bb"]}"#),
        Some("/1.0/images/aliases/no%2Dsuch%2Dimage") => {
            (404, r#"{"type":"error","error_code":404,"error":"not found"}"#)
        }
        _ => (500, r#"{"type":"error","error_code":500,"error":"out of order"}"#),
    };
    let reply = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let _ = reader.into_inner().write_all(reply.as_bytes());
}
