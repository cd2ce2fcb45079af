//! A real daemon in a temporary directory, and a small HTTP client that returns replies unchanged.
//!
//! Every test starts its own `taosd` binary on a free port. A failing test prints the end of the daemon's log.

#![allow(dead_code, unused_imports, reason = "each test target uses its own part of this")]

mod actors;
mod ax_reply;
pub mod conformance;
mod db;
mod dice;
pub mod held;
pub mod python;
pub mod schema;
mod script;

pub use actors::text;
pub use ax_reply::AxReply;
pub use db::{Rows, is_audit};
pub use dice::Dice;
pub use script::{script, script_with};

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A directory that is deleted when this value is dropped.
pub struct TempDir(PathBuf);

impl TempDir {
    /// Creates a fresh directory. Its name is short because the paths of Unix sockets are limited.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("taosd-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running daemon.
pub struct Daemon {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// The operator's token.
    pub token: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    /// The data directory.
    pub data: PathBuf,
    /// The file that stderr is written to.
    pub log: PathBuf,
    dir: TempDir,
}

/// A reply.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// Returns the value of a header. The case of `name` does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("not JSON ({e}): {}", self.text()))
    }

    /// Fails unless the reply has this status. Returns the reply.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Fails unless this is the error `code` in the Agentex dialect. The client has checked the envelope already.
    #[track_caller]
    pub fn expect_agentex(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.json()["error"].as_str().unwrap_or("")), (status, code), "{}", self.text());
        self
    }

    /// Fails unless this is the error `code` with its whole envelope.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.json()["error"].as_str().unwrap_or("")), (status, code), "{}", self.text());
        for key in ["error", "detail", "fix", "doc_url"] {
            assert!(self.json()[key].is_string(), "{key} is missing in {}", self.text());
        }
        assert!(self.header("x-request-id").is_some());
        self
    }
}

/// The longest time that "at once" may take, however busy the machine is. It only distinguishes an event from a
/// timeout, a poll or a stall, which last at least twice as long. No test asserts a speed; `benches/` measure speed.
pub const SOON: Duration = Duration::from_secs(10);

/// Waits until `is_so` returns true, for at most 30 seconds.
#[track_caller]
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_secs(30), "{what}: not in time");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a command that must end by itself, and kills it after a minute. A daemon that starts although it must not would
/// run forever.
pub fn ended(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("it starts");
    let pid = child.id().to_string();
    let (done, end) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        let output = child.wait_with_output();
        let _ = done.send(());
        output
    });
    if end.recv_timeout(Duration::from_secs(60)).is_err() {
        let _ = Command::new("kill").args(["-KILL", &pid]).status();
    }
    waiting.join().expect("a thread").expect("its end")
}

impl Daemon {
    /// A daemon with defaults, on a free port.
    pub fn start() -> Self {
        Self::with(&[], &[])
    }

    /// A daemon with more arguments and environment.
    pub fn with(args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut daemon = Self::prepared(None, args, env);
        daemon.spawn();
        daemon
    }

    /// A daemon that is not started yet. Its data directory is `data`, or a temporary one.
    pub fn prepared(data: Option<&Path>, args: &[&str], env: &[(&str, &str)]) -> Self {
        let dir = TempDir::new();
        let mut child = Command::new("true").spawn().expect("a placeholder");
        let _ = child.wait();
        Self {
            child,
            address: String::new(),
            token: String::new(),
            args: args.iter().map(|a| (*a).to_owned()).collect(),
            env: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            log: dir.path().join("log"),
            data: data.map_or_else(|| dir.path().join("d"), Path::to_owned),
            dir,
        }
    }

