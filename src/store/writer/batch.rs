//! The writer's thread: runs the queued work in one transaction and answers it after the commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::job::{WriteJob, text_of};
use super::pace::Pace;
use crate::limits::WRITER_BATCH;
use crate::store::condition::Condition;
use crate::store::error::{Result, StoreError};
use crate::store::rescue;
use crate::threads::lock;

/// The queue of jobs, and the pace: how long a commit waits for more.
type BatchQueue<'a> = (&'a Receiver<Box<dyn WriteJob>>, &'a mut Pace);

/// The parts that every transaction uses.
struct BatchWork<'a> {
    conn: &'a Connection,
    condition: &'a Condition,
    last: Last,
}

/// The writer thread's state, which other threads read.
#[derive(Default)]
pub(super) struct WriterState {
    /// Grows with every commit that changed something, before any caller gets its result.
    pub(super) version: AtomicU64,
    /// The same for commits that changed only what is not worth a new backup.
    pub(super) light: AtomicU64,
    trouble: Mutex<Option<StoreError>>,
    /// When the current transaction began; `None` between transactions.
    began: Mutex<Option<Instant>>,
    /// The hook that is called after every commit that changed something.
    pub(super) committed: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl WriterState {
    /// Why the last commit that had something to write failed; `None` if it succeeded.
    pub(super) fn trouble(&self) -> MutexGuard<'_, Option<StoreError>> {
        lock(&self.trouble)
    }

    /// Returns how long the writer has worked on the current transaction.
    pub(super) fn at_work(&self) -> Option<Duration> {
        lock(&self.began).map(|began| began.elapsed())
    }
}

/// The work that is done once at the end of every transaction, outside the savepoint of any job. If it fails, the jobs
/// are committed without it, so the next call has to make up for it.
pub type Last = fn(&Connection) -> Result<()>;

/// Runs jobs until the queue is closed and empty.
pub(super) fn serve(
    conn: Connection,
    queue: &Receiver<Box<dyn WriteJob>>,
    told: &WriterState,
    condition: &Condition,
    last: Last,
) {
    let (mut rescued, mut pace) = (false, Pace::default());
    while let Some(first) = pace.first(queue) {
        let outcome = match condition.in_place() {
            Ok(()) => {
                let work = BatchWork { conn: &conn, condition, last };
                condition.noting(|| commit_batch(&work, (queue, &mut pace), first, told))
            }
            Err(gone) => {
                finish(first, Err(gone.clone()));
                Err(gone)
            }
        };
        // Data that is written to a file without a name is lost with the process.
        let is_gone = matches!(outcome, Err(StoreError::Gone(_)));
        if is_gone && !rescued {
            save_elsewhere(&conn);
        }
        rescued = is_gone;
    }
    // After a clean stop the one file is complete: the WAL is written back and is removed with the last connection.
    if let Err(error) = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        log::warn!("the last checkpoint failed, the WAL stays beside the database: {error}");
    }
}

/// Saves the content of a database file that is missing. Called once each time the file goes away.
fn save_elsewhere(conn: &Connection) {
    let path = conn.path().unwrap_or_default();
    match rescue::rescue(conn, Path::new(path)) {
        Ok(place) => log::error!(
            "{path} is missing; its content is in {}: stop the daemon and restore that file",
            place.display()
        ),
        Err(error) => log::error!("{path} is missing, and its content could not be saved: {error}"),
    }
}

