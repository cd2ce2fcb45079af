//! Runs `taosctl` with an environment of its own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{Daemon, TempDir};

/// A person at a command line: a home and an environment.
pub struct Ctl {
    home: TempDir,
    env: Vec<(String, String)>,
}

/// The result of a command.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ctl {
    /// An environment with only a home and a `PATH`.
    pub fn bare() -> Self {
        Self { home: TempDir::new(), env: Vec::new() }
    }

    /// The operator of a daemon, with URL and token in the environment.
    pub fn operator(daemon: &Daemon) -> Self {
        Self::bare().env("TAOS_URL", &url(daemon)).env("TAOS_TOKEN", &daemon.token)
    }

    /// As [`Ctl::operator`], with another token.
    pub fn with_token(daemon: &Daemon, token: &str) -> Self {
        Self::bare().env("TAOS_URL", &url(daemon)).env("TAOS_TOKEN", token)
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn credentials(&self) -> PathBuf {
        self.home().join(".config/taos/credentials")
    }

    /// Writes a file into the home and returns its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.home().join(name);
        std::fs::write(&path, text).expect("a file in the home");
        path.to_str().expect("UTF-8").to_owned()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taosctl"));
        command.args(args).env_clear().env("HOME", self.home()).env("PATH", "/usr/bin:/bin");
        command.envs(self.env.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Run {
        Run::of(self.command(args).output().expect("taosctl runs"))
    }

    pub fn run_with_stdin(&self, args: &[&str], input: &str) -> Run {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("taosctl runs");
        // The command may end without reading stdin.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        Run::of(child.wait_with_output().expect("its output"))
    }

    /// Runs, requires success, and returns what it printed.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        self.run(args).expect(0).stdout
    }

    /// Runs with `--json`, requires success, and returns the value that it printed.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        let mut all = args.to_vec();
        all.push("--json");
        let text = self.ok(&all);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("not JSON ({e}): {text}"))
    }
}

impl Run {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ended by itself"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on stdout"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on stderr"),
        }
    }

    /// Fails unless it ended with this code, and without a panic.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self
    }

    /// Fails unless stderr has this error with all its parts, and stdout is empty.
    #[track_caller]
    pub fn expect_error(self, code: i32, error: &str) -> Self {
        let run = self.expect(code);
        assert_eq!(run.stdout, "", "{run:?}");
        if run.stderr.starts_with('{') {
            // The error is JSON if the command asked for JSON.
            let told: Value = serde_json::from_str(&run.stderr).expect("one object");
            assert_eq!(told["error"], error, "{run:?}");
            assert!(["detail", "fix", "doc_url"].iter().all(|key| told[key].is_string()), "{run:?}");
            return run;
        }
        assert!(run.stderr.contains(&format!("error: {error}\n")), "{run:?}");
        for key in ["detail", "fix", "doc_url"] {
            let told =
                run.stderr.lines().any(|line| line.strip_prefix(&format!("{key}: ")).is_some_and(|t| !t.is_empty()));
            assert!(told, "{key} is missing in {run:?}");
        }
        run
    }

    /// The value of a field of a printed record.
    #[track_caller]
    pub fn field(&self, name: &str) -> &str {
        field(&self.stdout, name)
    }
}

/// The value of a field of a printed record.
#[track_caller]
pub fn field<'a>(record: &'a str, name: &str) -> &'a str {
    let found = record.lines().find_map(|line| line.strip_prefix(name).filter(|rest| rest.starts_with(' ')));
    found.unwrap_or_else(|| panic!("no {name} in {record}")).trim()
}

pub fn url(daemon: &Daemon) -> String {
    format!("http://{}", daemon.address)
}
