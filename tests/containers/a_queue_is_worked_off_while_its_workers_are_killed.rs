//! Two agents in two real containers, with no network except the box, process a queue and send messages about it. Both
//! are killed at random. Each task must be done once, and each message accounted for. The agents use `taosctl`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::Host;
use crate::support::{TempDir, text};
use crate::test_runtime::{self, soon};

const TASKS: usize = 200;
/// The shortest lease, in seconds, so that the task of a killed worker is soon free again.
const LEASE: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(400);

/// The main loop of a worker. It records the tasks that the daemon confirmed as done. A task that it was killed over
/// goes to the other worker.
const WORKER: &str = r#"#!/bin/busybox sh
export PATH=/bin HOME=/root
eval "$(busybox tr '\0' '\n' </proc/1/environ | busybox sed -n 's/^\(TAOS_[A-Z_]*=.*\)/export \1/p')"
while :; do
  taosctl --json tasks next --lease-seconds LEASE --wait 2 >/root/next 2>>/root/errors || { taosctl inbox >/dev/null 2>>/root/errors; continue; }
  set -- $(busybox sed -n 's/^{"task":{"id":"\([^"]*\)".*"fence":\([0-9]*\).*/\1 \2/p' /root/next)
  [ $# = 2 ] || continue
  taosctl send "@OTHER $1" --client-id "$1" >/dev/null 2>>/root/errors || continue
  echo "$1" >>/root/said
  taosctl tasks update "$1" --status done --fence "$2" >/dev/null 2>>/root/errors && echo "$1" >>/root/done
  taosctl inbox >/dev/null 2>>/root/errors
done
"#;

/// Pseudo-random numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

fn must(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Copies `taosctl`, the libraries that it is linked with and the worker's script into a container.
fn equip(host: &Host, name: &str, other: &str, work: &Path) {
    let container = host.container(name);
    let small = work.join("taosctl");
    must("strip", &["-o", small.to_str().unwrap(), env!("CARGO_BIN_EXE_taosctl")]);
    let script = work.join(format!("{name}.sh"));
    std::fs::write(&script, WORKER.replace("OTHER", other).replace("LEASE", &LEASE.to_string())).unwrap();
    let push = |from: &str, to: &str| {
        let to = format!("{container}{to}");
        must(test_runtime::client(), &["file", "push", "--create-dirs", "--mode", "0755", from, &to]);
    };
    push(small.to_str().unwrap(), "/bin/taosctl");
    push(script.to_str().unwrap(), "/root/worker");
    // Such as `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)`.
    for line in must("ldd", &[env!("CARGO_BIN_EXE_taosctl")]).lines() {
        let path = line.split_whitespace().find(|word| word.starts_with('/'));
        path.iter().for_each(|path| {
            let real = std::fs::canonicalize(path).unwrap();
            push(real.to_str().unwrap(), path);
        });
    }
}

fn begin(host: &Host, name: &str) {
    host.whoami_inside(&host.container(name));
    host.inside(&host.container(name), "busybox setsid busybox sh /root/worker </dev/null >/dev/null 2>&1 &");
}

/// Returns the lines that a worker has written in all its runs. Ignores lines that a kill has cut.
fn written(host: &Host, name: &str, file: &str) -> Vec<String> {
    let text = host.inside(&host.container(name), &format!("busybox cat /root/{file} 2>/dev/null"));
    text.lines().filter(|line| line.len() == 36).map(str::to_owned).collect()
}

fn open_tasks(host: &Host) -> i64 {
    host.daemon.number("SELECT count(*) FROM tasks WHERE finished_at IS NULL", [])
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn every_task_is_done_once_and_every_message_is_accounted_for() {
    let mut host = Host::rest_with(&[("TAOSD_REQUESTS_PER_MINUTE", "0")]);
    let work = TempDir::new();
    let names = [host.name("a"), host.name("b")];
    let ids: Vec<String> = names.iter().map(|name| host.deploy(name)).collect();
    for (name, other) in [(&names[0], &names[1]), (&names[1], &names[0])] {
        equip(&host, name, other, work.path());
    }
    let operator = host.daemon.operator();
    for n in 0..TASKS {
        operator.post("/api/v1/tasks", json!({"title": format!("t{n}"), "max_attempts": 100})).expect(201);
    }
    names.iter().for_each(|name| begin(&host, name));
    let (begun, mut dice, mut kills) = (Instant::now(), Dice(7), [0, 0, 0]);
    while open_tasks(&host) > 0 {
        assert!(
            begun.elapsed() < PATIENCE,
            "{} tasks are left; {}",
            open_tasks(&host),
            written(&host, &names[0], "errors").len()
        );
        std::thread::sleep(Duration::from_millis(1500 + dice.below(4000)));
        match dice.below(5) {
            // Sometimes the daemon itself is killed.
            0 => {
                host.daemon.kill();
                host.daemon.spawn();
                kills[2] += 1;
            }
            n => {
                let at = usize::try_from(n % 2).unwrap();
                let container = host.container(&names[at]);
                host.test_runtime.driver.stop(&container, Duration::ZERO, true, soon()).expect("killed");
                host.test_runtime.driver.start(&container, soon().into()).expect("started");
                begin(&host, &names[at]);
                kills[at] += 1;
            }
        }
    }
    println!("{TASKS} tasks in {:?}; killed {kills:?} (the two agents, the daemon)", begun.elapsed());
    assert!(kills[0] > 0 && kills[1] > 0, "{kills:?}");

    // Each task was done once: one change to `done`, confirmed to one worker.
    let once = "SELECT count(*) FROM (SELECT task FROM task_history WHERE field = 'status' AND to_value = 'done'
        GROUP BY task HAVING count(*) = 1)";
    assert_eq!(host.daemon.number(once, []), TASKS as i64);
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for name in &names {
        written(&host, name, "done").into_iter().for_each(|id| *told.entry(id).or_default() += 1);
    }
    assert!(told.values().all(|times| *times == 1), "done twice: {told:?}");
    assert!(told.len() > TASKS / 2, "{}", told.len());

    // Each message that was confirmed to a worker is stored once, even if the worker repeated it after its death.
    for (name, id) in names.iter().zip(&ids) {
        for task in written(&host, name, "said") {
            let sql = "SELECT count(*) FROM messages WHERE author = 'agent:' || ?1 AND content LIKE '%' || ?2";
            assert_eq!(host.daemon.number(sql, [id, &task]), 1, "{name} said {task}");
        }
    }
    // All messages end as read, because the workers keep reading.
    let unread = "SELECT count(*) FROM message_receipts WHERE state IN ('queued', 'fetched')";
    host.eventually("all are read", || host.daemon.number(unread, []) == 0);
    let messages: Value = host.daemon.operator().get("/api/v1/messages?limit=1").expect(200).json();
    let receipts = "SELECT count(*) FROM message_receipts";
    assert_eq!(host.daemon.number(receipts, []), messages["last_seq"].as_i64().unwrap());
    let path = format!("/api/v1/messages/{}/receipts", text(&messages["messages"][0], "id"));
    let receipt = host.daemon.operator().get(&path).expect(200).json();
    assert_eq!(receipt["receipts"][0]["state"], json!("read"), "{receipt}");
}
