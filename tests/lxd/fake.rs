//! A server on a Unix socket with good and bad replies, as the test sets.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::test_runtime::Folder;

/// The reply to one request.
#[derive(Clone)]
pub enum Answer {
    /// A reply with this status and body.
    Body(u16, String),
    /// These bytes, and then the end of the connection.
    Raw(Vec<u8>),
    /// A good beginning, and then a byte now and then, without end.
    Drip,
    /// No reply, for longer than any deadline in these tests.
    Hang,
}

impl Answer {
    /// A good reply in the API's own form.
    pub fn sync(metadata: &str) -> Self {
        Self::Body(200, format!(r#"{{"type":"sync","status_code":200,"metadata":{metadata}}}"#))
    }

    /// A reply that starts an operation.
    pub fn operation() -> Self {
        Self::Body(202, r#"{"type":"async","operation":"/1.0/operations/ab-12","metadata":{}}"#.to_owned())
    }

    /// Incus's reply to a wait for an operation that has failed or takes longer. Incus has already sent the status 200
    /// before it knows.
    pub fn late_error(code: u16, message: &str) -> Self {
        Self::Body(200, format!(r#"{{"type":"error","error_code":{code},"error":"{message}"}}"#))
    }

    pub fn error(status: u16, message: &str) -> Self {
        Self::Body(status, format!(r#"{{"type":"error","error_code":{status},"error":"{message}"}}"#))
    }
}

/// The server. It ends with the test's process.
pub struct Fake {
    folder: Folder,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// Takes each reply from `answer`, which gets the request line without the version, such as `GET /1.0`.
    pub fn new(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::reading(move |line, _| answer(line))
    }

    /// Like [`Fake::new`], for an `answer` that gets the request's body too.
    pub fn reading(answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> Self {
        let folder = Folder::new();
        let listener = UnixListener::bind(folder.0.join("api.sock")).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answer, log) = (Arc::new(answer), Arc::clone(&requests));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                thread::spawn(move || serve(stream, &log, &*answer));
            }
        });
        Self { folder, requests }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.0.join("api.sock")
    }

    /// The complete requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Reads one request and answers it. A request that a killed client left half sent gets no answer.
pub fn serve(stream: impl Read + Write, log: &Mutex<Vec<String>>, answer: &dyn Fn(&str, &str) -> Answer) {
    let mut reader = BufReader::new(stream);
    let Some((head, body)) = request(&mut reader) else { return };
    log.lock().unwrap().push(format!("{head}\r\n{body}"));
    let first = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1");
    let mut stream = reader.into_inner();
    // The client may have gone, as some tests intend.
    let _ = match answer(first, &body) {
        Answer::Body(status, body) => {
            write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nETag: \"e1\"\r\n\r\n{body}", body.len())
        }
        Answer::Raw(bytes) => stream.write_all(&bytes),
        Answer::Drip => {
            let begun =
                write!(stream, "HTTP/1.1 200 X\r\nContent-Length: 900000\r\n\r\n").and_then(|()| stream.flush());
            begun.and_then(|()| {
                (0..600).try_for_each(|_| {
                    thread::sleep(Duration::from_millis(50));
                    stream.write_all(b" ").and_then(|()| stream.flush())
                })
            })
        }
        Answer::Hang => {
            thread::sleep(Duration::from_secs(30));
            Ok(())
        }
    };
    let _ = stream.flush();
}

/// The head and the body of one request; `None` if the connection ends first.
fn request(reader: &mut impl BufRead) -> Option<(String, String)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line == "\r\n" {
            break;
        }
        if !line.ends_with('\n') {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8_lossy(&body).into_owned()))
}
