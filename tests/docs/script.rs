//! Runs `bash` blocks as if a reader pasted them one after the other into one shell, but stricter: any failing command
//! ends the run, and `curl` fails on a status of 400 or more. The daemon's data is in the default directory.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::fences::Block;
use crate::support::{Daemon, TempDir};

/// Runs the blocks in one shell against the daemon; the error names the block that failed.
pub fn run(daemon: &Daemon, home: &TempDir, blocks: &[&Block]) -> Result<String, String> {
    fs::write(home.path().join(".curlrc"), "fail-with-body\nmax-time = 20\n").expect("a .curlrc");
    let state = home.path().join(".local/state");
    fs::create_dir_all(&state).expect("a state directory");
    let _ = symlink(&daemon.data, state.join("taosd"));
    let mut script =
        "set -euo pipefail\ntrap 'code=$?; [ $code = 0 ] || echo \"$at: exit code $code\" >&2' EXIT\n".to_owned();
    for block in blocks {
        let _ = write!(script, "at='{}'\n{}", block.place, block.text);
    }
    let output = Command::new("bash")
        .args(["--noprofile", "--norc", "-c", &script])
        .current_dir(home.path())
        .env_clear()
        .env("PATH", path())
        .env("HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path().join("config"))
        .env("TAOS_URL", format!("http://{}", daemon.address))
        .env("TAOS_TOKEN", &daemon.token)
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(said(&output.stdout));
    }
    Err(format!("{}{}", said(&output.stderr), said(&output.stdout)))
}

/// The `PATH`: the built binaries, then the system's.
fn path() -> String {
    let built = Path::new(env!("CARGO_BIN_EXE_taosctl")).parent().expect("a directory").display();
    format!("{built}:{}", std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".into()))
}

/// Returns true if `taosctl` has its commands.
pub fn taosctl_is_there() -> bool {
    let help = Command::new(env!("CARGO_BIN_EXE_taosctl")).args(["agents", "--help"]).output();
    help.is_ok_and(|output| output.status.success() && !output.stdout.is_empty())
}

#[test]
fn a_failing_command_or_an_error_reply_names_its_block() {
    let daemon = Daemon::start();
    let home = TempDir::new();
    let block = |place: &str, text: &str| Block { place: place.into(), info: "bash".into(), text: text.into() };
    let good = block("p.md:1", "kept=yes\ncurl -sS \"$TAOS_URL/healthz\"\n");
    let uses = block("p.md:5", "echo \"$kept\"\n");
    let shown = run(&daemon, &home, &[&good, &uses]).unwrap();
    assert!(shown.contains("\"status\":\"ok\"") && shown.ends_with("yes\n"), "{shown}");
    for text in ["false\n", "curl -sS \"$TAOS_URL/nowhere\"\n", "echo \"$no_such_variable\"\n", "false | true\n"] {
        let error = run(&daemon, &home, &[&good, &block("p.md:9", text)]).unwrap_err();
        assert!(error.contains("p.md:9: exit code"), "{text}: {error}");
    }
}
