//! SIGHUP with a file that cannot be used: the log lists every mistake, and no setting changes.

use std::fs;

use crate::settings::box_with_file::BoxWithFile;

#[test]
fn one_mistake_keeps_everything_as_it_was_and_each_is_logged_with_its_line() {
    let harness = BoxWithFile::start("allowed_hosts = ['box.lan']\n");
    let by_name = |name: &str| harness.daemon.anonymous().with("Host", name).get("/docs").status;
    let log = harness.reload("allowed_hosts = ['other.lan']\nhed_timeout = 1\nidle_timeout = 0\n");
    let file = harness.file.display();
    assert!(log.contains(&format!("{file}:2: unknown key hed_timeout; did you mean head_timeout?")), "{log}");
    assert!(log.contains(&format!("{file}:3: idle_timeout must be between 1 and 86400")), "{log}");
    assert!(log.contains("reload refused, the settings stay unchanged: 2 cannot be used"), "{log}");
    assert_eq!((by_name("box.lan"), by_name("other.lan")), (200, 403));
    harness.reload("allowed_hosts = ['other.lan']\n");
    assert_eq!((by_name("box.lan"), by_name("other.lan")), (403, 200));
}

#[test]
fn a_file_that_is_gone_or_torn_or_a_pipe_is_refused_and_the_daemon_goes_on() {
    let mut harness = BoxWithFile::start("requests_per_minute = 50\n");
    fs::remove_file(&harness.file).unwrap();
    assert!(harness.hang_up().contains("No such file"));
    assert!(harness.reload("requests_per_minute = ").contains("reload refused"));
    fs::remove_file(&harness.file).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&harness.file).status().unwrap().success());
    assert!(harness.hang_up().contains("is not a regular file"));
    harness.daemon.operator().get("/api/auth/whoami").expect(200);
    assert_eq!(harness.daemon.stop(), Some(0));
}