    /// Starts the daemon, which must fail. Returns the exit code and the text on stderr.
    pub fn refused_start(&self) -> (Option<i32>, String) {
        let output = ended(&mut self.command());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!text.contains("panicked"), "{text}");
        (output.status.code(), text)
    }

    /// Runs `taosd check` on the data, which must succeed. Returns its output.
    #[track_caller]
    pub fn check(&self) -> String {
        self.offline("check", &[])
    }

    /// Runs a command of `taosd` on the data, with the daemon's environment. It must succeed. Returns its output.
    #[track_caller]
    pub fn offline(&self, verb: &str, args: &[&Path]) -> String {
        let output = self.program().arg(verb).arg("--data-dir").arg(&self.data).args(args).output().expect("taosd");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{verb}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    /// The command that starts this daemon.
    pub fn command(&self) -> Command {
        let mut command = self.program();
        command.arg("--data-dir").arg(&self.data).args(["--listen", "127.0.0.1:0"]).args(&self.args);
        // A test must not touch the containers of this machine unless it asks for them.
        if !self.args.iter().any(|arg| arg.starts_with("--containers") || arg == "--config") {
            command.args(["--containers", "none"]);
        }
        command
    }

    /// The program with this daemon's environment.
    fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taosd"));
        command.env_remove("STATE_DIRECTORY").env_remove("RUNTIME_DIRECTORY").env_remove("NOTIFY_SOCKET");
        // These variables are for the tests, not for the daemon.
        command.env_remove("TAOSD_MODEL_STEPS").env_remove("TAOSD_MODEL_SEED");
        command.envs(self.env.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        command
    }

    /// Starts the daemon on the same data. It must not be running.
    pub fn spawn(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(&self.log).expect("the log file");
        let mut child = self.command().stdout(Stdio::piped()).stderr(log).spawn().expect("taosd starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        stdout.read_line(&mut line).expect("the ready line");
        self.child = child;
        let address = line.strip_prefix("taosd listening on http://").and_then(|rest| rest.split(' ').next());
        self.address = address.unwrap_or_else(|| panic!("no ready line: {line:?}\n{}", self.log_text())).to_owned();
        self.token = fs::read_to_string(self.data.join("operator.token")).expect("operator.token").trim().to_owned();
        // Later output is discarded. It must be read, or the daemon would block.
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn socket(&self) -> PathBuf {
        self.data.join("taosd.sock")
    }

    pub fn database(&self) -> PathBuf {
        self.data.join("taosd.db")
    }

    pub fn log_text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends it a signal, such as `HUP`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.is_ok_and(|status| status.success()), "kill -{name}");
    }

    /// Kills it without warning.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // `faketime` shares these files with the children of a process, and removes them only when the process ends
        // normally.
        for what in ["faketime_shm", "sem.faketime_sem"] {
            let _ = std::fs::remove_file(format!("/dev/shm/{what}_{}", self.child.id()));
        }
    }

    /// Stops the daemon as systemd does. Returns its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        self.wait(Duration::from_secs(20))
    }

    /// Waits until the daemon has ended. Returns its exit code.
    pub fn wait(&mut self, at_most: Duration) -> Option<i32> {
        let end = Instant::now() + at_most;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("taosd did not end within {at_most:?}\n{}", self.log_text());
    }

    /// Stops it cleanly and starts it again.
    pub fn restart(&mut self) {
        assert_eq!(self.stop(), Some(0), "{}", self.log_text());
        self.spawn();
    }

    /// A client with the operator's token.
    pub fn operator(&self) -> Client {
        self.client(&self.token)
    }

    /// A client with the operator's token that sends to another address.
    pub fn at(&self, address: &str) -> Client {
        Client { to: To::Tcp(address.to_owned()), token: Some(self.token.clone()), headers: Vec::new() }
    }

    /// A client with any token.
    pub fn client(&self, token: &str) -> Client {
        Client { to: To::Tcp(self.address.clone()), token: Some(token.to_owned()), headers: Vec::new() }
    }

    /// A client without a credential.
    pub fn anonymous(&self) -> Client {
        Client { to: To::Tcp(self.address.clone()), token: None, headers: Vec::new() }
    }

    /// A client on the operator's Unix socket.
    pub fn on_socket(&self) -> Client {
        Client { to: To::Unix(self.socket()), token: None, headers: Vec::new() }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let text = self.log_text();
            let tail: Vec<&str> = text.lines().rev().take(40).collect();
            eprintln!("--- the daemon's log, newest line first ---\n{}", tail.join("\n"));
        }
    }
}

#[derive(Debug, Clone)]
enum To {
    Tcp(String),
    Unix(PathBuf),
}

