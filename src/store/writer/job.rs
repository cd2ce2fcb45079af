//! A job in the writer's queue, and the time it takes.

use std::any::Any;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::limits::SLOW_WRITE;
use crate::store::error::{Result, StoreError};

/// A job in the queue, with its types erased.
pub(super) trait WriteJob: Send {
    /// Runs the job. Returns true to keep what it wrote.
    fn run(&mut self, conn: &Connection) -> bool;
    /// True if what it writes is not worth a new backup.
    fn is_light(&self) -> bool;
    /// Gives the result to the caller, after the commit.
    fn finish(self: Box<Self>, committed: Result<()>);
}

/// The label of a job in the log.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// The action, if it has one.
    pub action: &'static str,
    /// The place in the code that submitted it.
    pub at: &'static Location<'static>,
}

/// A job with its types.
pub(super) struct WriteWork<T, E, F, D> {
    pub(super) label: Label,
    /// Whether what it writes is not worth a new backup.
    pub(super) light: bool,
    pub(super) work: Option<F>,
    pub(super) result: Option<std::result::Result<T, E>>,
    pub(super) done: D,
}

impl<T, E, F, D> WriteJob for WriteWork<T, E, F, D>
where
    T: Send,
    E: From<StoreError> + Send,
    F: FnOnce(&Connection) -> std::result::Result<T, E> + Send,
    D: FnOnce(std::result::Result<T, E>) + Send,
{
    fn run(&mut self, conn: &Connection) -> bool {
        let Some(work) = self.work.take() else { return false };
        let watch = WorkTimer::start(self.label);
        let result = catch_unwind(AssertUnwindSafe(|| work(conn)))
            .unwrap_or_else(|panic| Err(StoreError::Other(format!("a write panicked: {}", text_of(&*panic))).into()));
        watch.stop();
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn is_light(&self) -> bool {
        self.light
    }

    fn finish(self: Box<Self>, committed: Result<()>) {
        let result = match (self.result, committed) {
            (Some(Ok(_)) | None, Err(error)) => Err(error.into()),
            (Some(result), _) => result,
            (None, Ok(())) => Err(StoreError::Other("a write was not run".into()).into()),
        };
        (self.done)(result);
    }
}

/// Measures how long a job takes: other writers wait meanwhile.
struct WorkTimer {
    label: Label,
    began: Instant,
    worked: Duration,
}

impl WorkTimer {
    fn start(label: Label) -> Self {
        Self { label, began: Instant::now(), worked: worked() }
    }

    fn stop(self) {
        let took = self.began.elapsed();
        if took >= SLOW_WRITE {
            let worked = worked().saturating_sub(self.worked);
            let Label { action, at } = self.label;
            // If a write worked little and took long, the disk or other processes were the cause.
            log::warn!(
                "slow write, {} ms ({} ms of them at work): {action} ({}:{})",
                took.as_millis(),
                worked.as_millis(),
                at.file(),
                at.line()
            );
        }
    }
}

/// Returns the CPU time of this thread.
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Returns the message of a panic.
pub(super) fn text_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
