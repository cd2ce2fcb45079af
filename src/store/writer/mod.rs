//! The writer: one thread, one connection, group commit (DESIGN D11).
//!
//! What has queued up runs in one `BEGIN IMMEDIATE` transaction, each but the first in a savepoint, and is answered after
//! the one commit. A piece of work that fails or panics is rolled back alone.
//!
//! Here is its handle. `job` is a piece of work, `batch` the thread that does it, `pace` how long a commit waits for more.

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

/// The writer thread's handle. Dropping it lets the thread finish what is queued and end.
pub struct Writer {
    // Goes before the thread, which ends with it.
    queue: SyncSender<Box<dyn WriteJob>>,
    thread: EventThread,
    told: Arc<WriterState>,
}

impl Writer {
    /// Has this called after every commit that changed something, on the writer's thread. It must be quick and must not
    /// hold the store. Only the first stays.
    pub fn on_commit(&self, hook: impl Fn() + Send + Sync + 'static) {
        let _ = self.told.committed.set(Box::new(hook));
    }

    /// Starts the thread on its connection; `queue` pieces of work may wait. `last` ends every transaction.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn start(conn: Connection, queue: usize, condition: Arc<Condition>, last: Last) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(queue);
        let told = Arc::<WriterState>::default();
        let telling = Arc::clone(&told);
        let work = move || serve(conn, &receiver, &telling, &condition, last);
        let thread = EventThread::start("writer", work)?;
        Ok(Self { queue: sender, thread, told })
    }

    /// Queues `work`; `done` is called on the writer thread after the commit, or at once with an error if the queue
    /// is full or closed. `done` must be quick and must not write.
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

    /// Runs `work` and waits until it is on disk.
    ///
    /// # Errors
    /// The work's own error, or the store's.
    pub fn write<T, E, F>(&self, label: Label, work: F) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
    {
        let (sender, receiver) = sync_channel(1);
        self.submit(label, work, move |result| {
            let _ = sender.send(result);
        });
        receiver.recv().unwrap_or_else(|_| Err(StoreError::Unavailable("the writer has ended".into()).into()))
    }

    /// Like [`Writer::write`], of what is worth no new backup.
    ///
    /// # Errors
    /// The work's own error, or the store's.
    pub fn write_light<T, E, F>(&self, label: Label, work: F) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
    {
        let (sender, receiver) = sync_channel(1);
        let done = move |result| drop(sender.send(result));
        self.queue(Box::new(WriteWork { label, light: true, work: Some(work), result: None, done }));
        receiver.recv().unwrap_or_else(|_| Err(StoreError::Unavailable("the writer has ended".into()).into()))
    }

    /// False once the thread has died.
    pub fn is_alive(&self) -> bool {
        self.thread.is_alive()
    }

    /// Why the last commit that had something to write failed; `None` once one has succeeded.
    pub fn trouble(&self) -> Option<StoreError> {
        self.told.trouble().clone()
    }

    /// For how long it has been at one transaction; `None` while it waits for work.
    pub fn at_work(&self) -> Option<Duration> {
        self.told.at_work()
    }

    /// Grows with every commit that changed something, but what is [light](Writer::write_light). What was read after this
    /// was called is at least this new.
    pub fn version(&self) -> u64 {
        self.told.version.load(Ordering::Acquire)
    }

    /// Grows with every commit that changed only what is [light](Writer::write_light).
    pub fn light_version(&self) -> u64 {
        self.told.light.load(Ordering::Acquire)
    }
}