/// Sends requests, one connection each.
#[derive(Debug, Clone)]
pub struct Client {
    to: To,
    token: Option<String>,
    headers: Vec<(String, String)>,
}

impl Client {
    /// The token that the client sends, or an empty text.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or("")
    }

    /// The same client with another token, or without one if `token` is empty.
    #[must_use]
    pub fn bearing(&self, token: &str) -> Self {
        Self { token: (!token.is_empty()).then(|| token.to_owned()), ..self.clone() }
    }

    /// The same client over another Unix socket.
    #[must_use]
    pub fn over(&self, socket: &Path) -> Self {
        Self { to: To::Unix(socket.to_owned()), ..self.clone() }
    }

    /// The same client, sending to another address, which need not be a daemon's.
    #[must_use]
    pub fn at(&self, address: &str) -> Self {
        Self { to: To::Tcp(address.to_owned()), ..self.clone() }
    }

    /// The same client, sending one more header.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.push((name.to_owned(), value.to_owned()));
        other
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None)
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, None)
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, Some(body.to_string().as_bytes()))
    }

    #[track_caller]
    pub fn put(&self, path: &str, body: Value) -> Reply {
        self.send("PUT", path, Some(body.to_string().as_bytes()))
    }

    #[track_caller]
    pub fn patch(&self, path: &str, body: Value) -> Reply {
        self.send("PATCH", path, Some(body.to_string().as_bytes()))
    }

    /// Sends a request. A body is JSON unless a header says otherwise. Checks what must hold for every reply.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, body: Option<&[u8]>) -> Reply {
        let reply = self.try_send(method, path, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        conformance::check(method, path, &reply);
        reply
    }

    /// Sends a request with an optional JSON body.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        self.send(method, path, body.map(|body| body.to_string().into_bytes()).as_deref())
    }

    /// Like [`Client::send`], for a daemon that may die during the request. Checks nothing.
    pub fn try_send(&self, method: &str, path: &str, body: Option<&[u8]>) -> std::io::Result<Reply> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        let named = |name: &str| self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if !named("host") {
            head += "Host: localhost\r\n";
        }
        if let Some(token) = &self.token {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(body) = body {
            if !named("content-type") {
                head += "Content-Type: application/json\r\n";
            }
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += "\r\n";
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body.unwrap_or_default());
        self.try_raw(&bytes)
    }

    /// Sends these bytes unchanged. The daemon must close the connection after the reply.
    #[track_caller]
    pub fn raw(&self, bytes: &[u8]) -> Reply {
        self.try_raw(bytes).expect("a reply")
    }

    fn try_raw(&self, bytes: &[u8]) -> std::io::Result<Reply> {
        let raw = match &self.to {
            To::Tcp(address) => exchange(TcpStream::connect(address)?, bytes)?,
            To::Unix(path) => exchange(UnixStream::connect(path)?, bytes)?,
        };
        parse(&raw).ok_or_else(|| std::io::Error::other(format!("no reply: {:?}", String::from_utf8_lossy(&raw))))
    }
}

fn exchange(mut stream: impl Read + Write, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(bytes)?;
    let (mut raw, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let n = stream.read(&mut chunk)?;
        raw.extend_from_slice(&chunk[..n]);
        // An event stream does not end, so the first bytes are the reply.
        if n == 0 || is_event_stream(&raw) {
            return Ok(raw);
        }
    }
}

fn is_event_stream(raw: &[u8]) -> bool {
    let Some(end) = raw.windows(4).position(|w| w == b"\r\n\r\n") else { return false };
    String::from_utf8_lossy(&raw[..end]).to_ascii_lowercase().contains("content-type: text/event-stream")
}

/// Parses a whole reply. Does not decode chunked bodies, because the daemon sends none.
pub fn parse(raw: &[u8]) -> Option<Reply> {
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&raw[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|l| l.split_once(':')).map(|(n, v)| (n.to_owned(), v.trim().to_owned())).collect();
    let mut reply = Reply { status, headers, body: raw[end + 4..].to_vec() };
    if status == 100 {
        reply = parse(&raw[end + 4..])?;
    }
    Some(reply)
}
