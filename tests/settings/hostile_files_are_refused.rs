//! A settings file that is not a regular file, is too large, is not UTF-8 or is nested too deeply is refused quickly,
//! with a short error that names it.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use crate::settings::box_with_file::{said, taosd};
use crate::support::{TempDir, ended};

#[test]
fn each_is_told_and_none_takes_long() {
    let dir = TempDir::new();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("large"), "#".repeat(256 * 1024 + 1)).unwrap();
    fs::write(at("latin"), b"# one\n# caf\xe9\n").unwrap();
    fs::write(at("deep"), format!("a = {}", "[".repeat(200_000))).unwrap();
    fs::write(at("keys"), (0..20_000).map(|n| format!("k{n} = 1\n")).collect::<String>()).unwrap();
    fs::write(at("long"), format!("{} = 1\n", "k".repeat(200_000))).unwrap();
    fs::write(at("bell"), "\"\\u0007\\u001b[31m\" = 1\n").unwrap();
    fs::create_dir(at("folder")).unwrap();
    symlink("/dev/zero", at("zero")).unwrap();
    symlink(at("loop"), at("loop")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    for (name, told) in [
        ("large", "is larger than 262144 bytes"),
        ("latin", "is not UTF-8 from line 2 on"),
        ("deep", ":1: "),
        ("keys", "and 19950 more"),
        ("long", "unknown key kkkk"),
        ("bell", "unknown key \\u{7}\\u{1b}[31m"),
        ("folder", "is not a regular file"),
        ("zero", "is not a regular file"),
        ("pipe", "is not a regular file"),
        ("loop", "symbolic link"),
        ("absent", "No such file"),
    ] {
        let (path, start) = (at(name), Instant::now());
        let output = taosd(&["config", "check", "--config", path.to_str().unwrap()], &[]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{name}: {text}");
        assert!(text.contains(told) && text.contains(path.to_str().unwrap()), "{name}: {text}");
        assert!(text.len() < 20_000 && start.elapsed() < Duration::from_secs(10), "{name}: {:?}", start.elapsed());
    }
}

#[test]
fn a_variable_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_taosd"));
    command.args(["config", "check"]).env_clear().env("HOME", "/nonexistent");
    command.env("TAOSD_DATA_DIR", std::ffi::OsStr::from_bytes(b"/caf\xe9"));
    let output = ended(&mut command);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("TAOSD_DATA_DIR: is not UTF-8"), "{}", said(&output));
}
