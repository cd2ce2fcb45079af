//! Multipart forms as clients send them.

use crate::support::{Client, Reply};

pub const TYPE: &str = "multipart/form-data; boundary=the-boundary";

/// A field of a form.
pub fn field(name: &str, value: &str) -> Vec<u8> {
    format!("--the-boundary\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes()
}

/// A file of a form.
pub fn file(filename: &str, content_type: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "--the-boundary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{filename}\"\r\n\
        Content-Type: {content_type}\r\n\r\n"
    );
    [head.as_bytes(), content, b"\r\n"].concat()
}

/// A complete form of these parts.
pub fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), b"--the-boundary--\r\n".to_vec()].concat()
}

/// Uploads a form.
#[track_caller]
pub fn post(client: &Client, body: &[u8]) -> Reply {
    client.with("Content-Type", TYPE).send("POST", "/api/v1/uploads/", Some(body))
}

/// Uploads one file into the client's default space.
#[track_caller]
pub fn upload(client: &Client, filename: &str, content_type: &str, content: &[u8]) -> Reply {
    post(client, &form(&[file(filename, content_type, content)]))
}
