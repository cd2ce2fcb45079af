//! How the cost of a list grows from 10 agents to 1,000,000: the database is generated, the requests are real.
//!
//! `cargo bench --bench scale -- 10 1000 100000 1000000` (these sizes are the default). It measures the latency on one
//! connection in milliseconds; a request with a query has a filter that no earlier one had, so that no reply is reused.
//! Then it measures what the box costs while idle, and how long it takes to stop. `-- documents` measures search and
//! system prompt with 100,000 documents (targets 10 ms and 20 MiB).

mod support;

use std::time::{Duration, Instant};

use rusqlite::params;
use serde_json::json;
use support::daemon::{Client, Daemon};
use support::{cpu_seconds, crowd, median, proc_number, quiet_daemon};

const ASKED: usize = 40;
const DOCUMENTS: u32 = 100_000;
/// Seconds that are measured one by one. In some of them the daemon copies the database after the earlier changes.
const IDLE_SECONDS: usize = 30;

fn main() {
    if std::env::args().any(|arg| arg == "documents") {
        return documents();
    }
    let sizes: Vec<u32> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![10, 1000, 100_000, 1_000_000] } else { sizes };
    println!("milliseconds to the first page, median of {ASKED}");
    println!(
        "{:>9} {:>9} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11}",
        "agents", "itself", "few grants", "many grants", "admin", "its keys", "audit/who", "audit/what"
    );
    for size in sizes {
        let mut daemon = quiet_daemon();
        let fixture = Fixture::make(&daemon, size);
        daemon.restart();
        fixture.measure(&daemon, size);
        if size >= 100_000 {
            at_rest(&mut daemon);
        }
    }
}

/// Measures the processor time of an idle box of this size, and how long it takes to stop.
fn at_rest(daemon: &mut Daemon) {
    let second = || {
        let before = cpu_seconds(daemon.pid());
        std::thread::sleep(Duration::from_secs(1));
        (cpu_seconds(daemon.pid()) - before) * 1000.0
    };
    let a_second = median(&(0..IDLE_SECONDS).map(|_| second()).collect::<Vec<_>>());
    let bytes = std::fs::metadata(daemon.database()).expect("the database").len() as f64 / 1e9;
    let begun = Instant::now();
    assert_eq!(daemon.stop(), Some(0));
    let stop = begun.elapsed().as_secs_f64();
    println!("          idle: {a_second:.2} ms of processor a second; stop with {bytes:.1} GB: {stop:.1} s");
}

fn documents() {
    let mut daemon = quiet_daemon();
    daemon.agent("reader");
    crowd::documents(&daemon, DOCUMENTS);
    daemon.restart();
    let reader = daemon.agent_token("reader", &["knowledge.read"]);
    println!("{DOCUMENTS} documents, milliseconds, median of {ASKED}; memory in MiB");
    for (name, path) in [
        ("search for words that all have", "/api/knowledge/search?q=some+words&"),
        ("search for a word that one has", "/api/knowledge/search?q=77777&"),
        ("items", "/api/knowledge/items?"),
    ] {
        println!("{name:<44} {:>8.2}", first_page(&reader, path));
    }
    let before = proc_number(daemon.pid(), "status", "VmHWM:");
    let times: Vec<f64> = (0..ASKED)
        .map(|number| {
            let begun = Instant::now();
            let path = format!("/api/knowledge/system-prompt?max_bytes={}", 60_000 + number);
            reader.try_send("GET", &path, None).expect("a reply").expect(200);
            begun.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    let grown = (proc_number(daemon.pid(), "status", "VmHWM:") - before) as f64 / 1024.0;
    println!("{:<44} {:>8.2}; the most memory grew by {grown:.1}", "system prompt", median(&times));
}

struct Fixture {
    agent: String,
    few: String,
    many: String,
}

impl Fixture {
    /// Creates `size` agents, each with a token and five audit rows, a member with three grants, and a member with
    /// grants on a tenth of all agents.
    fn make(daemon: &Daemon, size: u32) -> Self {
        let operator = daemon.operator();
        operator.post("/api/agents", json!({"name": "itself"})).expect(200);
        let issued = operator.post("/api/agents/itself/token/issue", json!({})).expect(200).json();
        let (few, many) = (daemon.member("few", &["*"]), daemon.member("many", &["*"]));
        crowd::make(daemon, size);
        let conn = daemon.db();
        let grant = "INSERT INTO grants (id, principal_user_id, agent_id, role, granted_by, granted_at)
            SELECT ?1 || a.id, u.id, a.id, 'viewer', 'user:operator', a.created_at FROM agents a, users u
            WHERE u.username = ?1 AND a.slug GLOB 'made-*' AND a.created_at % ?2 = 0";
        conn.execute(grant, params!["few", (size / 3).max(1)]).expect("grants");
        conn.execute(grant, params!["many", 10]).expect("grants");
        let agent = issued["token"].as_str().expect("a token").to_owned();
        Self { agent, few: few.token().to_owned(), many: many.token().to_owned() }
    }

    fn measure(&self, daemon: &Daemon, size: u32) {
        let operator = daemon.operator();
        let as_ = |token: &str| daemon.client(token);
        let figures = [
            first_page(&as_(&self.agent), "/api/agents?"),
            first_page(&as_(&self.few), "/api/agents?"),
            first_page(&as_(&self.many), "/api/agents?"),
            first_page(&operator, "/api/agents?"),
            first_page(&as_(&self.few), "/credentials"),
            first_page(&operator, &format!("/api/audit?actor=agent:{}&", size / 2)),
            first_page(&operator, &format!("/api/audit?resource=agent:{}&", size / 2)),
        ];
        print!("{size:>9}");
        figures.iter().enumerate().for_each(|(at, ms)| print!(" {ms:>w$.2}", w = if at == 0 { 9 } else { 11 }));
        println!();
    }
}

/// Returns the median time of several requests in milliseconds. A path with a query gets another `limit` each time, so
/// that no reply is reused.
fn first_page(client: &Client, path: &str) -> f64 {
    let mut took: Vec<f64> = (0..ASKED)
        .map(|number| {
            let begun = Instant::now();
            let limit = if path.contains('?') { format!("limit={}", 100 + number) } else { String::new() };
            client.try_send("GET", &format!("{path}{limit}"), None).expect("a reply").expect(200);
            begun.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    took.sort_by(f64::total_cmp);
    took[took.len() / 2]
}
