//! Measures the latency of whoami while other clients load the box as much as it can bear.
//!
//! `cargo bench --bench tails`. One connection sends `GET /api/auth/whoami` all the time. Beside it run in turn:
//! nothing; 40 clients that search as one agent; 40 that list agents; 4 that put documents; 32 that issue tokens. Each
//! of these storms also runs beside bare hyper, which shows the cost of waiting for a processor alone. Target: p99 of
//! whoami at most 5 ms.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;
use support::daemon::{Client, Daemon};
use support::hello::{Hello, serve_if_asked};
use support::{crowd, load, percentile, quiet_daemon, request};

const ROUND: Duration = Duration::from_secs(4);
const AGENTS: u32 = 100_000;
const DOCUMENTS: u32 = 20_000;
const TARGET_MS: f64 = 5.0;

/// Sends one request of a storm. The arguments are the number of the client and of its requests so far. Returns whether
/// the request was served.
type Ask = Arc<dyn Fn(u64, u64) -> bool + Send + Sync>;

fn main() {
    if serve_if_asked() {
        return;
    }
    let mut daemon = quiet_daemon();
    let storms = prepare(&daemon);
    daemon.restart();
    let hello = Hello::start(247);
    let theirs = [request("GET", "/", &daemon.token, "")];
    let ours = [request("GET", "/api/auth/whoami", daemon.agent_token("asker", &[]).token(), "")];
    println!("whoami on one connection, {ROUND:?} a round, {AGENTS} agents, {DOCUMENTS} documents; milliseconds");
    println!(
        "{:<34} {:>9} {:>7} {:>7} {:>7} {:>9} {:>9}",
        "beside", "served/s", "p50", "p99", "worst", "hyper p99", "target"
    );
    for (name, clients, ask) in storms(&daemon) {
        let storm = Storm::start(clients, &ask);
        std::thread::sleep(ROUND / 8);
        let (_, bare) = load(&hello.address, &theirs, ROUND);
        let asked = storm.asked();
        let (_, times) = load(&daemon.address, &ours, ROUND);
        let rate = (storm.asked() - asked) as f64 / ROUND.as_secs_f64();
        storm.end();
        let p99 = percentile(&times, 0.99);
        println!(
            "{name:<34} {rate:>9.0} {:>7.2} {p99:>7.2} {:>7.2} {:>9.2} {TARGET_MS:>9.1}{}",
            percentile(&times, 0.5),
            percentile(&times, 1.0),
            percentile(&bare, 0.99),
            if p99 <= TARGET_MS { "" } else { "  MISSED" }
        );
    }
}

/// Fills the box. Returns a function that makes the storms for the restarted daemon: name, clients, request.
fn prepare(daemon: &Daemon) -> impl FnOnce(&Daemon) -> Vec<(&'static str, u64, Ask)> + use<> {
    daemon.agent("asker");
    daemon.agent("hostile");
    crowd::make(daemon, AGENTS);
    crowd::documents(daemon, DOCUMENTS);
    |daemon: &Daemon| {
        let hostile = daemon.agent_token("hostile", &["agents.read", "knowledge.read", "knowledge.write"]);
        let operator = daemon.operator();
        let (searcher, lister, writer) = (hostile.clone(), operator.clone(), hostile);
        let issuer = operator;
        vec![
            ("nothing", 0, Arc::new(|_, _| true) as Ask),
            (
                "40 agents' searches",
                40,
                Arc::new(move |who, n| {
                    served(
                        &searcher,
                        "GET",
                        &format!("/api/knowledge/search?q=words+of+s*&limit={}", 1 + (who * 7 + n) % 100),
                        "",
                    )
                }),
            ),
            (
                "40 lists of agents, made anew",
                40,
                Arc::new(move |who, n| {
                    served(&lister, "GET", &format!("/api/agents?limit={}", 400 + (who * 7 + n) % 100), "")
                }),
            ),
            (
                "4 agents' documents taken in",
                4,
                Arc::new(move |who, n| {
                    let words: String = (0..4000).map(|word| format!("w{who}y{n}z{word} ")).collect();
                    let body = json!({"items": [{"path": "one", "content": words}]}).to_string();
                    let path = format!("/api/knowledge/sources/hostile.{}", (who * 5 + n) % 20);
                    served(&writer, "PUT", &path, &body)
                }),
            ),
            (
                "32 issues of tokens",
                32,
                Arc::new(move |who, _| {
                    served(&issuer, "POST", &format!("/api/agents/made-{}/token/issue", who + 1), "{}")
                }),
            ),
        ]
    }
}

fn served(client: &Client, method: &str, path: &str, body: &str) -> bool {
    let body = (!body.is_empty()).then_some(body.as_bytes());
    client.try_send(method, path, body).is_ok_and(|reply| reply.status < 300)
}

/// Clients that send requests until [`Storm::end`].
struct Storm {
    over: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    clients: Vec<JoinHandle<()>>,
}

impl Storm {
    fn start(clients: u64, ask: &Ask) -> Self {
        let (over, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = |who| {
            let (over, asked, ask) = (Arc::clone(&over), Arc::clone(&asked), Arc::clone(ask));
            std::thread::spawn(move || {
                for n in 0.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    asked.fetch_add(u64::from(ask(who, n)), Ordering::Relaxed);
                }
            })
        };
        Self { clients: (0..clients).map(client).collect(), over, asked }
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        self.clients.into_iter().for_each(|client| client.join().expect("a client"));
    }
}
