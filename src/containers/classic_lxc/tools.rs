//! Runs LXC's tools: by absolute path, without a shell, with a fixed environment, and with limits on time and output.
//! Arguments are names and paths only, since everybody on the host can read them.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::containers::{Away, Error, Runtime, Until};

/// The folders in which tools are searched. The daemon's own `PATH` does not count.
const FOLDERS: [&str; 6] = ["/usr/bin", "/usr/local/bin", "/bin", "/usr/sbin", "/usr/local/sbin", "/sbin"];
/// The bytes kept of each output stream; the rest is read and dropped. One more than a log may have.
const MAX_OUTPUT: usize = 1024 * 1024 + 1;
/// How long the output may stay open after the tool has ended: a daemon that it started may hold it open.
const AFTER_EXIT: Duration = Duration::from_millis(200);

/// The exit status and the output of a tool.
#[derive(Debug)]
pub(super) struct ToolOutput {
    status: ExitStatus,
    pub(super) stdout: String,
    stderr: String,
}

impl ToolOutput {
    /// The exit code; `None` if a signal ended the tool.
    pub(super) fn code(&self) -> Option<i64> {
        self.status.code().map(i64::from)
    }

    /// Returns the standard output.
    ///
    /// # Errors
    /// [`Error::Failed`] if the tool failed, with its standard error or else its standard output.
    pub(super) fn ok(self) -> Result<String, Error> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        let said = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        Err(Error::failed(format!("{}: {said}", self.status)))
    }
}

/// The absolute path of a tool, if this host has it.
pub(super) fn find(tool: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(tool)).find(|path| path.is_file())
}

/// The absolute path of a tool, as text.
///
/// # Errors
/// [`Error::RuntimeUnavailable`] if it is not installed.
pub(super) fn path_of(tool: &str) -> Result<String, Error> {
    let path = find(tool).and_then(|path| path.into_os_string().into_string().ok());
    path.ok_or_else(|| Error::unavailable(Runtime::Lxc, Away::Absent, format!("{tool} is not installed")))
}

/// Runs a tool to its end. If the deadline passes or the call is cancelled, its whole process group is killed and
/// reaped.
pub(super) fn run<'a, A: AsRef<OsStr>>(
    tool: &str,
    arguments: &[A],
    until: impl Into<Until<'a>>,
) -> Result<ToolOutput, Error> {
    let path = path_of(tool)?;
    let mut child = Command::new(path)
        .args(arguments)
        .env_clear()
        .env("PATH", FOLDERS.join(":"))
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| Error::io(tool, &error))?;
    let stdout = child.stdout.take().map(drain);
    let stderr = child.stderr.take().map(drain);
    let status = wait(&mut child, until.into())?;
    Ok(ToolOutput { status, stdout: collected(stdout), stderr: collected(stderr) })
}

fn wait(child: &mut Child, until: Until<'_>) -> Result<ExitStatus, Error> {
    let mut look_at = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait().map_err(|error| Error::io("waiting for a tool", &error))? {
            return Ok(status);
        }
        let now = Instant::now();
        let left = until.deadline.saturating_duration_since(now);
        if left.is_zero() {
            kill_and_reap(child);
            return Err(Error::Deadline(Runtime::Lxc));
        }
        if now >= look_at {
            look_at = now + Until::LOOK;
            if until.is_cancelled() {
                kill_and_reap(child);
                return Err(Error::Cancelled);
            }
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(25));
    }
}

fn kill_and_reap(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It is not reaped yet, so the group's number is still its own. If the group is gone already, that is fine.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads a pipe to its end in a thread, so that a full pipe never blocks the tool.
fn drain(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut chunk = [0; 8192];
        while let Ok(count @ 1..) = pipe.read(&mut chunk) {
            let room = MAX_OUTPUT.saturating_sub(kept.len());
            kept.extend_from_slice(&chunk[..count.min(room)]);
        }
        // The caller no longer waits if a daemon held the pipe open for too long.
        let _ = sender.send(kept);
    });
    receiver
}

fn collected(output: Option<Receiver<Vec<u8>>>) -> String {
    let bytes = output.and_then(|output| output.recv_timeout(AFTER_EXIT).ok()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon(ms: u64) -> Instant {
        Instant::now() + Duration::from_millis(ms)
    }

    #[test]
    fn a_tool_past_its_deadline_is_killed_with_its_children() {
        let began = Instant::now();
        let result = run("sh", &["-c", "sleep 30 & sleep 30"], soon(150));
        assert_eq!(result.unwrap_err(), Error::Deadline(Runtime::Lxc));
        assert!(began.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_tool_that_is_cancelled_is_killed_long_before_its_deadline() {
        let began = Instant::now();
        let unwanted = || began.elapsed() > Duration::from_millis(100);
        let result = run("sh", &["-c", "sleep 30 & sleep 30"], Until::from(soon(30_000)).unless(&unwanted));
        assert_eq!(result.unwrap_err(), Error::Cancelled);
        assert!(began.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn output_without_end_is_bounded() {
        let output = run("sh", &["-c", "head -c 5000000 /dev/zero"], soon(10_000)).unwrap();
        assert_eq!(output.stdout.len(), MAX_OUTPUT);
    }

    #[test]
    fn a_daemon_that_keeps_the_output_open_does_not_hold_the_call() {
        let began = Instant::now();
        let output = run("sh", &["-c", "setsid sleep 3 & exit 0"], soon(10_000)).unwrap();
        assert!(output.status.success() && began.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn the_environment_of_the_daemon_does_not_leak() {
        let output = run("env", &[] as &[&str], soon(10_000)).unwrap().ok().unwrap();
        assert!(output.lines().all(|line| line.starts_with("PATH=") || line.starts_with("LC_ALL=")), "{output}");
    }

    #[test]
    fn a_failing_tool_says_why() {
        let error = run("sh", &["-c", "echo no such thing >&2; exit 3"], soon(10_000)).unwrap().ok().unwrap_err();
        assert!(error.to_string().contains("no such thing"), "{error}");
    }
}
