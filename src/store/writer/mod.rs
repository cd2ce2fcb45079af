//! The writer: one thread, one connection, group commit (DESIGN D11).
//!
//! The queued jobs run in one `BEGIN IMMEDIATE` transaction, each but the first in a savepoint, and are answered after
//! the one commit. A job that fails or panics is rolled back alone.
//!
//! This module is the writer's handle. `job` is one piece of work, `batch` the thread that runs it. `pace` decides how
//! long a commit waits for more.

mod batch;
mod job;
mod pace;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use rusqlite::Connection;

use crate::threads::EventThread;

use super::condition::Condition;
use super::error::StoreError;
use batch::{Last, WriterState, serve};
use job::{WriteJob, WriteWork};

pub use job::Label;

/// The writer thread's handle. Dropping it lets the thread finish the queue and end.
pub struct Writer {
    // Dropped before the thread, which ends when the queue is closed.
    queue: SyncSender<Box<dyn WriteJob>>,
    thread: EventThread,
    told: Arc<WriterState>,
}

impl Writer {
    /// Sets the hook that is called on the writer's thread after every commit that changed something. It must be quick
    /// and must not hold the store. Only the first hook is kept.
    pub fn on_commit(&self, hook: impl Fn() + Send + Sync + 'static) {
        let _ = self.told.committed.set(Box::new(hook));
    }

    /// Starts the thread on its connection. Up to `queue` jobs may wait. `last` ends every transaction.
    ///
    /// # Errors
    /// The system's error if no thread can be started.
    pub fn start(conn: Connection, queue: usize, condition: Arc<Condition>, last: Last) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(queue);
        let told = Arc::<WriterState>::default();
        let telling = Arc::clone(&told);
        let work = move || serve(conn, &receiver, &telling, &condition, last);
        let thread = EventThread::start("writer", work)?;
        Ok(Self { queue: sender, thread, told })
    }

    /// Queues `work`. `done` is called on the writer thread after the commit, or at once with an error if the queue is
    /// full or closed. It must be quick and must not write.
    pub fn submit<T, E, F, D>(&self, label: Label, work: F, done: D)
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
        D: FnOnce(std::result::Result<T, E>) + Send + 'static,
    {
        self.queue(Box::new(WriteWork { label, light: false, work: Some(work), result: None, done }));
    }

    fn queue(&self, job: Box<dyn WriteJob>) {
        let refused = |job: Box<dyn WriteJob>, why: &str| job.finish(Err(StoreError::Unavailable(why.into())));
        match self.queue.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(job)) => refused(job, "too many writes are waiting"),
            Err(TrySendError::Disconnected(job)) => refused(job, "the writer has ended"),
        }
    }

    /// Runs `work` and waits until it is on disk. The writer's own thread must not wait for itself: there it gets an
    /// error at once.
    ///
    /// # Errors
    /// The work's own error, or any [`StoreError`].
    pub fn write<T, E, F>(&self, label: Label, work: F) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
    {
        self.wait(label, false, work)
    }

    /// Like [`Writer::write`], for changes that are not worth a new backup.
    ///
    /// # Errors
    /// The work's own error, or any [`StoreError`].
    pub fn write_light<T, E, F>(&self, label: Label, work: F) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
    {
        self.wait(label, true, work)
    }

    fn wait<T, E, F>(&self, label: Label, light: bool, work: F) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
    {
        if self.thread.is_current() {
            let why = format!("the write at {}:{} would wait for its own thread", label.at.file(), label.at.line());
            log::error!("{why}: a bug, it must be submitted instead");
            return Err(StoreError::Other(why).into());
        }
        let (sender, receiver) = sync_channel(1);
        let done = move |result| drop(sender.send(result));
        self.queue(Box::new(WriteWork { label, light, work: Some(work), result: None, done }));
        receiver.recv().unwrap_or_else(|_| Err(StoreError::Unavailable("the writer has ended".into()).into()))
    }

    /// False once the thread has died.
    pub fn is_alive(&self) -> bool {
        self.thread.is_alive()
    }

    /// Returns why the last commit that had something to write failed; `None` once one has succeeded.
    pub fn trouble(&self) -> Option<StoreError> {
        self.told.trouble().clone()
    }

    /// Returns how long the writer has worked on one transaction; `None` while it waits for work.
    pub fn at_work(&self) -> Option<Duration> {
        self.told.at_work()
    }

    /// Returns a number that grows with every commit that changed something, except commits of only
    /// [light](Writer::write_light) changes. Data that is read after this call is at least this new.
    pub fn version(&self) -> u64 {
        self.told.version.load(Ordering::Acquire)
    }

    /// Returns a number that grows with every commit that changed only [light](Writer::write_light) data.
    pub fn light_version(&self) -> u64 {
        self.told.light.load(Ordering::Acquire)
    }
}
