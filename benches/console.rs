//! Measures the processor time and the memory of console pages: `cargo bench --bench console -- 1000 100000`. The
//! arguments are numbers of agents; these are the defaults. One connection requests each page anew, because nothing
//! caches pages.

mod support;

use std::time::Duration;

use serde_json::json;
use support::daemon::Daemon;
use support::{crowd, measured, percentile, proc_number, quiet_daemon};

const PAGES: &[&str] = &[
    "/ui/",
    "/ui/agents",
    "/ui/agents?q=made-7",
    "/ui/agents?status=registered",
    "/ui/agents/made-7",
    "/ui/agents/made-7?tab=access",
    "/ui/agents/made-7?tab=activity",
    "/ui/requests",
    "/ui/inbox",
    "/ui/spaces",
    "/ui/spaces/operator",
    "/ui/spaces/operator?tab=tasks",
    "/ui/spaces/operator?tab=members",
    "/ui/knowledge",
    "/ui/knowledge?q=token",
    "/ui/operations",
    "/ui/people",
    "/ui/audit",
    "/ui/box",
    "/ui/find?q=made-7",
];
/// API requests for the data that those pages show.
const ROUTES: &[&str] = &[
    "/api/agents?limit=50",
    "/api/agents?limit=50&q=made-7",
    "/api/agents?limit=50&status=registered",
    "/api/agents?limit=500",
    "/api/agents/made-7",
    "/api/agents/made-7/token",
    "/api/agents/made-7/calls",
    "/api/agents/made-7/tripwires",
    "/api/operations?agent=made-7&limit=25",
    "/api/operations?limit=50",
    "/api/grants?limit=100",
    "/api/notifications?limit=100",
    "/api/notifications?unread_only=true&limit=100",
    "/api/notifications/count",
    "/api/audit?limit=100",
    "/api/audit/head",
    "/api/audit/verification?rows=200",
    "/api/knowledge/items?limit=40",
    "/api/knowledge/search?limit=40&q=token",
    "/api/credentials/expiring?within_days=7&limit=20",
    "/api/users?limit=50",
    "/api/requests?state=pending&limit=21",
    "/api/requests?limit=50",
    "/api/v1/spaces",
    "/api/v1/messages?limit=40",
    "/api/v1/tasks?limit=30",
    "/api/status",
    "/api/backups",
    "/metrics",
];
/// Requests between the two readings of the memory.
const ROUNDS: usize = 1000;

fn main() {
    let sizes: Vec<u32> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    for size in if sizes.is_empty() { vec![1000, 100_000] } else { sizes } {
        let mut daemon = quiet_daemon();
        crowd::make(&daemon, size);
        daemon.restart();
        measure(&daemon, size);
        memory(&mut daemon, size);
    }
}

/// A request for a page, with the cookie of a session.
fn page(cookie: &str, path: &str) -> Vec<u8> {
    let head = "Host: localhost\r\nAccept: text/html\r\nAccept-Encoding: gzip\r\nCookie: ";
    format!("GET {path} HTTP/1.1\r\n{head}{cookie}\r\n\r\n").into_bytes()
}

fn cookie(daemon: &Daemon) -> String {
    let opened = daemon.anonymous().post("/api/sessions", json!({"token": daemon.token})).expect(200);
    let cookie = opened.header("set-cookie").expect("a cookie");
    cookie.split(';').next().expect("a value").to_owned()
}

fn measure(daemon: &Daemon, size: u32) {
    let (cookie, address) = (cookie(daemon), daemon.address.clone());
    println!("{size} agents: milliseconds of the daemon's processor a page, and until its reply (median, p99)");
    for path in PAGES {
        let request = [page(&cookie, path)];
        let (_, latencies, micros) = measured(&address, &request, daemon.pid(), Duration::from_secs(2));
        let (median, p99) = (percentile(&latencies, 0.5), percentile(&latencies, 0.99));
        println!("{path:<34} {:>6.2} {median:>6.2} {p99:>6.2}", micros / 1000.0);
    }
}

/// Compares the resident memory after pages with that after as many API requests. Run it with `MALLOC_ARENA_MAX=1`, as
/// the systemd unit sets it.
fn memory(daemon: &mut Daemon, size: u32) {
    let held = |daemon: &mut Daemon, paths: &[&str]| {
        daemon.restart();
        let client = daemon.anonymous().with("Cookie", &cookie(daemon)).with("Accept-Encoding", "gzip");
        client.get("/api/auth/whoami").expect(200);
        let before = proc_number(daemon.pid(), "status", "VmRSS:");
        paths.iter().cycle().take(ROUNDS).for_each(|path| drop(client.get(path).expect(200)));
        (before, proc_number(daemon.pid(), "status", "VmRSS:"))
    };
    for (what, paths) in [("requests of the API", ROUTES), ("pages", PAGES)] {
        let (before, after) = held(daemon, paths);
        println!("{size} agents, resident before and after {ROUNDS} {what}: {before} and {after} KiB");
    }
}
