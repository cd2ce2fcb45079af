//! The writer: one thread, one connection, group commit (DESIGN D11).
//!
//! What has queued up runs as savepoints of one `BEGIN IMMEDIATE` transaction and is answered after the one commit.
//! A piece of work that fails or panics is rolled back alone.

use std::any::Any;
use std::panic::Location;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::condition::Condition;
use super::error::{Result, StoreError};
use super::rescue;
use crate::limits::{SLOW_WRITE, WRITER_BATCH};
use crate::threads::lock;

/// A piece of work in the queue, its types forgotten.
trait Job: Send {
    /// Does the work inside a savepoint; true to keep what it wrote.
    fn run(&mut self, conn: &Connection) -> bool;
    /// True if what it writes is worth no new backup.
    fn is_light(&self) -> bool;
    /// Tells the caller, after the commit.
    fn finish(self: Box<Self>, committed: Result<()>);
}

/// What a piece of work is, for the log.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// The action, where it has one.
    pub action: &'static str,
    /// Where in the code it was submitted.
    pub at: &'static Location<'static>,
}

struct Work<T, E, F, D> {
    label: Label,
    light: bool,
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
        let watch = Watch::start(self.label);
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

/// How long a piece of work takes: whoever writes meanwhile waits.
struct Watch {
    label: Label,
    began: Instant,
    worked: Duration,
}

impl Watch {
    fn start(label: Label) -> Self {
        Self { label, began: Instant::now(), worked: worked() }
    }

    fn stop(self) {
        let took = self.began.elapsed();
        if took >= SLOW_WRITE {
            let worked = worked().saturating_sub(self.worked);
            let Label { action, at } = self.label;
            // Of a write that worked little and took long, the disk or other processes were to blame.
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

/// How long this thread has held a processor.
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
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
    told: Arc<Told>,
}

/// What the writer's thread tells the others.
#[derive(Default)]
struct Told {
    /// Grows with every commit that changed something, before anybody is told of it.
    version: AtomicU64,
    /// The same for commits that changed what is worth no new backup.
    light: AtomicU64,
    trouble: Mutex<Option<StoreError>>,
    /// What is called after every commit that changed something.
    committed: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// What is done once for all of a transaction, at its end, outside the savepoint of any piece of work. Should it fail, the
/// work is committed without it, so the next one has to make up for it.
pub type Last = fn(&Connection) -> Result<()>;

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
        let told = Arc::<Told>::default();
        let telling = Arc::clone(&told);
        let work = move || serve(conn, &receiver, &telling, &condition, last);
        let thread = std::thread::Builder::new().name("writer".into()).spawn(work)?;
        Ok(Self { queue: Some(sender), thread: Some(thread), told })
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
        self.queue(Box::new(Work { label, light: false, work: Some(work), result: None, done }));
    }

    fn queue(&self, job: Box<dyn Job>) {
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
        self.queue(Box::new(Work { label, light: true, work: Some(work), result: None, done }));
        receiver.recv().unwrap_or_else(|_| Err(StoreError::Unavailable("the writer has ended".into()).into()))
    }

    /// False once the thread has died.
    pub fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Why the last commit that had something to write failed; `None` once one has succeeded.
    pub fn trouble(&self) -> Option<StoreError> {
        self.told.trouble().clone()
    }

    /// Grows with every commit that changed something, but what is [light](Writer::write_light). What was read after this
    /// was called is at least this new.
    pub fn version(&self) -> u64 {
        self.told.version.load(Ordering::Acquire)
    }
}

impl Writer {
    /// Grows with every commit that changed only what is [light](Writer::write_light).
    pub fn light_version(&self) -> u64 {
        self.told.light.load(Ordering::Acquire)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        // What a piece of work holds may hold the store: then this runs on the thread itself, which is about to end.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl Told {
    fn trouble(&self) -> MutexGuard<'_, Option<StoreError>> {
        lock(&self.trouble)
    }
}

fn serve(conn: Connection, queue: &Receiver<Box<dyn Job>>, told: &Told, condition: &Condition, last: Last) {
    let mut rescued = false;
    while let Ok(first) = queue.recv() {
        match condition.in_place() {
            Ok(()) => condition.noting(|| commit_batch(&conn, queue, first, told, last)),
            // What is written into a file without a name is lost with the process.
            Err(gone) => {
                finish(first, Err(gone));
                if !rescued {
                    save_elsewhere(&conn);
                }
                rescued = true;
                continue;
            }
        }
        rescued = false;
    }
    // After a clean stop the one file is complete: the WAL is written back and goes with the last connection.
    if let Err(error) = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        log::warn!("the last checkpoint failed, the WAL stays beside the database: {error}");
    }
}

/// Once for each time the file went away.
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

/// Runs `first` and what has queued up behind it in one transaction, and answers all of it after the commit.
fn commit_batch(conn: &Connection, queue: &Receiver<Box<dyn Job>>, first: Box<dyn Job>, told: &Told, last: Last) {
    let mut ran = Vec::new();
    let before = conn.total_changes();
    let mut light = 0;
    let outcome = run_batch(conn, queue, first, (&mut ran, &mut light), last);
    if let Err(error) = &outcome {
        log::error!("a commit failed: {error}");
        if !conn.is_autocommit() {
            let _ = execute(conn, "ROLLBACK");
        }
        // What the WAL holds may fit into the database: then the next write finds room.
        if matches!(error, StoreError::Full(_)) {
            let _ = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }
    // A commit of nothing says nothing about the disk.
    if outcome.is_err() || conn.total_changes() > before {
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
}

/// One answer that panics must not take the others, or the thread, with it.
fn finish(job: Box<dyn Job>, outcome: Result<()>) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| job.finish(outcome))) {
        log::error!("the callback at the end of a write panicked: {}", text_of(&*panic));
    }
}

