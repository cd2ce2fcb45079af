//! `POST /api/backups` starts an operation, which makes a file and a file with its hash. The daemon keeps at most
//! seven.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::json;

use crate::backups::run::good;
use crate::support::{Daemon, text};

#[test]
fn nine_make_seven_and_the_list_tells_them_newest_first() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    let made: Vec<_> = (0..9).map(|_| operator.post("/api/backups?wait=30", json!({})).expect(200).json()).collect();
    let listed = operator.get("/api/backups").expect(200).json();
    let newest: Vec<_> = made.iter().rev().take(7).cloned().collect();
    assert_eq!(listed, json!(newest));
    let dir = daemon.data.join("backup");
    for backup in &newest {
        let file = dir.join(text(backup, "file"));
        assert_eq!(fs::metadata(&file).expect("a backup").permissions().mode() & 0o777, 0o600);
        let beside = fs::read_to_string(file.with_extension("db.b3")).expect("its hash");
        assert_eq!(beside, format!("{}  {}\n", text(backup, "blake3"), text(backup, "file")));
        good(&daemon, "check", &[&file]);
    }
    let left = fs::read_dir(&dir).expect("the directory").count();
    assert_eq!(left, 14, "seven files and their hashes");
    assert_eq!(fs::metadata(&dir).expect("the directory").permissions().mode() & 0o777, 0o700);
}

#[test]
fn the_promise_is_an_operation_that_says_what_came_of_it() {
    let daemon = Daemon::start();
    let promised = daemon.operator().post("/api/backups", json!({})).expect(202);
    let place = promised.header("location").expect("the operation's place").to_owned();
    let ended = daemon.operator().get(&format!("{place}?wait=30")).expect(200).json();
    assert_eq!((ended["kind"].as_str(), ended["status"].as_str()), (Some("backup"), Some("succeeded")));
    assert_eq!(daemon.operator().get("/api/backups").expect(200).json()[0], ended["result"]);
}

#[test]
fn a_repeat_under_the_same_key_makes_no_second_one() {
    let daemon = Daemon::start();
    let keyed = daemon.operator().with("Idempotency-Key", "before-the-change");
    let first = keyed.post("/api/backups?wait=30", json!({})).expect(200);
    let again = keyed.post("/api/backups?wait=30", json!({})).expect(200);
    assert_eq!((again.header("idempotent-replayed"), again.json()), (Some("true"), first.json()));
    assert_eq!(daemon.operator().get("/api/backups").expect(200).json().as_array().map(Vec::len), Some(1));
}

#[test]
fn only_admins_make_see_and_download_them() {
    let daemon = Daemon::start();
    let ann = daemon.member("ann", &["*"]);
    ann.post("/api/backups", json!({})).expect_error(403, "forbidden");
    ann.get("/api/backups").expect_error(403, "forbidden");
    let made = daemon.operator().post("/api/backups?wait=30", json!({})).expect(200).json();
    let path = format!("/api/backups/{}", text(&made, "file"));
    ann.get(&path).expect_error(403, "forbidden");
    daemon.anonymous().get(&path).expect_error(401, "auth_required");
    assert_eq!(blake3::hash(&daemon.operator().get(&path).expect(200).body).to_hex().as_str(), text(&made, "blake3"));
    let seen = daemon.operator().get("/api/audit?action=backups.download").expect(200).json();
    assert_eq!(seen[0]["resource"], format!("backup:{}", text(&made, "file")), "whoever takes a copy is on record");
}

#[test]
fn what_a_kill_in_the_middle_leaves_is_tidied_away_and_its_operation_ends() {
    let mut daemon = Daemon::start();
    let dir = daemon.data.join("backup");
    for _ in 0..5 {
        daemon.operator().post("/api/backups", json!({})).expect(202);
    }
    daemon.kill();
    // The state that an interrupted backup leaves, whatever the daemon had done before the kill.
    fs::create_dir_all(&dir).expect("the directory");
    let parts = [dir.join(".taosd.db.1.0.part"), daemon.data.join(".taosd.db.1.0.part-journal")];
    parts.iter().for_each(|part| fs::write(part, b"half").expect("a part"));
    daemon.spawn();
    crate::backups::run::wait_until("no parts", || !parts.iter().any(|part| part.exists()));
    crate::backups::run::wait_until("every operation has its end", || {
        let rows = daemon.operator().get("/api/operations?kind=backup").expect(200).json();
        rows.as_array().expect("rows").iter().all(|row| !row["finished_at"].is_null())
    });
    let listed = daemon.operator().get("/api/backups").expect(200).json();
    for backup in listed.as_array().expect("backups") {
        good(&daemon, "check", &[&dir.join(text(backup, "file"))]);
    }
}

#[test]
fn no_plain_secret_is_in_a_backup() {
    let daemon = Daemon::start();
    daemon.agent("atlas");
    let token = text(&daemon.operator().post("/api/agents/atlas/token/issue", json!({})).expect(200).json(), "token");
    let made = daemon.operator().post("/api/backups?wait=30", json!({})).expect(200).json();
    let file = daemon.data.join("backup").join(text(&made, "file"));
    for secret in [&token, &daemon.token] {
        let found = Command::new("grep").args(["-c", "-a", "-F", secret]).arg(&file).output().expect("grep");
        assert_eq!(String::from_utf8_lossy(&found.stdout).trim(), "0");
    }
    let keys = fs::read_to_string(daemon.data.join("signing-keys.json")).expect("the signing keys");
    let seed = keys.split('"').nth(5).expect("a seed");
    assert!(seed.len() == 43, "{keys}");
    let bytes = fs::read(&file).expect("the backup");
    assert!(!bytes.windows(43).any(|window| window == seed.as_bytes()), "a stolen backup must sign nothing");
}

#[test]
fn one_download_of_a_user_at_a_time() {
    let daemon = Daemon::start();
    let made = daemon.operator().post("/api/backups?wait=30", json!({})).expect(200).json();
    let path = format!("/api/backups/{}", text(&made, "file"));
    // Larger than the system's buffers for a connection that nobody reads from.
    let on_disk = daemon.data.join("backup").join(text(&made, "file"));
    std::fs::OpenOptions::new().write(true).open(on_disk).expect("it").set_len(64 << 20).expect("room");
    let mut slow = std::net::TcpStream::connect(&daemon.address).expect("a connection");
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n", daemon.token);
    std::io::Write::write_all(&mut slow, head.as_bytes()).expect("a request");
    std::io::Read::read_exact(&mut slow, &mut [0; 64]).expect("the beginning of its reply");
    daemon.operator().get(&path).expect_error(503, "busy");
}
