//! The published Agentex SDK, unchanged and validating strictly, against the real daemon.
//!
//! Needs Python 3 with `venv`, and the packages of `requirements.txt` from the package index: so it runs where
//! `TAOSD_REQUIRE_AGENTEX=1` says so. The steps are in `drive.py`.

#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::Daemon;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agentex_sdk");

fn run(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{command:?}\n{text}\n{}", String::from_utf8_lossy(&done.stderr));
    text
}

/// The interpreter of a virtual environment with exactly the pinned packages, made once for each list of them.
fn python() -> PathBuf {
    let pins = std::fs::read(Path::new(HERE).join("requirements.txt")).expect("requirements.txt");
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("agentex-{}", &blake3::hash(&pins).to_hex()[..16]));
    let python = dir.join("bin/python");
    if !dir.join("complete").exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&dir));
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"])
            .arg(Path::new(HERE).join("requirements.txt")));
        std::fs::write(dir.join("complete"), "").expect("the mark of a complete environment");
    }
    python
}

#[test]
fn the_published_sdk_works_unchanged() {
    if std::env::var_os("TAOSD_REQUIRE_AGENTEX").is_none_or(|value| value != "1") {
        eprintln!("left out: TAOSD_REQUIRE_AGENTEX=1 is not set, so the SDK is not installed from the package index");
        return;
    }
    let daemon = Daemon::start();
    let mut drive = Command::new(python());
    drive.arg(Path::new(HERE).join("drive.py")).arg(format!("http://{}", daemon.address)).arg(&daemon.token);
    print!("{}", run(&mut drive));
}
