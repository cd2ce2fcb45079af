//! Somebody moves the WAL away, or replaces the database by another file, while the daemon runs. The daemon must not
//! overwrite the last good backup with a copy of the other file, and a check must not judge that file.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::json;

use crate::backups::run::{fresh, good, wait_until};
use crate::support::{Daemon, text};

fn backups(daemon: &Daemon) -> String {
    text(&daemon.anonymous().get("/readyz").json()["checks"], "backups")
}

#[test]
fn the_last_good_copy_stays_until_the_file_is_back() {
    for file in ["taosd.db", "taosd.db-wal"] {
        let daemon = Daemon::with(&[], &[("TAOSD_BACKUP_INTERVAL", "2")]);
        wait_until("a first copy", || fresh(&daemon).exists());
        let copied = fs::metadata(fresh(&daemon)).expect("the copy").ino();
        daemon.agent("atlas");
        let (place, away) = (daemon.data.join(file), daemon.data.join("away"));
        fs::rename(&place, &away).expect("the file moved away");
        fs::write(&place, fs::read(&away).expect("the file")).expect("another file");
        wait_until("a failed copy", || backups(&daemon) == "the database file was removed or replaced");
        assert_eq!(fs::metadata(fresh(&daemon)).expect("the copy").ino(), copied, "{file}");
        let check = daemon.operator().post("/api/database/check?wait=60", json!({})).expect(200).json();
        assert_eq!(text(&check, "state"), "failed", "{check}");

        fs::rename(&away, &place).expect("the file moved back");
        wait_until("the next copy", || fs::metadata(fresh(&daemon)).expect("the copy").ino() != copied);
        wait_until("ready", || backups(&daemon) == "ok");
        good(&daemon, "check", &[&fresh(&daemon)]);
    }
}
