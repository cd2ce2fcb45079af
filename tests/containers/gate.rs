//! A socket in front of the real runtime's. It passes requests on, or acts like a broken runtime.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::test_runtime::Folder;

/// What the gate does with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The request is executed and gets its reply.
    Pass,
    /// The reply is an error in the API's format.
    Error(u16),
    /// The reply is garbage. Nothing is executed.
    Garbage,
    /// The connection is closed without a reply. Nothing is executed.
    Close,
    /// There is no reply. Nothing is executed.
    Hang,
    /// The request waits until the rule changes, and then passes.
    Hold,
    /// The request is executed. The reply comes when the rule changes.
    Late,
    /// The request is executed. There is no reply.
    PassThenHang,
    /// The request is executed. The reply is garbage.
    PassThenGarbage,
}

type Rule = dyn Fn(&str) -> Fate + Send + Sync;

struct Shared {
    upstream: PathBuf,
    rule: Mutex<Arc<Rule>>,
    met: Mutex<Vec<(Fate, String)>>,
    changed: Condvar,
}

/// The gate. Its thread ends with the test's process, and its folder with this value.
pub struct Gate {
    folder: Folder,
    shared: Arc<Shared>,
}

/// Returns true for the request that puts a token into a container's configuration.
pub fn sets_token(request: &str) -> bool {
    request.starts_with("PATCH ") && request.contains("environment.TAOS_TOKEN")
}

impl Gate {
    /// Makes a gate that passes everything on to the socket behind it.
    pub fn before(upstream: &Path) -> Self {
        let folder = Folder::new();
        let listener = UnixListener::bind(folder.0.join("gate.sock")).expect("a socket");
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            rule: Mutex::new(Arc::new(|_: &str| Fate::Pass)),
            met: Mutex::default(),
            changed: Condvar::new(),
        });
        let to = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&to);
                // Some tests close one side during a request, so an error here is expected.
                thread::spawn(move || drop(serve(stream, &shared)));
            }
        });
        Self { folder, shared }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.0.join("gate.sock")
    }

    /// Sets the rule. It gets the method and the path, a line feed and the body.
    pub fn rule(&self, rule: impl Fn(&str) -> Fate + Send + Sync + 'static) {
        *self.shared.rule.lock().unwrap() = Arc::new(rule);
        self.shared.met.lock().unwrap().clear();
    }

    /// Lets everything pass from now on.
    pub fn open(&self) {
        self.rule(|_| Fate::Pass);
    }

    /// Waits until a request has met this fate since the rule was set.
    #[track_caller]
    pub fn wait_for(&self, fate: Fate) {
        let end = Instant::now() + Duration::from_secs(60);
        let mut met = self.shared.met.lock().unwrap();
        while !met.iter().any(|(f, _)| *f == fate) {
            let left = end
                .checked_duration_since(Instant::now())
                .unwrap_or_else(|| panic!("no request met {fate:?}: {met:?}"));
            met = self.shared.changed.wait_timeout(met, left).unwrap().0;
        }
    }
}

fn serve(client: UnixStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(client);
    let (head, body) = read_request(&mut reader)?;
    let first = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1");
    let request = format!("{first}\n{}", String::from_utf8_lossy(&body));
    let rule = Arc::clone(&shared.rule.lock().unwrap());
    let fate = rule(&request);
    let mut client = reader.into_inner();
    let met = || {
        shared.met.lock().unwrap().push((fate, request.clone()));
        shared.changed.notify_all();
    };
    match fate {
        Fate::Pass => {
            met();
            let upstream = forward(shared, &head, &body)?;
            splice(client, upstream)?;
        }
        Fate::Hold => {
            met();
            wait_for_change(shared, &rule);
            let upstream = forward(shared, &head, &body)?;
            splice(client, upstream)?;
        }
        Fate::Late => {
            let mut upstream = forward(shared, &head, &body)?;
            let mut answer = vec![0; 65_536];
            let length = upstream.read(&mut answer)?;
            met();
            wait_for_change(shared, &rule);
            client.write_all(&answer[..length])?;
            splice(client, upstream)?;
        }
        Fate::Error(status) => {
            met();
            let body = format!(r#"{{"type":"error","error_code":{status},"error":"on purpose"}}"#);
            write!(client, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
        }
        Fate::Garbage => {
            met();
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n???")?;
        }
        Fate::Close => met(),
        Fate::Hang => {
            met();
            wait_for_end(&mut client);
        }
        Fate::PassThenHang | Fate::PassThenGarbage => {
            let upstream = forward(shared, &head, &body)?;
            read_request(&mut BufReader::new(upstream))?;
            met();
            if fate == Fate::PassThenGarbage {
                return client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n???");
            }
            wait_for_end(&mut client);
        }
    }
    Ok(())
}

fn wait_for_change(shared: &Shared, rule: &Arc<Rule>) {
    while Arc::ptr_eq(rule, &shared.rule.lock().unwrap()) {
        thread::sleep(Duration::from_millis(10));
    }
}

/// Reads a head, and a body with a `Content-Length`. Reads replies too.
fn read_request(reader: &mut impl BufRead) -> std::io::Result<(String, Vec<u8>)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((head, body))
}

fn forward(shared: &Shared, head: &str, body: &[u8]) -> std::io::Result<UnixStream> {
    let mut upstream = UnixStream::connect(&shared.upstream)?;
    upstream.write_all(format!("{head}\r\n").as_bytes())?;
    upstream.write_all(body)?;
    Ok(upstream)
}

/// Copies bytes in both directions until either side closes.
fn splice(client: UnixStream, upstream: UnixStream) -> std::io::Result<()> {
    let (mut from, mut to) = (upstream.try_clone()?, client.try_clone()?);
    let back = thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut &client, &mut &upstream);
    let _ = upstream.shutdown(Shutdown::Both);
    let _ = back.join();
    Ok(())
}

fn wait_for_end(client: &mut UnixStream) {
    let _ = client.set_read_timeout(Some(Duration::from_secs(120)));
    let _ = client.read(&mut [0; 1]);
}
