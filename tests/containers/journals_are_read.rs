//! If systemd runs in a container, the agent's log is the journal, which the container's own `journalctl` reads. A
//! container whose programs lie, hang or never stop harms no one else.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::Host;
use crate::stream::Stream;
use crate::support::{Reply, text};
use crate::test_runtime::TestRuntime;

on_both! { a_journal_is_the_log_where_systemd_runs_and_its_container_harms_nobody_by_it }

/// Both stories use one container, because it takes seconds to make.
fn a_journal_is_the_log_where_systemd_runs_and_its_container_harms_nobody_by_it(host: Host) {
    let (name, other) = (host.name("a"), host.name("b"));
    deploy(&host, &name);
    host.deploy(&other);
    a_journal_is_the_log(&host, &name, &other);
    programs_inside_that_lie_hang_or_never_stop_harm_nobody(&host, &name, &other);
}

/// Deploys an agent with systemd in its container and waits until its journal can be read.
fn deploy(host: &Host, name: &str) {
    let image = TestRuntime::systemd_image();
    host.deploy_with(name, json!({"image": image.as_str()})).expect(200);
    host.eventually("systemd has begun", || {
        let reply = host.daemon.operator().get(&format!("/api/agents/{name}/logs"));
        // While the container boots on a busy machine, a reading may exceed its time limit.
        reply.status == 200
            && reply.json()["source"] == "journal"
            && text(&reply.json(), "logs").contains("systemd[1]: ")
    });
}

