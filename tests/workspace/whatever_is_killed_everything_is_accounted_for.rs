//! The daemon, senders, readers and workers are killed at any moment, round after round. Every acknowledged message
//! ends fetched, read or reported overdue, and a follower gets each once. Every task has at most one holder, and no
//! fence is accepted twice. `TAOSD_TEST_KILL_ROUNDS=1000` makes it long.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, Daemon, text};
use crate::workspace::harness::{Actor, agent, member};

const ROUNDS: u64 = 50;
const SENDERS: usize = 2;
const WORKERS: usize = 2;
/// One of this many messages expects a reply that never comes.
const EXPECTS: usize = 5;

/// Pseudo-random numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// What the clients know for certain, over all rounds.
#[derive(Default)]
struct Known {
    /// The acknowledged messages: the client id of each, and the id that the daemon gave it.
    sent: Mutex<BTreeMap<String, String>>,
    /// The ids of those that expect a reply.
    expecting: Mutex<BTreeSet<String>>,
    /// The sequence numbers that the follower got, in order.
    followed: Mutex<Vec<i64>>,
    /// How often each fence of each task was given. `done`: how often it was accepted as done.
    claims: Mutex<BTreeMap<(String, i64), u32>>,
    done: Mutex<BTreeMap<(String, i64), u32>>,
}

/// What is killed in a round.
#[derive(Clone, Copy)]
struct Round {
    number: u64,
    kills_daemon: bool,
    /// The number of requests after which a client dies while it sends the next one.
    dies_after: u64,
}

/// Sends a request and closes the connection without waiting for the reply.
fn die_with(client: &Client, address: &str, method: &str, path: &str, body: &Value) {
    let body = body.to_string();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
        Content-Length: {}\r\n\r\n{body}",
        client.token(),
        body.len()
    );
    if let Ok(mut stream) = TcpStream::connect(address) {
        let _ = stream.write_all(request.as_bytes());
    }
}

fn send(client: &Client, address: &str, sender: usize, round: Round, stop: &AtomicBool, known: &Known) {
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("{}-{sender}-{n}", round.number);
        let mut body = json!({"content": format!("@robot {name}"), "client_id": name});
        if n % EXPECTS == 0 {
            body["expects_reply_by"] = json!(1);
        }
        if n as u64 == round.dies_after {
            return die_with(client, address, "POST", "/api/v1/messages", &body);
        }
        match client.try_send("POST", "/api/v1/messages", Some(body.to_string().as_bytes())) {
            Ok(reply) if reply.status == 200 => {
                let id = text(&reply.json()["message"], "id");
                if n % EXPECTS == 0 {
                    known.expecting.lock().unwrap().insert(id.clone());
                }
                known.sent.lock().unwrap().insert(name, id);
            }
            _ => return,
        }
    }
}

