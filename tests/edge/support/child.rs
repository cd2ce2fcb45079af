//! A server in its own process, for what exists once per process: memory, descriptors, the log.
//!
//! The process is this test binary, which runs only the test below with its settings in the environment.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::process::{Resource, Rlimit, setrlimit};
use taosd::http::edge::{self, Listeners};
use taosd::limits::Limits;

use super::{App, Client, Reply, Target, get_private};

const SETTINGS: &str = "EDGE_TEST_SERVER";

/// A server process. It is killed on drop.
pub struct Process {
    child: Child,
    log: Option<JoinHandle<String>>,
    pub target: Target,
}

impl Process {
    /// Starts a process. `settings` are separated by commas: limits as `key=value`, `nofile=N` (descriptors before the
    /// start) or `spare=N` (descriptors left once it runs).
    pub fn start(settings: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "support::child::a_server_process", "--nocapture"])
            .env(SETTINGS, settings)
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Read continuously, because a full pipe would stop the server.
        let mut stderr = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            let _ = stderr.read_to_string(&mut log);
            log
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address: SocketAddr = loop {
            let line = lines.next().expect("the server process ended").unwrap();
            if let Some((_, address)) = line.split_once("listening on ") {
                break address.parse().unwrap();
            }
        };
        Self { child, log: Some(log), target: Target::at(address) }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.target.address)
    }

    pub fn once(&self, request: impl AsRef<[u8]>) -> Reply {
        let mut client = self.connect();
        client.send(request);
        client.reply()
    }

    pub fn assert_well(&self) {
        assert_eq!(self.once(get_private(&self.target)).status, 200);
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }

    /// Returns the memory in KiB: now (`VmRSS`) or the peak so far (`VmHWM`).
    pub fn memory(&self, what: &str) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|l| l.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Returns the processor time so far, in seconds.
    pub fn cpu(&self) -> f64 {
        let stat = self.proc("stat");
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        ticks as f64 / 100.0
    }

    /// Ends the process and returns its log.
    pub fn log(mut self) -> String {
        drop(self.child.stdin.take());
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server process itself. Does nothing in a normal run of the tests.
#[test]
fn a_server_process() {
    let Ok(settings) = std::env::var(SETTINGS) else { return };
    taosd::daemon::logger::init();
    let mut limits = Limits::default();
    let mut spare = None;
    for setting in settings.split(',').filter(|s| !s.is_empty()) {
        let (key, value) = setting.split_once('=').unwrap();
        let value: u64 = value.parse().unwrap();
        if key == "nofile" {
            setrlimit(Resource::Nofile, Rlimit { current: Some(value), maximum: Some(value) }).unwrap();
        } else if key == "spare" {
            spare = Some(value);
        } else {
            limits.set(key, value).unwrap().unwrap();
        }
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let listeners = Listeners { tcp: vec![listener], ..Listeners::default() };
    let running = edge::start(Arc::new(App::new(&limits)), limits, listeners).unwrap();
    if let Some(spare) = spare {
        let limit = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1 + spare;
        setrlimit(Resource::Nofile, Rlimit { current: Some(limit), maximum: Some(limit) }).unwrap();
    }
    println!("listening on {address}");
    // Runs until the parent closes stdin.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    running.handle().cut();
    running.join();
}
