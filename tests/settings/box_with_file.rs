//! A daemon whose settings come from a file that the test rewrites.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::support::{Daemon, TempDir, ended};

/// What is logged when a reload is over.
const ENDS: [&str; 2] = ["reloaded,", "reload refused,"];

/// A daemon and its file.
pub struct BoxWithFile {
    pub daemon: Daemon,
    pub file: PathBuf,
    dir: TempDir,
}

impl BoxWithFile {
    /// A daemon that was started with these settings.
    pub fn start(text: &str) -> Self {
        Self::with(text, &[])
    }

    /// One with more variables in its environment.
    pub fn with(text: &str, env: &[(&str, &str)]) -> Self {
        let dir = TempDir::new();
        let file = dir.path().join("taosd.toml");
        fs::write(&file, text).expect("a file");
        let arguments = ["--config", file.to_str().expect("UTF-8"), "--containers", "none"];
        Self { daemon: Daemon::with(&arguments, env), file, dir }
    }

    /// A path beside the file.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes other settings and has them read; what was logged of that.
    #[track_caller]
    pub fn reload(&self, text: &str) -> String {
        fs::write(&self.file, text).expect("a file");
        self.hang_up()
    }

    /// Has the file read again; what was logged of that.
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

/// What it printed, on both.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