/// Follows the space from the last event on, until `stop` cuts it off at any point.
fn follow(token: &str, address: &str, space: &str, stop: &AtomicBool, known: &Known) -> std::io::Result<()> {
    let last = known.followed.lock().unwrap().last().copied().unwrap_or(0);
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
    let head = format!(
        "GET /api/v1/sse/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
        Last-Event-ID: {space}.{last}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let (mut raw, mut chunk) = (String::new(), [0; 4096]);
    while !stop.load(Ordering::Relaxed) {
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(n) => raw.push_str(&String::from_utf8_lossy(&chunk[..n])),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        // An event counts once it has come completely. The length of its chunk is on a separate line.
        while let Some(end) = raw.find("\n\n") {
            let block: String = raw.drain(..end + 2).collect();
            let id = block.lines().find_map(|line| line.strip_prefix("id: "));
            let seq: Option<i64> = id.and_then(|id| id.rsplit('.').next()).and_then(|seq| seq.parse().ok());
            known.followed.lock().unwrap().extend(seq);
        }
    }
    Ok(())
}

fn work(client: &Client, address: &str, round: Round, stop: &AtomicBool, known: &Known) {
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let next = json!({"lease_seconds": 600});
        if n == round.dies_after {
            return die_with(client, address, "POST", "/api/v1/tasks/next", &next);
        }
        let Ok(reply) = client.try_send("POST", "/api/v1/tasks/next", Some(next.to_string().as_bytes())) else {
            return;
        };
        if reply.status != 200 {
            return;
        }
        let given = reply.json();
        let (Some(id), Some(fence)) = (given["task"]["id"].as_str(), given["lease"]["fence"].as_i64()) else { return };
        *known.claims.lock().unwrap().entry((id.to_owned(), fence)).or_default() += 1;
        let (path, done) = (format!("/api/v1/tasks/{id}"), json!({"status": "done", "fence": fence}));
        if n + 1 == round.dies_after {
            return die_with(client, address, "PATCH", &path, &done);
        }
        if client.try_send("PATCH", &path, Some(done.to_string().as_bytes())).is_ok_and(|reply| reply.status == 200) {
            *known.done.lock().unwrap().entry((id.to_owned(), fence)).or_default() += 1;
        }
        // The same fence must not be accepted a second time.
        if client.try_send("PATCH", &path, Some(done.to_string().as_bytes())).is_ok_and(|reply| reply.status == 200) {
            *known.done.lock().unwrap().entry((id.to_owned(), fence)).or_default() += 1;
        }
    }
}

/// Runs one round, in which the clients die and, if the round says so, the daemon is killed.
fn run(daemon: &mut Daemon, ann: &Actor, robot: &Actor, round: Round, dice: &mut Dice, known: &Known) {
    let (stop, address) = (AtomicBool::new(false), daemon.address.clone());
    let (sender, worker) = (daemon.client(ann.client.token()), daemon.client(robot.client.token()));
    for n in 0..3 {
        let _ = sender.try_send(
            "POST",
            "/api/v1/tasks",
            Some(json!({"title": format!("{}-{n}", round.number), "max_attempts": 100}).to_string().as_bytes()),
        );
    }
    std::thread::scope(|scope| {
        for n in 0..SENDERS {
            let (sender, address, stop) = (&sender, &address, &stop);
            scope.spawn(move || send(sender, address, n, round, stop, known));
        }
        for _ in 0..WORKERS {
            let (worker, address, stop) = (&worker, &address, &stop);
            scope.spawn(move || work(worker, address, round, stop, known));
        }
        // The follower is cut off and comes back, like a reader that crashes.
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                if follow(robot.client.token(), &address, &ann.space, &stop, known).is_err() {
                    return;
                }
            }
        });
        std::thread::sleep(Duration::from_millis(15 + dice.below(90)));
        if round.kills_daemon {
            daemon.kill();
        }
        stop.store(true, Ordering::Relaxed);
    });
    if round.kills_daemon {
        // The leases of dead workers end meanwhile.
        daemon.execute("UPDATE tasks SET lease_until = 1 WHERE holder IS NOT NULL", []);
        daemon.spawn();
    }
}

