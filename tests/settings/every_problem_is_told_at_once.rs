//! `taosd config check`, and a start with settings that cannot be used, report all mistakes with their places, and exit
//! with code 2.

use std::fs;

use crate::settings::box_with_file::{said, taosd};
use crate::support::TempDir;

#[test]
fn the_check_says_what_is_read_from_where() {
    let dir = TempDir::new();
    let file = dir.path().join("taosd.toml");
    fs::write(&file, "allowed_hosts = ['box.lan']\nrequests_per_minute = 10\n[ax]\nmax_agent_pats = 5\n").unwrap();
    let path = file.to_str().unwrap();
    let env = [("TAOSD_CONFIG", path), ("TAOSD_REQUESTS_PER_MINUTE", "20"), ("TAOSD_TEST_X", "1")];
    let output = taosd(&["config", "check", "--data-dir", "/nonexistent/d"], &env);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains(&format!("file         {path}: allowed_hosts, ax.max_agent_pats\n")), "{text}");
    assert!(text.contains("environment  requests_per_minute\n") && text.contains("flags        data_dir\n"), "{text}");
    assert!(!dir.path().join("d").exists(), "a check makes nothing");
    let none = said(&taosd(&["config", "check"], &[]));
    assert!(none.contains("file         none; name one with --config or TAOSD_CONFIG"), "{none}");
}

#[test]
fn each_mistake_has_its_place_and_a_start_says_the_same() {
    let dir = TempDir::new();
    let file = dir.path().join("taosd.toml");
    let text = "lisen = ['127.0.0.1:0']\nworkers = 'many'\nworkers = 2\n[contaners]\nruntime = 'lxd'\n\
        [webhook]\nurl = 'ftp://a/'\nsecret_file = '/nonexistent/secret'\n";
    fs::write(&file, text).unwrap();
    let (path, data) = (file.to_str().unwrap(), dir.path().join("d"));
    let env = [("TAOSD_HEAD_TIMOUT", "1"), ("TAOSD_LISTEN", "here")];
    for arguments in [&["config", "check"][..], &["config", "show"], &["serve"], &["check"], &["operator-token"]] {
        let arguments = [arguments, &["--config", path, "--data-dir", data.to_str().unwrap()]].concat();
        let output = taosd(&arguments, &env);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        for problem in [
            "TAOSD_HEAD_TIMOUT: is not a setting; did you mean TAOSD_HEAD_TIMEOUT?".to_owned(),
            "TAOSD_LISTEN: listen: here is not an ADDRESS:PORT".to_owned(),
            format!("{path}:1: unknown key lisen; did you mean listen?"),
            format!("{path}:2: workers must be a whole number from 0 to 256"),
            format!("{path}:3: duplicate key"),
            format!("{path}:4: unknown key contaners; did you mean [containers]?"),
            format!("{path}:7: webhook.url must be http"),
            format!("{path}:8: webhook.secret_file: /nonexistent/secret: No such file"),
        ] {
            assert!(text.contains(&problem), "{problem} is not in\n{text}");
        }
        assert!(!data.exists(), "{arguments:?}");
    }
}

#[test]
fn what_a_start_puts_up_with_is_a_warning() {
    let dir = TempDir::new();
    let file = dir.path().join("taosd.toml");
    fs::write(&file, "listen = ['0.0.0.0:0']\n[containers]\nmount_roots = ['/nonexistent']\n").unwrap();
    let output = taosd(&["config", "check", "--config", file.to_str().unwrap()], &[]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("warning      containers.mount_roots: /nonexistent is not a folder"), "{text}");
    assert!(text.contains("warning      listen: 0.0.0.0:0 can be reached from the network"), "{text}");
}
