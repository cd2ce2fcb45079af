//! The access log: one line a request on stderr, written by a thread of its own so that a slow reader of the log never
//! holds the runtime thread. No query, no header and no body is ever in it.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::rest::head::Head;
use crate::secret::redacted;
use crate::threads::Monitor;

/// Bytes of lines that may wait; further lines are counted and dropped.
const WAITING: usize = 1024 * 1024;
/// Bytes of the buffers that are kept from one write to the next.
const KEPT: usize = 64 * 1024;
/// How long the thread rests after a write. Under load it finds many lines then, and nobody has to wake it for one.
const REST: Duration = Duration::from_millis(5);
/// Characters of a path that are shown.
const PATH: usize = 256;

/// How long the end waits for a reader that takes no more.
const PATIENCE: Duration = Duration::from_millis(500);

/// The log's front; dropping it waits a moment until the last line is written.
#[derive(Debug)]
pub struct AccessLog {
    lines: Option<Arc<LineQueue>>,
    thread: Option<JoinHandle<()>>,
}

/// What waits to be written.
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
    /// Where there is no thread to be had.
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

    /// Queues a line; never waits for the reader of the log. `from` is the peer's key.
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
    // What is cut off in the middle of a secret still shows its beginning: cut the secret first.
    let start = head.raw_path.get(..2 * PATH).unwrap_or(&head.raw_path);
    text.extend(redacted(start).chars().filter(char::is_ascii_graphic).take(PATH));
    // Numbers go past the formatting machinery, which costs more than the rest of the line.
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
        // Nobody is left to be told if stderr is gone.
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
