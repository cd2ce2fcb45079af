//! A reload follows the protocol of systemd: RELOADING with the time, then READY with a status, even if the file cannot
//! be used.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::settings::box_with_file::BoxWithFile;
use crate::support::TempDir;

#[test]
fn a_reload_is_announced_and_ended() {
    let dir = TempDir::new();
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let next = || {
        let mut bytes = [0; 1024];
        loop {
            let n = manager.recv(&mut bytes).expect("a message");
            let text = String::from_utf8_lossy(&bytes[..n]).into_owned();
            // Messages of the watchdog come in between.
            if text.trim() != "WATCHDOG=1" {
                return text;
            }
        }
    };
    let harness = BoxWithFile::with("", &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    assert!(next().contains("READY=1"));
    for (text, status) in [("idle_timeout = 7\n", "STATUS=reloaded, 1 changed"), ("x = 1\n", "STATUS=reload refused")] {
        harness.reload(text);
        let begin = next();
        let time = begin.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")?.parse::<u64>().ok());
        assert!(begin.starts_with("RELOADING=1\n") && time.is_some_and(|time| time > 0), "{begin}");
        let end = next();
        assert!(end.contains("READY=1") && end.contains(status), "{end}");
    }
}
