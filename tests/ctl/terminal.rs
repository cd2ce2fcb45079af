//! A separate terminal for a command, made by `script`.

use std::process::{Command, Stdio};

use crate::run::Ctl;

/// Runs a line of `taosctl` on a terminal of 80 columns. Returns the output and the exit code.
pub fn see(ctl: &Ctl, line: &str) -> (String, i32) {
    see_program(ctl, &format!("{} {line}", env!("CARGO_BIN_EXE_taosctl")))
}

/// As [`see`], for any program, with the environment of `ctl`.
pub fn see_program(ctl: &Ctl, line: &str) -> (String, i32) {
    let inner = ctl.command(&[]);
    let mut command = Command::new("script");
    let shell = format!("stty cols 80 rows 24; {line}");
    command.args(["--quiet", "--return", "--command", &shell, "/dev/null"]);
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.env("TERM", "xterm").stdin(Stdio::null()).output().expect("script runs");
    let seen = String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n");
    (seen, output.status.code().expect("an exit code"))
}

/// The output without its colours.
pub fn plain(seen: &str) -> String {
    regex::Regex::new("\u{1b}\\[[0-9;]*m").expect("a pattern").replace_all(seen, "").into_owned()
}