fn run_batch(
    conn: &Connection,
    queue: &Receiver<Box<dyn Job>>,
    first: Box<dyn Job>,
    (ran, light): (&mut Vec<Box<dyn Job>>, &mut u64),
    last: Last,
) -> Result<()> {
    let begun = execute(conn, "BEGIN IMMEDIATE");
    let mut next = Some(first);
    while let Some(mut job) = next {
        let (before, is_light) = (conn.total_changes(), job.is_light());
        let done = if begun.is_ok() { in_savepoint(conn, job.as_mut()) } else { begun.clone() };
        ran.push(job);
        done?;
        if is_light {
            *light += conn.total_changes() - before;
        }
        next = if ran.len() < WRITER_BATCH { queue.try_recv().ok() } else { None };
    }
    in_savepoint(conn, &mut End { last })?;
    execute(conn, "COMMIT")
}

/// What ends the transaction, as a piece of work that nobody waits for.
struct End {
    last: Last,
}

impl Job for End {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    const HERE: Label = Label { action: "test", at: Location::caller() };

    type Answer = std::result::Result<i64, StoreError>;
    type Numbered = (i64, Answer);

    /// A writer on a fresh file, held back so that what is submitted meanwhile becomes one batch.
    struct Held {
        writer: Writer,
        go: Sender<()>,
        path: std::path::PathBuf,
        answers: (Sender<Numbered>, Receiver<Numbered>),
        // The last to go: the writer closes its files first.
        _dir: Dir,
    }

