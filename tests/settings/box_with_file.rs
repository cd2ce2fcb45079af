//! A daemon whose settings come from a file that the test rewrites.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::support::{Daemon, TempDir, ended};

/// The log shows one of these at the end of a reload.
const ENDS: [&str; 2] = ["reloaded,", "reload refused,"];

/// A daemon and its settings file.
pub struct BoxWithFile {
    pub daemon: Daemon,
    pub file: PathBuf,
    dir: TempDir,
}

impl BoxWithFile {
    /// Starts a daemon with these settings.
    pub fn start(text: &str) -> Self {
        Self::with(text, &[])
    }

    /// Starts a daemon with these settings and more environment variables.
    pub fn with(text: &str, env: &[(&str, &str)]) -> Self {
        let dir = TempDir::new();
        let file = dir.path().join("taosd.toml");
        fs::write(&file, text).expect("a file");
        let arguments = ["--config", file.to_str().expect("UTF-8"), "--containers", "none"];
        Self { daemon: Daemon::with(&arguments, env), file, dir }
    }

    /// Returns a path beside the file.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes other settings, reloads them, and returns the log of the reload.
    #[track_caller]
    pub fn reload(&self, text: &str) -> String {
        fs::write(&self.file, text).expect("a file");
        self.hang_up()
    }

    /// Reloads the file and returns the log of the reload.
    #[track_caller]
    pub fn hang_up(&self) -> String {
        let before = self.daemon.log_text().len();
        let pid = self.daemon.pid().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().expect("kill").success());
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let log = self.daemon.log_text().split_off(before);
            if ENDS.iter().any(|words| log.contains(words)) {
                return log;
            }
            assert!(Instant::now() < end, "no reload: {log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Runs `taosd` with a clean environment and these variables.
pub fn taosd(arguments: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taosd"));
    command.args(arguments).env_clear().env("HOME", "/nonexistent").envs(env.iter().copied());
    ended(&mut command)
}

/// Returns what a program printed on stdout, then on stderr.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
