//! The writer: one thread, one connection, group commit (DESIGN D11).
//!
//! What has queued up runs as savepoints of one `BEGIN IMMEDIATE` transaction and is answered after the one commit.
//! A piece of work that fails or panics is rolled back alone.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::error::{Result, StoreError};
use crate::limits::WRITER_BATCH;

/// A piece of work in the queue, its types forgotten.
trait Job: Send {
    /// Does the work inside a savepoint; true to keep what it wrote.
    fn run(&mut self, conn: &Connection) -> bool;
    /// Tells the caller, after the commit.
    fn finish(self: Box<Self>, committed: Result<()>);
}

struct Work<T, E, F, D> {
    work: Option<F>,
    result: Option<std::result::Result<T, E>>,
    done: D,
}

impl<T, E, F, D> Job for Work<T, E, F, D>
where
    T: Send,
    E: From<StoreError> + Send,
    F: FnOnce(&Connection) -> std::result::Result<T, E> + Send,
    D: FnOnce(std::result::Result<T, E>) + Send,
{
    fn run(&mut self, conn: &Connection) -> bool {
        let Some(work) = self.work.take() else { return false };
        let result = catch_unwind(AssertUnwindSafe(|| work(conn)))
            .unwrap_or_else(|panic| Err(StoreError::Other(format!("a write panicked: {}", text_of(&*panic))).into()));
        let keep = result.is_ok();
        self.result = Some(result);
        keep
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

fn text_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// The writer thread's handle. Dropping it lets the thread finish what is queued and end.
pub struct Writer {
    queue: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread on its connection; `queue` pieces of work may wait.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn start(conn: Connection, queue: usize) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(queue);
        let thread = std::thread::Builder::new().name("writer".into()).spawn(move || serve(conn, &receiver))?;
        Ok(Self { queue: Some(sender), thread: Some(thread) })
    }

    /// Queues `work`; `done` is called on the writer thread after the commit, or at once with an error if the queue
    /// is full or closed. `done` must be quick and must not write.
    pub fn submit<T, E, F, D>(&self, work: F, done: D)
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
        D: FnOnce(std::result::Result<T, E>) + Send + 'static,
    {
        let job: Box<dyn Job> = Box::new(Work { work: Some(work), result: None, done });
        let refused = |job: Box<dyn Job>, why: &str| job.finish(Err(StoreError::Unavailable(why.into())));
        match &self.queue {
            None => refused(job, "the writer is closed"),
            Some(queue) => match queue.try_send(job) {
                Ok(()) => {}
                Err(TrySendError::Full(job)) => refused(job, "too many writes are waiting"),
                Err(TrySendError::Disconnected(job)) => refused(job, "the writer has ended"),
            },
        }
    }

    /// Runs `work` and waits until it is on disk.
    ///
    /// # Errors
    /// The work's own error, or the store's.
    pub fn write<T, E, F>(&self, work: F) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
    {
        let (sender, receiver) = sync_channel(1);
        self.submit(work, move |result| {
            let _ = sender.send(result);
        });
        receiver.recv().unwrap_or_else(|_| Err(StoreError::Unavailable("the writer has ended".into()).into()))
    }

    /// False once the thread has died.
    pub fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(conn: Connection, queue: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = queue.recv() {
        commit_batch(&conn, queue, first);
    }
    // After a clean stop the one file is complete: the WAL is written back and goes with the last connection.
    if let Err(error) = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        log::warn!("the last checkpoint failed, the WAL stays beside the database: {error}");
    }
}

/// Runs `first` and what has queued up behind it in one transaction, and answers all of it after the commit.
fn commit_batch(conn: &Connection, queue: &Receiver<Box<dyn Job>>, first: Box<dyn Job>) {
    let mut ran = Vec::new();
    let outcome = run_batch(conn, queue, first, &mut ran);
    if let Err(error) = &outcome {
        log::error!("a commit failed: {error}");
        if !conn.is_autocommit() {
            let _ = execute(conn, "ROLLBACK");
        }
    }
    for job in ran {
        job.finish(outcome.clone());
    }
}

fn run_batch(
    conn: &Connection,
    queue: &Receiver<Box<dyn Job>>,
    first: Box<dyn Job>,
    ran: &mut Vec<Box<dyn Job>>,
) -> Result<()> {
    let begun = execute(conn, "BEGIN IMMEDIATE");
    let mut next = Some(first);
    while let Some(mut job) = next {
        let done = if begun.is_ok() { in_savepoint(conn, job.as_mut()) } else { begun.clone() };
        ran.push(job);
        done?;
        next = if ran.len() < WRITER_BATCH { queue.try_recv().ok() } else { None };
    }
    execute(conn, "COMMIT")
}

/// An error here means that the whole transaction is lost: SQLite rolls it back by itself when the disk is full.
fn in_savepoint(conn: &Connection, job: &mut dyn Job) -> Result<()> {
    execute(conn, "SAVEPOINT job")?;
    let keep = job.run(conn);
    if conn.is_autocommit() {
        return Err(StoreError::Full("the transaction was rolled back, most likely for want of room".into()));
    }
    if !keep {
        execute(conn, "ROLLBACK TO job")?;
    }
    execute(conn, "RELEASE job")
}

fn execute(conn: &Connection, sql: &str) -> Result<()> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}
