//! The daemon removes the files of interrupted backups before it serves. So it never removes the file of a backup that
//! is requested right after the start.

use serde_json::json;

use crate::support::Daemon;

/// A number of files whose removal takes longer than a backup.
const LEFT_BEHIND: usize = 8000;

#[test]
fn it_is_not_taken_for_what_an_interrupted_one_left() {
    let mut daemon = Daemon::start();
    assert_eq!(daemon.stop(), Some(0));
    let folder = daemon.data.join("backup");
    for n in 0..LEFT_BEHIND {
        std::fs::write(folder.join(format!(".taosd-20260101T000000.000Z.db.1.{n}.part")), b"").expect("a file");
    }
    daemon.spawn();
    daemon.operator().post("/api/backups?wait=60", json!({})).expect(200);
    let rest = std::fs::read_dir(&folder).expect("the folder").flatten();
    assert_eq!(rest.filter(|entry| entry.file_name().to_string_lossy().ends_with(".part")).count(), 0);
}
