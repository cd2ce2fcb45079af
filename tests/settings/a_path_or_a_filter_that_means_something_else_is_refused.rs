//! Settings that the daemon would take literally, against their meaning: a path that only a shell completes, a filter
//! that silences everything.

use std::fs;
use std::process::Command;

use taosd::config::keys::KEYS;

use crate::settings::box_with_file::{said, taosd};
use crate::support::{Daemon, TempDir, ended};

/// The keys whose value is a path, or a list of them.
const PATHS: &[&str] =
    &["data_dir", "socket", "time_sync_file", "containers_socket", "lxc_images", "mount_roots", "secret_file"];
/// The keys whose example contains a path although their value is none.
const NO_PATHS: &[&str] = &["url"];
const BAD: &[&str] = &["~/x", "~", "$HOME/x", "${HOME}/x", "x", "./x", "../x"];

fn line(key: &taosd::config::keys::SettingKey, path: &str) -> String {
    let value = if key.example.starts_with('[') { format!("['{path}']") } else { format!("'{path}'") };
    match (key.table, key.name) {
        ("webhook", name) => format!("[webhook]\nurl = 'http://127.0.0.1:9/'\n{name} = {value}\n"),
        ("", name) => format!("{name} = {value}\n"),
        (table, name) => format!("[{table}]\n{name} = {value}\n"),
    }
}

#[test]
fn every_path_setting_in_every_place_is_whole() {
    let dir = TempDir::new();
    let file = dir.path().join("taosd.toml");
    // A key whose example is a path must be in the list above.
    for key in KEYS.iter().filter(|key| key.example.contains("\"/") && !NO_PATHS.contains(&key.name)) {
        assert!(PATHS.contains(&key.name), "{} is not looked at here", key.name);
    }
    for key in KEYS.iter().filter(|key| PATHS.contains(&key.name)) {
        for path in BAD {
            fs::write(&file, line(key, path)).unwrap();
            let output = taosd(&["config", "check", "--config", file.to_str().unwrap()], &[]);
            assert_eq!(output.status.code(), Some(2), "{}: {}", key.name, said(&output));
            assert!(
                said(&output).contains(path) && said(&output).contains("write an absolute path"),
                "{}",
                said(&output)
            );
            if !key.env.is_empty() {
                let output = taosd(&["config", "check"], &[(key.env, path)]);
                assert_eq!(
                    (output.status.code(), said(&output).contains(key.env)),
                    (Some(2), true),
                    "{}",
                    said(&output)
                );
            }
            if !key.flag.is_empty() {
                let output = taosd(&["config", "check", key.flag, path], &[]);
                assert_eq!(
                    (output.status.code(), said(&output).contains(key.flag)),
                    (Some(2), true),
                    "{}",
                    said(&output)
                );
            }
        }
    }
    for variable in ["STATE_DIRECTORY", "XDG_STATE_HOME", "HOME", "RUNTIME_DIRECTORY", "TAOSD_CONFIG"] {
        for path in BAD {
            let output = taosd(&["config", "check"], &[(variable, path)]);
            assert_eq!((output.status.code(), said(&output).contains(variable)), (Some(2), true), "{}", said(&output));
        }
    }
}

#[test]
fn a_relative_data_directory_is_told_what_to_write_and_nothing_is_made() {
    let dir = TempDir::new();
    let start = |args: &[&str], env: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taosd"));
        command.args(args).args(["--listen", "127.0.0.1:0"]).env_clear().envs(env.iter().copied());
        ended(command.current_dir(dir.path()))
    };
    for output in [
        start(&["--data-dir", "data"], &[]),
        start(&["check", "--data-dir", "data"], &[]),
        start(&[], &[("TAOSD_DATA_DIR", "data")]),
        start(&[], &[("XDG_STATE_HOME", "data"), ("HOME", "/nonexistent")]),
    ] {
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        let whole = dir.path().canonicalize().unwrap().join("data");
        assert!(said(&output).contains(whole.to_str().unwrap()), "{}", said(&output));
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_filter_that_would_silence_everything_is_refused_and_rust_log_never_does() {
    let dir = TempDir::new();
    let file = dir.path().join("taosd.toml");
    for bad in ["inof", "verbose", "all", "none", "info;debug", "access=info", "taos=debug", "info,acess=off"] {
        fs::write(&file, format!("log = \"{bad}\"\n")).unwrap();
        let output = taosd(&["config", "check", "--config", file.to_str().unwrap()], &[]);
        assert_eq!(
            (output.status.code(), said(&output).contains(":1: log: ")),
            (Some(2), true),
            "{bad}: {}",
            said(&output)
        );
        let output = taosd(&["config", "check"], &[("TAOSD_LOG", bad)]);
        assert_eq!(output.status.code(), Some(2), "{bad}: {}", said(&output));
        if bad.starts_with("info,") {
            continue;
        }
        let output = taosd(&["config", "check"], &[("RUST_LOG", bad)]);
        assert_eq!((output.status.code(), said(&output).contains("RUST_LOG: ")), (Some(0), true), "{}", said(&output));
    }
    let daemon = Daemon::with(&[], &[("RUST_LOG", "inof")]);
    assert!(daemon.log_text().contains(" INFO taosd::"), "{}", daemon.log_text());
}
