//! The access log: one line per request on stderr. A thread of its own writes it, so that a slow reader of the log
//! never blocks the runtime thread. It never contains a query, a header or a body.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::rest::head::Head;
use crate::secret::redacted;
use crate::threads::Monitor;

/// The most bytes of waiting lines. Further lines are counted and dropped.
const WAITING: usize = 1024 * 1024;
/// The bytes of buffers that are kept after a write.
const KEPT: usize = 64 * 1024;
/// The pause of the thread after a write. Under load it then finds many lines at once, and does not have to be woken
/// for each.
const REST: Duration = Duration::from_millis(5);
/// The most characters of a path that are shown.
const PATH: usize = 256;

/// How long the drop waits for a reader that is stuck.
const PATIENCE: Duration = Duration::from_millis(500);

/// The access log. Its drop waits a moment for the last line to be written.
#[derive(Debug)]
pub struct AccessLog {
    lines: Option<Arc<LineQueue>>,
    thread: Option<JoinHandle<()>>,
}

/// The lines that wait to be written.
type LineQueue = Monitor<LogBuffer>;

#[derive(Debug, Default)]
struct LogBuffer {
    text: String,
    dropped: u64,
    closed: bool,
}

impl AccessLog {
    /// Starts the thread, if the log level asks for the lines (target `access`, level info).
    ///
    /// # Errors
    /// An I/O error if the system refuses a thread.
    pub fn start() -> io::Result<Self> {
        if !log::log_enabled!(target: "access", log::Level::Info) {
            return Ok(Self { lines: None, thread: None });
        }
        let lines = Arc::<LineQueue>::default();
        let thread = std::thread::Builder::new().name("access-log".into()).spawn({
            let lines = Arc::clone(&lines);
            move || write_lines(&lines, &mut io::stderr())
        })?;
        Ok(Self { lines: Some(lines), thread: Some(thread) })
    }

    /// Queues a line. Never waits for the reader of the log. `from` is the peer's key.
    pub fn line(&self, head: &Head, from: &str, status: u16, bytes: u64, took: Duration) {
        let Some(lines) = &self.lines else { return };
        let mut waiting = lines.lock();
        if waiting.text.len() >= WAITING {
            waiting.dropped += 1;
            return;
        }
        let first = waiting.text.is_empty();
        write_line(&mut waiting.text, head, from, status, bytes, took);
        drop(waiting);
        if first {
            lines.notify_one();
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        let Some(lines) = &self.lines else { return };
        lines.lock().closed = true;
        lines.notify_one();
        let until = Instant::now() + PATIENCE;
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn write_line(text: &mut String, head: &Head, from: &str, status: u16, bytes: u64, took: Duration) {
    for part in ["access ", &head.request_id, " ", from, " ", head.method.as_str(), " "] {
        text.push_str(part);
    }
    // A cut in the middle of a secret would still show its start, so the secret is redacted first.
    let start = head.raw_path.get(..2 * PATH).unwrap_or(&head.raw_path);
    text.extend(redacted(start).chars().filter(char::is_ascii_graphic).take(PATH));
    // Numbers avoid the formatting machinery, which costs more than the rest of the line.
    let mut digits = itoa::Buffer::new();
    let tenths = u64::try_from(took.as_micros() / 100).unwrap_or(u64::MAX);
    for (before, number) in [(" ", u64::from(status)), (" ", bytes), (" ", tenths / 10), (".", tenths % 10)] {
        text.push_str(before);
        text.push_str(digits.format(number));
    }
    text.push_str("ms\n");
}

fn write_lines(lines: &LineQueue, to: &mut impl io::Write) {
    let mut text = String::new();
    loop {
        let mut waiting = lines.lock();
        while waiting.text.is_empty() && !waiting.closed {
            waiting = lines.wait(waiting);
        }
        std::mem::swap(&mut text, &mut waiting.text);
        let (lost, closed) = (std::mem::take(&mut waiting.dropped), waiting.closed);
        drop(waiting);
        if lost > 0 {
            let _ = writeln!(text, "access log: {lost} lines were dropped, stderr is read too slowly");
        }
        // If stderr is gone, there is no place to report this.
        let _ = to.write_all(text.as_bytes());
        if closed {
            return;
        }
        text.clear();
        text.shrink_to(KEPT);
        std::thread::sleep(REST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_are_written_before_the_end_and_the_dropped_are_counted() {
        let lines = LineQueue::default();
        *lines.lock() = LogBuffer { text: "one\ntwo\n".into(), dropped: 3, closed: true };
        let mut out = Vec::new();
        write_lines(&lines, &mut out);
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with("one\ntwo\naccess log: 3 lines were dropped"), "{out}");
    }
}
