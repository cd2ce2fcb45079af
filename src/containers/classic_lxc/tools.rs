//! Runs LXC's tools: by absolute path, without a shell, with a fixed environment, and with limits on time and output.
//! Arguments are names and paths only, since everybody on the host can read them.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::containers::{Away, Error, Runtime, Until};

/// The folders in which tools are searched. The daemon's own `PATH` does not count.
const FOLDERS: [&str; 6] = ["/usr/bin", "/usr/local/bin", "/bin", "/usr/sbin", "/usr/local/sbin", "/sbin"];
/// The bytes kept of each output stream; the rest is read and dropped. One more than a log may have.
const MAX_OUTPUT: usize = 1024 * 1024 + 1;
/// How long the output may stay open after the tool has ended: a daemon that it started may hold it open.
const AFTER_EXIT: Duration = Duration::from_millis(200);
/// The shortest pause between two looks at a tool.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

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
    let streams = [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)].map(ToolStream::of);
    let [Ok(stdout), Ok(stderr)] = streams else {
        kill_and_reap(&mut child);
        return Err(Error::failed(format!("{tool}: its output cannot be read")));
    };
    let mut streams = [stdout, stderr];
    let status = wait(&mut child, &mut streams, until.into())?;
    read_rest(&mut streams);
    let [stdout, stderr] = streams.map(ToolStream::text);
    Ok(ToolOutput { status, stdout, stderr })
}

/// Waits for the end of a tool and reads its streams meanwhile, so that a full pipe never blocks it.
fn wait(child: &mut Child, streams: &mut [ToolStream; 2], until: Until<'_>) -> Result<ExitStatus, Error> {
    let mut look_at = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let came = read_all(streams);
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
        if came {
            pause = FIRST_PAUSE;
            continue;
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

/// One output stream of a tool, and what has come from it.
struct ToolStream {
    /// The daemon's end; `None` once the other end is closed.
    pipe: Option<File>,
    kept: Vec<u8>,
}

impl ToolStream {
    /// A stream whose reads never wait.
    fn of(pipe: Option<OwnedFd>) -> io::Result<Self> {
        if let Some(pipe) = &pipe {
            fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
        }
        Ok(Self { pipe: pipe.map(File::from), kept: Vec::new() })
    }

    /// Reads what is there; true if something was.
    fn read(&mut self) -> bool {
        let Some(pipe) = &mut self.pipe else { return false };
        let mut chunk = [0; 8192];
        match pipe.read(&mut chunk) {
            Ok(count @ 1..) => {
                let room = MAX_OUTPUT.saturating_sub(self.kept.len());
                self.kept.extend_from_slice(&chunk[..count.min(room)]);
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => false,
            _ => {
                self.pipe = None;
                false
            }
        }
    }

    fn text(self) -> String {
        String::from_utf8_lossy(&self.kept).into_owned()
    }
}

/// Reads both streams once; true if something came.
fn read_all([stdout, stderr]: &mut [ToolStream; 2]) -> bool {
    let came = stdout.read();
    stderr.read() || came
}

/// Reads what a tool that has ended left in its streams. What it started may hold them open, and write without end.
fn read_rest(streams: &mut [ToolStream; 2]) {
    let end = Instant::now() + AFTER_EXIT;
    while streams.iter().any(|stream| stream.pipe.is_some()) && Instant::now() < end {
        if !read_all(streams) {
            thread::sleep(FIRST_PAUSE);
        }
    }
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
    fn nobody_reads_for_a_daemon_after_the_call() {
        let file = std::env::temp_dir().join(format!("taosd-tools-{}", std::process::id()));
        let script = format!("setsid sh -c 'sleep 0.8; echo x && : >{}' & exit 0", file.display());
        run("sh", &["-c", &script], soon(10_000)).unwrap();
        thread::sleep(Duration::from_secs(2));
        assert!(!file.exists(), "its write finds the pipe closed");
    }

    #[test]
    fn a_long_output_comes_whole() {
        let output = run("sh", &["-c", "yes x | head -c 900000; echo end"], soon(10_000)).unwrap();
        assert!(output.stdout.len() == 900_004 && output.stdout.ends_with("x\nend\n"), "{}", output.stdout.len());
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