fn run(host: &Host, name: &str, script: &str) {
    let output = host.test_runtime.exec(&host.container(name), &["/bin/sh", "-c", script]);
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

fn taosctl(host: &Host, name: &str, flag: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taosctl"));
    command.args(["agents", "logs", name, flag]);
    command.env("TAOS_URL", format!("http://{}", host.daemon.address)).env("TAOS_TOKEN", &host.daemon.token);
    command
}

/// Waits for a log with this text, and returns it. The daemon refuses readings for a moment after one that hung.
#[track_caller]
fn log_with(host: &Host, path: &str, wanted: &str) -> Value {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let reply = host.daemon.operator().get(path);
        if reply.status == 200 && text(&reply.json(), "logs").contains(wanted) {
            return reply.json();
        }
        assert!(Instant::now() < end, "no {wanted} in {}", reply.text());
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn a_journal_is_the_log(host: &Host, name: &str, plain: &str) {
    let path = format!("/api/agents/{name}/logs");
    run(host, name, "printf 'one \\033[31mred\\n' | systemd-cat -t agent; echo last-but-one | systemd-cat -t agent");
    let log = log_with(host, &path, "last-but-one");
    let lines = text(&log, "logs");
    assert_eq!((&log["source"], &log["name"]), (&json!("journal"), &json!(name)));
    assert_eq!(log["lines"], json!(lines.lines().count()));
    assert!(!lines.contains('\u{1b}'), "no terminal escape is left");
    let told = lines.lines().find(|line| line.contains("last-but-one")).unwrap();
    assert!(told.contains("+0000 agent[") && told.ends_with("]: last-but-one"), "{told}");
    let one = host.daemon.operator().get(&format!("{path}?lines=1&source=journal")).expect(200).json();
    assert_eq!((&one["lines"], &one["truncated"]), (&json!(1), &json!(true)));
    let console = host.daemon.operator().get(&format!("{path}?source=console")).expect(200).json();
    assert_eq!(console["source"], "console");
    assert!(!text(&console, "logs").contains("last-but-one"));

    let mut follower = Stream::open(host, &host.daemon.operator(), &format!("{path}?follow=true&lines=2"));
    follower.until("event: line");
    let mut ctl = taosctl(host, name, "--follow").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(ctl.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    run(host, name, "echo comes-later | systemd-cat -t agent");
    let seen = follower.until("comes-later");
    assert_eq!(seen.matches("comes-later").count(), 1);
    assert!(lines.any(|line| line.unwrap().ends_with("]: comes-later")));
    ctl.kill().unwrap();
    ctl.wait().unwrap();
    let told = taosctl(host, name, "--source=journal").output().unwrap();
    assert!(String::from_utf8_lossy(&told.stdout).contains("]: comes-later\n"));

    let refused = format!("/api/agents/{plain}/logs?source=journal");
    host.daemon.operator().get(&refused).expect_error(409, "no_journal");
    Stream::open(host, &host.daemon.operator(), &format!("{refused}&follow=true")).until("event: end");
    let console = host.daemon.operator().get(&format!("/api/agents/{plain}/logs")).expect(200).json();
    assert_eq!(console["source"], "console");

    host.act(&format!("/api/agents/{name}/pause")).expect(200);
    host.daemon.operator().get(&format!("{path}?source=journal")).expect_error(409, "no_journal");
    host.act(&format!("/api/agents/{name}/resume")).expect(200);
    log_with(host, &path, "comes-later");
    drop(follower);
}

#[track_caller]
fn is_told_why(reply: Reply) {
    let told = reply.expect_error(502, "container_failed").json();
    assert_eq!(told["detail"], "The container's own journalctl did not end in time.");
}

fn programs_inside_that_lie_hang_or_never_stop_harm_nobody(host: &Host, name: &str, other: &str) {
    let path = format!("/api/agents/{name}/logs");
    let instead = |script: &str| {
        let script = format!("printf '#!/bin/sh\\n{script}\\n' >/usr/local/bin/journalctl");
        run(host, name, &format!("{script}; chmod 755 /usr/local/bin/journalctl"));
    };
    instead("yes lies without end | head -c 30000000");
    let log = host.daemon.operator().get(&format!("{path}?lines=2000")).expect(200).json();
    assert_eq!((&log["lines"], &log["truncated"]), (&json!(2000), &json!(true)));
    instead("head -c 3000000 /dev/zero | tr \"\\\\\\\\0\" x");
    let log = host.daemon.operator().get(&path).expect(200).json();
    assert_eq!((&log["lines"], &log["truncated"]), (&json!(0), &json!(true)), "one line longer than the bound");

    // A link in place of a written file leads only to a place inside the container.
    let secret = host.daemon.data.join("operator.token");
    run(host, name, &format!("rm -f /run/taosd-journal; ln -s {} /run/taosd-journal", secret.display()));
    instead("echo from-inside");
    let reply = host.daemon.operator().get(&format!("{path}?source=journal"));
    assert!(reply.status == 502 || text(&reply.json(), "logs").contains("from-inside"), "{}", reply.text());
    assert_eq!(std::fs::read_to_string(&secret).unwrap().trim(), host.daemon.token);
    run(host, name, "rm -f /run/taosd-journal");

    instead("exec sleep 600");
    let wished = format!("{path}?source=journal");
    std::thread::scope(|scope| {
        let hangs = scope.spawn(|| {
            let began = Instant::now();
            let reply = host.daemon.operator().get(&wished);
            (reply, began.elapsed())
        });
        // Meanwhile other requests get replies, and operations continue.
        host.daemon.operator().get(&format!("/api/agents/{other}/logs")).expect(200);
        host.act(&format!("/api/agents/{other}/restart")).expect(200);
        let (reply, took) = hangs.join().expect("a reply");
        is_told_why(reply);
        assert!((9..25).contains(&took.as_secs()), "{took:?}");
    });
    let console = host.daemon.operator().get(&path).expect(200).json();
    assert_eq!(console["source"], "console", "a journal that hangs does not hide the console");
    if host.test_runtime.is_classic() {
        assert_eq!(host.inside_count(name, "sleep 600"), 0, "it went with the call");
    } else {
        let began = Instant::now();
        is_told_why(host.daemon.operator().get(&wished));
        assert!(began.elapsed() < Duration::from_secs(9), "no second command is begun while the first hangs");
        assert_eq!(host.inside_count(name, "sleep 600"), 1);
        run(host, name, "kill $(pgrep -f '[s]leep 600')");
    }
    run(host, name, "rm /usr/local/bin/journalctl");
    log_with(host, &path, "systemd[1]: ");
}
