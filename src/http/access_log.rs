//! The access log: one line a request on stderr, written by a thread of its own so that a slow reader of the log never
//! holds the runtime thread. No query, no header and no body is ever in it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use super::head::Head;

/// Lines that may wait; further ones are counted and dropped.
const QUEUE: usize = 4096;
/// Bytes gathered before a write.
const CHUNK: usize = 64 * 1024;
/// How long the thread rests after a write. Under load it finds many lines then, and nobody has to wake it for one.
const REST: Duration = Duration::from_millis(5);
/// Characters of a path that are shown.
const PATH: usize = 256;

/// The log's front.
#[derive(Debug)]
pub struct AccessLog {
    lines: Option<SyncSender<String>>,
    dropped: AtomicU64,
}

impl AccessLog {
    /// Starts the thread, if the log level asks for the lines (target `access`, level info).
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn start() -> io::Result<Self> {
        if !log::log_enabled!(target: "access", log::Level::Info) {
            return Ok(Self { lines: None, dropped: AtomicU64::new(0) });
        }
        let (sender, receiver) = sync_channel(QUEUE);
        std::thread::Builder::new().name("access-log".into()).spawn(move || write_lines(&receiver))?;
        Ok(Self { lines: Some(sender), dropped: AtomicU64::new(0) })
    }

    /// Queues a line; never waits.
    pub fn line(&self, head: &Head, status: u16, bytes: u64, took: Duration) {
        let Some(lines) = &self.lines else { return };
        let mut line = String::with_capacity(160);
        let _ = write!(line, "access {} {} {} ", head.request_id, head.peer.key(), head.method);
        line.extend(head.raw_path.chars().filter(char::is_ascii_graphic).take(PATH));
        let _ = writeln!(line, " {status} {bytes} {:.1}ms", took.as_secs_f64() * 1000.0);
        let lost = self.dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(line, "access log: {lost} lines were dropped, stderr is read too slowly");
        }
        if lines.try_send(line).is_err() {
            self.dropped.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }
}

fn write_lines(lines: &Receiver<String>) {
    let mut chunk = String::with_capacity(CHUNK);
    while let Ok(first) = lines.recv() {
        chunk.push_str(&first);
        while chunk.len() < CHUNK {
            match lines.try_recv() {
                Ok(line) => chunk.push_str(&line),
                Err(_) => break,
            }
        }
        // Nobody is left to be told if stderr is gone.
        let _ = io::stderr().write_all(chunk.as_bytes());
        chunk.clear();
        std::thread::sleep(REST);
    }
}