/// Runs `first` and the jobs queued behind it in one transaction, and answers all of them after the commit.
fn commit_batch(
    work: &BatchWork<'_>,
    queue: BatchQueue<'_>,
    first: Box<dyn WriteJob>,
    told: &WriterState,
) -> Result<()> {
    let conn = work.conn;
    let mut ran = Vec::new();
    let before = conn.total_changes();
    let mut light = 0;
    *lock(&told.began) = Some(Instant::now());
    let outcome = run_batch(work, queue, first, (&mut ran, &mut light));
    *lock(&told.began) = None;
    if let Err(error) = &outcome {
        log::error!("a commit failed: {error}");
        if !conn.is_autocommit() {
            let _ = execute(conn, "ROLLBACK");
        }
        // The content of the WAL may fit into the database; then the next write finds room.
        if matches!(error, StoreError::Full(_)) {
            let _ = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }
    // An empty commit says nothing about the disk. Neither does a file that went away: `Condition` reports that.
    let is_gone = matches!(outcome, Err(StoreError::Gone(_)));
    if !is_gone && (outcome.is_err() || conn.total_changes() > before) {
        *told.trouble() = outcome.clone().err();
        let only_light = outcome.is_ok() && conn.total_changes() == before + light;
        let counter = if only_light { &told.light } else { &told.version };
        counter.fetch_add(1, Ordering::Release);
    }
    let changed = outcome.is_ok() && conn.total_changes() > before;
    for job in ran {
        finish(job, outcome.clone());
    }
    if let Some(hook) = told.committed.get().filter(|_| changed) {
        hook();
    }
    outcome
}

/// Finishes a job. A callback that panics must not stop the other callbacks or the thread.
fn finish(job: Box<dyn WriteJob>, outcome: Result<()>) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| job.finish(outcome))) {
        log::error!("the callback at the end of a write panicked: {}", text_of(&*panic));
    }
}

fn run_batch(
    &BatchWork { conn, condition, last }: &BatchWork<'_>,
    (queue, pace): BatchQueue<'_>,
    first: Box<dyn WriteJob>,
    (ran, light): (&mut Vec<Box<dyn WriteJob>>, &mut u64),
) -> Result<()> {
    let begun = execute(conn, "BEGIN IMMEDIATE");
    let mut next = Some(first);
    while let Some(mut job) = next {
        let (before, is_light) = (conn.total_changes(), job.is_light());
        let done = match &begun {
            Ok(()) if ran.is_empty() => first_of_all(conn, job.as_mut()),
            Ok(()) => in_savepoint(conn, job.as_mut()),
            Err(_) => begun.clone(),
        };
        ran.push(job);
        done?;
        if is_light {
            *light += conn.total_changes() - before;
        }
        next = if ran.len() < WRITER_BATCH { pace.next(queue, ran.len()) } else { None };
    }
    in_savepoint(conn, &mut BatchEnd { last })?;
    let began = Instant::now();
    // Checked again: the later jobs may have been sent after a file had gone.
    condition.in_place()?;
    execute(conn, "COMMIT")?;
    pace.committed(ran.len(), began.elapsed());
    Ok(())
}

/// The end of the transaction, as a job that nobody waits for.
struct BatchEnd {
    last: Last,
}

impl WriteJob for BatchEnd {
    fn run(&mut self, conn: &Connection) -> bool {
        let done = (self.last)(conn);
        if let Err(error) = &done {
            log::error!("a transaction could not be rounded off, the next one tries again: {error}");
        }
        done.is_ok()
    }

    fn is_light(&self) -> bool {
        true
    }

    fn finish(self: Box<Self>, _: Result<()>) {}
}

/// Runs the first job without a savepoint: there is nothing before it that its failure must leave alone. Within a
/// savepoint SQLite keeps a copy of each changed page, and walks through all of them at the end of many statements. For
/// a job that changes a thousand rows that is the larger half of the cost.
fn first_of_all(conn: &Connection, job: &mut dyn WriteJob) -> Result<()> {
    if run(conn, job)? {
        return Ok(());
    }
    execute(conn, "ROLLBACK")?;
    execute(conn, "BEGIN IMMEDIATE")
}

fn in_savepoint(conn: &Connection, job: &mut dyn WriteJob) -> Result<()> {
    execute(conn, "SAVEPOINT job")?;
    if !run(conn, job)? {
        execute(conn, "ROLLBACK TO job")?;
    }
    execute(conn, "RELEASE job")
}

/// Runs a job. Returns true to keep what it wrote. An error means that the whole transaction is lost: SQLite itself
/// rolls it back when the disk is full.
fn run(conn: &Connection, job: &mut dyn WriteJob) -> Result<bool> {
    let keep = job.run(conn);
    if conn.is_autocommit() {
        return Err(StoreError::Full("the transaction was rolled back, most likely for want of room".into()));
    }
    Ok(keep)
}

fn execute(conn: &Connection, sql: &str) -> Result<()> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}