#[test]
fn every_message_and_every_task_is_accounted_for() {
    let rounds = std::env::var("TAOSD_TEST_KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(ROUNDS);
    let env = [
        ("TAOSD_REQUESTS_PER_MINUTE", "0"),
        ("TAOSD_WRITE_ROWS_PER_HOUR", "0"),
        ("TAOSD_WORKSPACE_AGENT_ROWS_PER_DAY", "100000000"),
        ("TAOSD_WORKSPACE_MESSAGES_PER_SPACE", "10000000"),
        ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0"),
    ];
    let mut daemon = Daemon::with(&[], &env);
    let ann = member(&daemon, "ann");
    let robot = agent(&daemon, &ann, "robot");
    let (known, mut dice) = (Known::default(), Dice(11));
    for number in 0..rounds {
        let round = Round { number, kills_daemon: dice.below(3) > 0, dies_after: 1 + dice.below(12) };
        run(&mut daemon, &ann, &robot, round, &mut dice, &known);
    }
    // At the end the follower reads all remaining events, and a worker finishes all remaining tasks.
    daemon.kill();
    daemon.execute("UPDATE tasks SET lease_until = 1 WHERE holder IS NOT NULL", []);
    daemon.spawn();
    let last: i64 = daemon.number("SELECT coalesce(max(seq), 0) FROM messages", []);
    let worker = daemon.client(robot.client.token());
    let end = Instant::now() + Duration::from_secs(60);
    let never = AtomicBool::new(false);
    let calm = Round { number: rounds, kills_daemon: false, dies_after: u64::MAX };
    while daemon.number("SELECT count(*) FROM tasks WHERE finished_at IS NULL", []) > 0 {
        assert!(Instant::now() < end, "tasks are left");
        work(&worker, &daemon.address, calm, &never, &known);
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::scope(|scope| {
        scope.spawn(|| follow(robot.client.token(), &daemon.address, &ann.space, &never, &known));
        while known.followed.lock().unwrap().last().copied().unwrap_or(0) < last {
            assert!(Instant::now() < end, "the follower does not come to the end");
            std::thread::sleep(Duration::from_millis(20));
        }
        never.store(true, Ordering::Relaxed);
    });
    worker.post("/api/v1/messages/mark-all-read", json!({})).expect(200);
    let messages = judge_messages(&daemon, &daemon.client(ann.client.token()), &known, last);
    let (claims, done) = judge_tasks(&daemon, &known);
    println!("{rounds} rounds: {messages} messages, {claims} claims, {done} tasks done");
    assert_eq!(daemon.stop(), Some(0));
    daemon.check();
}

fn judge_messages(daemon: &Daemon, ann: &Client, known: &Known, last: i64) -> usize {
    let sent = known.sent.lock().unwrap();
    for (name, id) in &*sent {
        let there = "SELECT count(*) FROM messages WHERE id = ?1 AND content = ?2";
        assert_eq!(daemon.number(there, [id, &format!("@robot {name}")]), 1, "{name} was acknowledged");
        assert_eq!(
            daemon.number("SELECT count(*) FROM messages WHERE content = ?1", [format!("@robot {name}")]),
            1,
            "{name}"
        );
    }
    let followed = known.followed.lock().unwrap();
    let of_storm: Vec<i64> = followed.iter().copied().filter(|seq| *seq <= last).collect();
    assert_eq!(of_storm, (1..=last).collect::<Vec<_>>(), "the follower got each once and in order");
    // A receipt that became fetched right before a crash may be queued afterwards. But reading the message is kept.
    for id in sent.values() {
        let receipts = ann.get(&format!("/api/v1/messages/{id}/receipts")).expect(200).json();
        assert_eq!(receipts["receipts"][0]["state"], json!("read"), "{id}: {receipts}");
    }
    for id in &*known.expecting.lock().unwrap() {
        let told = "SELECT count(*) FROM notifications WHERE message LIKE '%' || ?1 || '%'";
        let end = Instant::now() + Duration::from_secs(10);
        while daemon.number(told, [id]) == 0 {
            assert!(Instant::now() < end, "{id} was never reported overdue");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(daemon.number(told, [id]), 1, "{id} was reported twice");
    }
    sent.len()
}

fn judge_tasks(daemon: &Daemon, known: &Known) -> (usize, usize) {
    let (claims, done) = (known.claims.lock().unwrap(), known.done.lock().unwrap());
    assert!(claims.values().all(|times| *times == 1), "a fence was given twice");
    assert!(done.values().all(|times| *times == 1), "a fence was accepted twice: {done:?}");
    let tasks: BTreeSet<&String> = done.keys().map(|(task, _)| task).collect();
    assert_eq!(tasks.len(), done.len(), "a task was done under two fences");
    let twice = "SELECT count(*) FROM (SELECT task FROM task_history WHERE field = 'status' AND to_value = 'done'
        GROUP BY task HAVING count(*) > 1)";
    assert_eq!(daemon.number(twice, []), 0, "done twice");
    assert_eq!(daemon.number("SELECT count(*) FROM tasks WHERE status <> 'done' OR holder IS NOT NULL", []), 0);
    (claims.len(), done.len())
}
