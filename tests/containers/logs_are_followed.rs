//! A stream of a container's log has the earlier lines, then each new line. It ends with the container or the
//! credential.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::Host;
use crate::stream::Stream;
use crate::support::text;

on_both! { new_lines_come_as_they_are_written_and_the_stream_ends_with_the_agent }

fn new_lines_come_as_they_are_written_and_the_stream_ends_with_the_agent(host: Host) {
    let name = host.name("a");
    host.deploy(&name);
    let container = host.container(&name);
    host.whoami_inside(&container);
    let path = format!("/api/agents/{name}/logs?follow=true");
    let (mut one, mut two) =
        (Stream::open(&host, &host.daemon.operator(), &path), Stream::open(&host, &host.daemon.operator(), &path));
    one.until("bb has booted");
    two.until("bb has booted");
    for n in 1..=3 {
        host.inside(&container, &format!("echo tick-{n}-of-three >/dev/console"));
        let seen = one.until(&format!("tick-{n}-of-three"));
        assert!(!seen.contains("bb has booted"), "no line comes twice: {seen}");
        two.until(&format!("tick-{n}-of-three"));
    }
    host.archive(&name);
    one.until("event: end");
    two.until("event: end");
    assert!(one.ends() < Duration::from_secs(5));
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_stream_ends_with_its_credential_and_with_the_right_to_read() {
    let host = Host::rest();
    let name = host.name("a");
    let id = host.deploy(&name);
    host.whoami_inside(&host.container(&name));
    let path = format!("/api/agents/{name}/logs?follow=true&lines=1");
    let member = host.daemon.member("mia", &["*"]);
    let grant = host.daemon.grant("user:mia", &id, "viewer");
    let mut revoked = Stream::open(&host, &member, &path);
    revoked.until("event: line");
    let other = host.daemon.user_token("mia", &["*"]);
    let mut unseeing = Stream::open(&host, &other, &path);
    unseeing.until("event: line");
    let tokens = host.daemon.operator().get("/api/users/mia/tokens").expect(200).json();
    let path = format!("/api/users/mia/tokens/{}", text(&tokens[0], "id"));
    host.daemon.operator().delete(&path).expect(204);
    assert!(revoked.ends() < Duration::from_secs(8));
    host.daemon.operator().delete(&format!("/api/grants/{}", text(&grant, "id"))).expect(204);
    host.inside(&host.container(&name), "echo not-for-mia >/dev/console");
    let rest = unseeing.until("event: end");
    assert!(!rest.contains("not-for-mia"), "{rest}");
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_credential_holds_so_many_streams_and_no_more() {
    let host = Host::rest_with(&[("TAOSD_MAX_STREAMS_PER_CREDENTIAL", "1")]);
    let name = host.name("a");
    host.deploy(&name);
    let path = format!("/api/agents/{name}/logs?follow=true");
    let held = Stream::open(&host, &host.daemon.operator(), &path);
    host.daemon.operator().get(&path).expect_error(429, "too_many_streams");
    drop(held);
    host.daemon.record(&name);
    host.eventually("its place is free", || {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Stream::open(&host, &host.daemon.operator(), &path)))
            .is_ok()
    });
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn the_command_line_follows_a_log() {
    let host = Host::rest();
    let name = host.name("a");
    host.deploy(&name);
    let container = host.container(&name);
    host.whoami_inside(&container);
    let mut ctl = Command::new(env!("CARGO_BIN_EXE_taosctl"))
        .args(["agents", "logs", &name, "--follow", "--lines", "1"])
        .env("TAOS_URL", format!("http://{}", host.daemon.address))
        .env("TAOS_TOKEN", &host.daemon.token)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(ctl.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("bb has booted"));
    host.inside(&container, "echo a-new-line >/dev/console");
    assert_eq!(lines.next().unwrap().unwrap(), "a-new-line");
    ctl.kill().unwrap();
    ctl.wait().unwrap();
}
