//! A stop does not wait for a running backup. The daemon cancels the backup, its operation fails, and no file of it
//! stays.

use serde_json::json;

use crate::backups::run::with_large_rows;
use crate::support::text;

#[test]
fn the_operation_fails_and_no_part_of_the_copy_stays() {
    let mut daemon = with_large_rows(800);
    let backups = daemon.data.join("backup");
    let parts = || {
        let entries = std::fs::read_dir(&backups).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().contains(".part")).count()
    };
    let made = || daemon.operator().get("/api/backups").expect(200).json();
    assert_eq!((parts(), made()), (0, json!([])));
    let promised = daemon.operator().post("/api/backups", json!({})).expect(202).json();
    while parts() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert_eq!(daemon.stop(), Some(0));
    daemon.spawn();
    let operation = daemon.operator().get(&format!("/api/operations/{}", text(&promised, "operation_id")));
    assert_eq!(operation.expect(200).json()["status"], json!("failed"));
    assert_eq!(daemon.operator().get("/api/backups").expect(200).json(), json!([]));
    assert!(
        !std::fs::read_dir(&backups)
            .expect("the directory")
            .flatten()
            .any(|entry| { entry.file_name().to_string_lossy().starts_with(".taosd-") })
    );
}
