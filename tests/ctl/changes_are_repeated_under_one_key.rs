//! If a connection fails or a server is busy, a change is repeated twice, with the same idempotency key. What takes no
//! key is not repeated once the daemon may have carried it out.

use crate::fake::{Act, Fake};
use crate::run::Ctl;
use crate::support::Daemon;

const BUSY: &str = r#"{"error":"busy","detail":"d","fix":"f","doc_url":"u"}"#;
const USER: &str = r#"{"id":"1","username":"ann"}"#;

fn is_uuid(key: &str) -> bool {
    key.len() == 36 && key.bytes().filter(|b| *b == b'-').count() == 4 && &key[14..15] == "4"
}

#[test]
fn a_change_is_sent_three_times_with_the_same_key_and_body() {
    let fake = Fake::playing(vec![Act::Cut, Act::json_with(503, "Retry-After: 1\r\n", BUSY), Act::json(201, USER)]);
    let ctl = Ctl::bare().env("TAOS_URL", &fake.url);
    ctl.ok(&["users", "create", "--username", "ann"]);
    let seen = fake.seen();
    assert_eq!(seen.len(), 3);
    let key = seen[0].header("idempotency-key").unwrap();
    assert!(is_uuid(key), "{key}");
    assert!(seen.iter().all(|request| request.header("idempotency-key") == Some(key)));
    assert!(seen.iter().all(|request| request.line == "POST /api/users HTTP/1.1" && request.body == seen[0].body));
    ctl.ok(&["users", "create", "--username", "ann"]);
    assert_ne!(fake.seen()[3].header("idempotency-key"), Some(key));
}

#[test]
fn after_two_repeats_the_refusal_is_told() {
    let fake = Fake::playing(vec![Act::json(503, BUSY)]);
    let ctl = Ctl::bare().env("TAOS_URL", &fake.url);
    ctl.run(&["whoami"]).expect_error(1, "busy");
    assert_eq!(fake.seen().len(), 3);
    assert_eq!(fake.seen()[0].header("idempotency-key"), None);
    let cut = Fake::playing(vec![Act::Cut]);
    Ctl::bare().env("TAOS_URL", &cut.url).run(&["whoami"]).expect_error(3, "unreachable");
    assert_eq!(cut.seen().len(), 3);
}

#[test]
fn a_refusal_after_a_lost_answer_says_that_it_may_have_been_done() {
    let gone = r#"{"error":"agent_not_found","detail":"d","fix":"f","doc_url":"u"}"#;
    let fake = Fake::playing(vec![Act::Cut, Act::json(404, gone)]);
    let run = Ctl::bare().env("TAOS_URL", &fake.url).run(&["agents", "delete", "atlas", "--yes"]);
    assert!(run.expect_error(1, "agent_not_found").stderr.contains("may have carried it out"));
}

#[test]
fn a_secret_is_never_asked_for_twice() {
    let issued = r#"{"token":"taos_user_x","id":"2"}"#;
    let fake = Fake::playing(vec![Act::Cut, Act::json(201, issued)]);
    let run = Ctl::bare().env("TAOS_URL", &fake.url).run(&["tokens", "issue", "user:ann"]);
    assert!(run.expect_error(3, "unreachable").stderr.contains("may have carried it out"));
    assert_eq!(fake.seen().iter().filter(|request| request.line.starts_with("POST ")).count(), 1);
}

#[test]
fn other_refusals_are_not_repeated() {
    for status in [400, 401, 404, 409, 429, 500, 502] {
        let fake = Fake::playing(vec![Act::json(status, BUSY)]);
        let run = Ctl::bare().env("TAOS_URL", &fake.url).run(&["users", "create", "--username", "ann"]);
        run.expect_error(if status == 401 { 2 } else { 1 }, "busy");
        assert_eq!(fake.seen().len(), 1, "{status}");
    }
}

#[test]
fn a_named_key_makes_running_twice_one_change() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let args = ["agents", "create", "--name", "Atlas", "--idempotency-key", "deploy-7"];
    let (first, second) = (ctl.json(&args), ctl.json(&args));
    assert_eq!(first, second);
    assert_eq!(ctl.ok(&["agents", "list"]).lines().count(), 2);
    let other = ["agents", "create", "--name", "Other", "--idempotency-key", "deploy-7"];
    ctl.run(&other).expect_error(1, "idempotency_key_reused");
}

#[test]
fn a_daemon_that_restarts_meanwhile_is_waited_for() {
    let mut daemon = Daemon::start();
    let socket = format!("unix:{}", daemon.socket().display());
    let ctl = Ctl::bare();
    assert_eq!(daemon.stop(), Some(0));
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(|| ctl.run(&["--url", &socket, "agents", "create", "--name", "Atlas"]));
        std::thread::sleep(std::time::Duration::from_millis(100));
        daemon.spawn();
        run.join().unwrap()
    });
    assert_eq!(run.expect(0).field("name"), "atlas");
}
