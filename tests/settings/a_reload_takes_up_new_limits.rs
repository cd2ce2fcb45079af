//! SIGHUP: a limit in the file applies from the next request on, and the log names what needs a restart.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::settings::box_with_file::BoxWithFile;
use crate::settings::events::Events;

const WHOAMI: &str = "/api/auth/whoami";

#[test]
fn a_rate_holds_back_as_soon_as_it_is_set_and_no_longer() {
    let harness = BoxWithFile::start("");
    let used =
        |times: usize| -> Vec<u16> { (0..times).map(|_| harness.daemon.operator().get(WHOAMI).status).collect() };
    assert_eq!(used(8), [200; 8]);
    let log = harness.reload("requests_per_minute = 3\n");
    assert!(log.contains("requests_per_minute: 6000 → 3") && log.contains("reloaded, 1 changed"), "{log}");
    assert_eq!(used(2), [429, 429]);
    harness.reload("");
    assert_eq!(used(8), [200; 8]);
    assert!(harness.reload("").contains("reloaded, 0 changed"));
}

#[test]
fn limits_of_bodies_and_targets_hold_for_open_connections_too() {
    let harness = BoxWithFile::start("");
    let body = json!({"title": "a", "body": "x".repeat(5000)});
    harness.daemon.operator().post("/api/ui/notify", body.clone()).expect(200);
    let mut open = TcpStream::connect(&harness.daemon.address).unwrap();
    let mut ask = |target: &str| {
        open.write_all(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
        let mut reply = [0; 16 * 1024];
        let n = open.read(&mut reply).unwrap();
        String::from_utf8_lossy(&reply[..n]).split(' ').nth(1).unwrap_or("").to_owned()
    };
    let long = format!("/healthz?{}", "x".repeat(600));
    assert_eq!(ask(&long), "200");
    harness.reload("max_body_bytes = 4096\nmax_target_bytes = 512\n");
    harness.daemon.operator().post("/api/ui/notify", body).expect_error(413, "body_too_large");
    assert_eq!(ask("/healthz"), "200");
    assert_eq!(ask(&long), "414");
}

#[test]
fn times_hold_for_connections_opened_afterwards() {
    let harness = BoxWithFile::start("");
    harness.reload("head_timeout = 1\n");
    let (start, mut late) = (Instant::now(), TcpStream::connect(&harness.daemon.address).unwrap());
    late.write_all(b"GET /healthz HTTP/1.1\r\n").unwrap();
    let mut reply = String::new();
    late.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 408 ") && start.elapsed() < Duration::from_secs(8), "{reply}");
}

#[test]
fn streams_and_connections_are_counted_by_the_new_limits() {
    let harness = BoxWithFile::start("");
    let open = || Events::open(&harness.daemon.address, &harness.daemon.token, "/api/notifications/stream", &[]);
    let held = [open(), open()];
    harness.reload("max_streams_per_credential = 2\n");
    assert_eq!((held[1].status, open().status), (200, 429));
    harness.reload("max_streams = 2\n");
    assert_eq!(open().status, 503);
    // The two streams and this connection are three.
    harness.reload("max_connections_per_peer = 3\n");
    let third = TcpStream::connect(&harness.daemon.address).unwrap();
    let mut fourth = TcpStream::connect(&harness.daemon.address).unwrap();
    let mut reply = String::new();
    fourth.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 503 "), "{reply}");
    drop((third, held));
}

#[test]
fn connections_that_are_open_do_not_lower_how_many_fit() {
    let harness = BoxWithFile::start("");
    let pid = rustix::process::Pid::from_raw(harness.daemon.pid().try_into().unwrap());
    let few = rustix::process::Rlimit { current: Some(128), maximum: Some(128) };
    rustix::process::prlimit(pid, rustix::process::Resource::Nofile, few).unwrap();
    let fit = || -> u64 {
        let log = harness.reload("");
        let told = log.rsplit_once("max_connections is ").expect("128 are too few for all").1;
        told.split(' ').next().unwrap().parse().unwrap()
    };
    let before = fit();
    let held: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut open = TcpStream::connect(&harness.daemon.address).unwrap();
            open.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            assert!(open.read(&mut [0; 1024]).unwrap() > 0);
            open
        })
        .collect();
    let with_them = fit();
    drop(held);
    assert!(with_them.abs_diff(before) <= 4, "{before} before, {with_them} beside 40 connections");
}

#[test]
fn the_disk_space_that_must_be_free_is_looked_at_anew() {
    let harness = BoxWithFile::start("");
    harness.daemon.anonymous().get("/readyz").expect(200);
    harness.reload("min_free_bytes = 1000000000000\n");
    harness.daemon.anonymous().get("/readyz").expect_error(503, "not_ready");
    harness.reload("");
    harness.daemon.anonymous().get("/readyz").expect(200);
}

#[test]
fn what_needs_a_restart_is_named_each_time_and_the_rest_is_taken_up() {
    let harness = BoxWithFile::start("workers = 2\n");
    let text = "workers = 3\ncontainers_socket = '/run/x'\nstop_timeout = 1\nsocket = '/run/y/taosd.sock'\n";
    for changed in [1, 0] {
        let log = harness.reload(text);
        for key in ["workers: 2 → 3", "containers_socket: nothing → \"/run/x\"", "socket: "] {
            assert!(log.lines().any(|line| line.contains(key) && line.contains("needs a restart")), "{key}: {log}");
        }
        assert!(log.contains(&format!("reloaded, {changed} changed, 3 need a restart")), "{log}");
    }
    harness.daemon.on_socket().get(WHOAMI).expect(200);
}

#[test]
fn the_log_tells_more_or_less_from_then_on_and_the_audit_keeps_what_was_changed() {
    let harness = BoxWithFile::start("log = 'warn'\n");
    // With `log = 'warn'` the log does not show the end of a reload, so the test waits for the audit.
    std::fs::write(&harness.file, "log = 'info'\nallowed_hosts = ['box.lan']\n").unwrap();
    let pid = harness.daemon.pid().to_string();
    std::process::Command::new("kill").args(["-HUP", &pid]).status().unwrap();
    let rows = || harness.daemon.operator().get("/api/audit?action=settings.reload").json();
    let end = Instant::now() + Duration::from_secs(20);
    while rows().as_array().is_none_or(Vec::is_empty) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!harness.daemon.log_text().contains("allowed_hosts"));
    assert!(
        harness
            .reload("log = 'info'\n")
            .contains("INFO taosd::daemon::reload: reload: allowed_hosts: [\"box.lan\"] → []")
    );
    let row = rows()[0].clone();
    assert_eq!((&row["actor"], &row["outcome"]), (&json!("system"), &json!("ok")), "{row}");
    assert!(rows().to_string().contains("settings:allowed_hosts,log"), "{}", rows());
}
