//! A channel's secret can be written but not read: it is not in a reply, the database, a backup or the log in plain
//! text. On another box it must be set again.

use std::os::unix::fs::MetadataExt;

use serde_json::json;

use crate::channels::receiver::{Harness, Phone};

const SECRET: &str = "tk_Zq7hVeryOwnSecret91";

#[test]
fn it_is_nowhere_in_plain_and_no_other_box_can_use_it() {
    let mut harness = Harness::new();
    let phone = Phone::start(&harness.authority);
    let id = harness.channel("ntfy", &format!("https://localhost:{}/topic", phone.port), Some(SECRET));
    harness.notify("one", "normal");
    assert_eq!(phone.next().header("authorization"), format!("Bearer {SECRET}"));
    assert!(!harness.record(&id).to_string().contains(SECRET));
    let key = harness.daemon.data.join("channels.key");
    assert_eq!(std::fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
    harness.daemon.operator().post("/api/backups?wait=30", json!({})).expect(200);
    assert_eq!(harness.daemon.stop(), Some(0));
    for file in files(&harness.daemon.data) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "{}", file.display());
    }
    assert!(!harness.daemon.log_text().contains(SECRET));
    // As after a restore on another box: the database is there, the key is not.
    std::fs::remove_file(&key).unwrap();
    harness.daemon.spawn();
    let test = format!("/api/users/operator/channels/{id}/test");
    let told = harness.daemon.operator().post(&test, json!({})).expect(200).json();
    assert_eq!(told["error"], json!("its secret was sealed on another box: set it again"));
    let path = format!("/api/users/operator/channels/{id}");
    harness.daemon.operator().patch(&path, json!({"secret": SECRET})).expect(200);
    assert_eq!(harness.daemon.operator().post(&test, json!({})).expect(200).json()["delivered"], json!(true));
}

fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.is_file())
        .collect()
}