    struct Dir(std::path::PathBuf);

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn held(name: &str, set_up: &str) -> Held {
        let dir = Dir(std::env::temp_dir().join(format!("taosd-writer-{}-{name}", std::process::id())));
        std::fs::create_dir_all(&dir.0).unwrap();
        let path = dir.0.join("w.db");
        std::fs::File::create(&path).unwrap();
        let conn = crate::store::open::writing(&path, crate::store::open::Medium::Live).unwrap();
        conn.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)").unwrap();
        conn.execute_batch(set_up).unwrap();
        let writer = Writer::start(conn, 16, Arc::new(Condition::new(&path).unwrap()), |_| Ok(())).unwrap();
        let (go, wait) = channel::<()>();
        let (started, running) = channel();
        writer.submit(
            HERE,
            move |_| {
                started.send(()).unwrap();
                wait.recv().unwrap();
                Ok::<_, StoreError>(())
            },
            |_| {},
        );
        running.recv().unwrap();
        Held { writer, go, path, answers: channel(), _dir: dir }
    }

    impl Held {
        fn submit(&self, n: i64, work: impl FnOnce(&Connection) -> Answer + Send + 'static) {
            let to = self.answers.0.clone();
            self.writer.submit(HERE, work, move |answer| to.send((n, answer)).unwrap());
        }

        fn insert(&self, n: i64) {
            self.submit(n, move |conn| put(conn, n, 10));
        }

        /// Lets the batch run: the answers in the order they came.
        fn run(&self, answers: usize) -> Vec<Numbered> {
            self.go.send(()).unwrap();
            (0..answers).map(|_| self.answers.1.recv().unwrap()).collect()
        }

        fn rows(&self) -> Vec<i64> {
            self.writer
                .write(HERE, |conn| -> Result<Vec<i64>> {
                    let mut all = conn.prepare("SELECT n FROM t ORDER BY n")?;
                    Ok(all.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
                })
                .unwrap()
        }
    }

    fn put(conn: &Connection, n: i64, bytes: usize) -> Answer {
        conn.execute("INSERT INTO t VALUES (?1, ?2)", (n, "x".repeat(bytes)))?;
        Ok(n)
    }

    #[test]
    fn a_request_that_fails_in_a_batch_is_rolled_back_alone() {
        let held = held("fails", "");
        held.insert(1);
        held.submit(2, |conn| {
            put(conn, 20, 10)?;
            Err(StoreError::Other("changed my mind".into()))
        });
        held.submit(3, |conn| put(conn, 1, 10));
        held.insert(4);
        let answers = held.run(4);
        assert!(matches!(answers[0], (1, Ok(1))) && matches!(answers[3], (4, Ok(4))), "{answers:?}");
        assert!(matches!(answers[1], (2, Err(StoreError::Other(_)))), "{answers:?}");
        assert!(matches!(answers[2], (3, Err(StoreError::Exists(_)))), "{answers:?}");
        assert_eq!(held.rows(), [1, 4]);
        assert!(held.writer.trouble().is_none(), "a request's own failure is no trouble of the disk");
    }

    #[test]
    fn a_request_that_panics_in_a_batch_is_rolled_back_alone_and_the_writer_goes_on() {
        let held = held("panics", "");
        held.insert(1);
        held.submit(2, |conn| {
            put(conn, 20, 10)?;
            panic!("a bug");
        });
        held.insert(3);
        let answers = held.run(3);
        assert!(matches!(&answers[1], (2, Err(StoreError::Other(why))) if why.contains("a bug")), "{answers:?}");
        assert_eq!(held.rows(), [1, 3]);
        assert!(held.writer.is_alive());
    }

    #[test]
    fn an_answer_that_panics_takes_no_other_answer_with_it() {
        let held = held("answers", "");
        held.writer.submit(HERE, |conn| put(conn, 1, 10), |_| panic!("a bug"));
        held.insert(2);
        assert!(matches!(held.run(1)[..], [(2, Ok(2))]));
        assert_eq!(held.rows(), [1, 2]);
        assert!(held.writer.is_alive());
    }

    #[test]
    fn a_full_disk_fails_its_batch_and_no_more() {
        // A database that may not grow is a full disk to SQLite.
        let held = held("full", "PRAGMA max_page_count = 8");
        held.insert(1);
        held.submit(2, |conn| put(conn, 2, 100_000));
        let answers = held.run(2);
        assert!(matches!(answers[0], (1, Err(StoreError::Full(_)))), "nothing of the batch is on disk: {answers:?}");
        assert!(matches!(answers[1], (2, Err(StoreError::Full(_)))), "{answers:?}");
        assert!(matches!(held.writer.trouble(), Some(StoreError::Full(_))));
        assert_eq!(held.rows(), Vec::<i64>::new());
        held.insert(3);
        assert!(matches!(held.answers.1.recv().unwrap(), (3, Ok(3))));
        assert_eq!(held.rows(), [3]);
        assert!(held.writer.trouble().is_none());
    }

    #[test]
    fn a_batch_is_one_commit_and_each_commit_is_synced() {
        let held = held("synced", "");
        let modes = |conn: &Connection| -> Result<(String, i64)> {
            Ok((
                conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?,
                conn.pragma_query_value(None, "synchronous", |row| row.get(0))?,
            ))
        };
        let (sender, receiver) = channel();
        held.writer.submit(HERE, modes, move |found| sender.send(found).unwrap());
        (0..5).for_each(|n| held.insert(n));
        // None of the five can be answered before the one commit: none is visible to another connection before it.
        let other = Connection::open(&held.path).unwrap();
        let seen = move || other.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(seen(), 0);
        held.run(5);
        assert_eq!(seen(), 5);
        assert_eq!(receiver.recv().unwrap().unwrap(), ("wal".to_owned(), 2), "WAL, synchronous FULL");
    }
}
