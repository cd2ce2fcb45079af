//! Restores are killed at different moments. After each kill there is either the previous database or that of the
//! backup, whole. In neither does a revoked token work.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::backups::run::good;
use crate::support::{Daemon, Dice, TempDir, text};

/// The number of killed restores, spread evenly over the duration of one. `TAOSD_TEST_KILLS` overrides it.
const KILLS: u64 = 12;

#[test]
fn whenever_it_dies_one_of_the_two_is_there() {
    let dir = TempDir::new();
    let mut daemon = Daemon::start();
    daemon.agent("atlas");
    let issue = || {
        let issued = daemon.operator().post("/api/agents/atlas/token/issue", json!({})).expect(200).json();
        text(&issued, "token")
    };
    let replaced = issue();
    let backup = dir.path().join("b.db");
    good(&daemon, "backup", &[&backup]);
    let newer = issue();
    daemon.agent("dora");
    assert_eq!(daemon.stop(), Some(0));
    let before = dir.path().join("before");
    copy(&daemon.data, &before);
    let begun = Instant::now();
    good(&daemon, "restore", &[&backup]);
    let takes = begun.elapsed();
    let (mut not_begun, mut done) = (0, 0);
    let kills = Dice::told("TAOSD_TEST_KILLS").unwrap_or(KILLS);
    for n in 0..=kills {
        fs::remove_dir_all(&daemon.data).expect("the data");
        copy(&before, &daemon.data);
        // The last restore is not killed.
        let lives = if n < kills { takes.mul_f64(n as f64 / kills as f64) } else { takes * 20 };
        restore_for(&daemon, &backup, lives);
        daemon.check();
        daemon.spawn();
        let whoami = |token: &str| daemon.client(token).get("/api/auth/whoami").status;
        assert_eq!(whoami(&replaced), 401, "killed after {lives:?}");
        // The agent dora was made after the backup, like the newer token. So her record shows which database is there.
        let dora = daemon.operator().get("/api/agents/dora").status;
        assert_eq!(whoami(&newer), if dora == 200 { 200 } else { 401 }, "killed after {lives:?}, {dora}");
        *(if dora == 200 { &mut not_begun } else { &mut done }) += 1;
        assert_eq!(daemon.stop(), Some(0));
    }
    println!("{kills} kills: {not_begun} left the database of before, {done} that of the backup");
    assert!(not_begun > 0 && done > 0);
}

/// Kills a restore after `time`, if it still runs.
fn restore_for(daemon: &Daemon, backup: &Path, time: Duration) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taosd"));
    command.arg("restore").arg("--data-dir").arg(&daemon.data).arg(backup).env("TAOSD_MIN_FREE_BYTES", "0");
    let mut restore = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("taosd");
    let end = Instant::now() + time;
    while Instant::now() < end && restore.try_wait().expect("its state").is_none() {
        std::thread::sleep(Duration::from_micros(200));
    }
    let _ = restore.kill();
    let _ = restore.wait();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let there = to.join(entry.file_name());
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            copy(&entry.path(), &there);
        } else if kind.is_file() {
            fs::copy(entry.path(), there).expect("a copy");
        }
    }
}
