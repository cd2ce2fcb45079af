//! The store: the only module with SQL. One database file, one writer, a pool of readers, one source file per noun.
//!
//! Authorization and the formats of requests and replies do not belong here.

pub mod agent_keys;
pub mod agents;
pub mod audit;
pub mod audit_head;
pub mod changes;
pub mod channels;
mod check;
mod clauses;
mod condition;
pub mod context;
mod copy;
pub mod credentials;
pub mod deployments;
mod dir;
pub mod error;
pub mod expiry;
pub mod grants;
pub mod history;
pub mod idempotency;
pub mod joins;
pub mod keys;
pub mod knowledge;
#[cfg(test)]
mod list_plans;
pub mod messages;
pub mod meta;
mod migrate;
pub mod news;
pub mod notifications;
pub mod oauth_clients;
pub mod oauth_grants;
mod objects;
mod open;
pub mod operations;
pub mod page;
#[cfg(test)]
mod plans;
pub mod profiles;
mod readers;
pub mod registrations;
#[cfg(test)]
mod reply_plans;
pub mod requests;
mod rescue;
pub mod restore;
pub mod rights;
mod row;
pub mod sessions;
pub mod space;
pub mod spaces;
mod swept;
pub mod tasks;
pub mod tripwires;
pub mod uploads;
pub mod usage;
pub mod users;
pub mod webhook;
#[cfg(test)]
mod workspace_plans;
mod writer;

use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rusqlite::Connection;

pub use check::{CheckFinding, StillWanted, check, look, recognise};
pub use copy::{Copied, PART_SUFFIX, backup_dir, copy_at_rest, copy_pages, copy_to, sync_dir_of};
pub use dir::{BACKUPS, DirLock, TOKEN_FILE, lock_dir};
pub use error::{Result, StoreError};
pub use migrate::VERSION;
pub use open::{FILE, OpenError, identify, own, write_back};
pub use swept::Swept;

use check::check_gently;
use condition::Condition;
use copy::copy_beside;
use migrate::MigrateError;
use open::Medium;
use readers::Readers;
use writer::{Label, Writer};

/// How long a read waits for a free connection. There is one per worker, so no read should have to wait.
const READER_WAIT: Duration = Duration::from_secs(5);
/// A disk that takes longer for a write counts as not answering.
const STALLED: Duration = Duration::from_secs(3);
/// Milliseconds that a read may take, unless [`Store::end_reads_after`] sets another limit.
const READ_MILLIS: u64 = 2000;
/// The most writes that may wait for the writer.
const WRITE_QUEUE: usize = 4096;

/// The open database.
pub struct Store {
    // The fields are dropped in this order: readers first, so that the writer's connection closes last.
    readers: r2d2::Pool<Readers>,
    writer: Writer,
    condition: Arc<Condition>,
    dir: PathBuf,
    /// Milliseconds that one read may take.
    read_millis: AtomicU64,
    _lock: DirLock,
}

/// How to open a [`Store`].
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The data directory; made if it is missing.
    pub dir: PathBuf,
    /// The maximum number of reading connections.
    pub readers: usize,
    /// A statement that takes at least this many milliseconds is logged as slow.
    pub slow_query_ms: u64,
    /// Whether an empty database may be made if the old one was lost.
    pub new_box: bool,
}

impl Store {
    /// Locks the data directory, makes or checks the database file, and upgrades its schema.
    ///
    /// # Errors
    /// An [`OpenError`], which determines the exit code.
    pub fn open(options: &StoreOptions) -> std::result::Result<Self, OpenError> {
        let dir = options.dir.clone();
        let lock = lock_dir(&dir)?;
        let path = dir.join(FILE);
        if options.new_box {
            dir::forget(&dir)?
        } else {
            dir::refuse_to_forget(&dir)?
        }
        open::make_file(&path)?;
        let lock = lock.with_database(&path)?;
        open::prepare_file(&path)?;
        let condition = Condition::new(&path).map(Arc::new).map_err(|e| OpenError::Io(path.clone(), e))?;
        open::log_statements_slower_than(options.slow_query_ms);
        let store = |error: StoreError| match error {
            StoreError::Damaged(why) => OpenError::Damaged(path.clone(), why),
            other => OpenError::Store(path.clone(), other),
        };
        let medium = open::medium(&path).map_err(|e| OpenError::Io(path.clone(), e))?;
        if medium == Medium::Frozen {
            log::error!("{} is on a read-only file system: the daemon serves reads and refuses writes", path.display());
        }
        let mut conn = open::writing(&path, medium).map_err(|e| store(e.into()))?;
        let unfit = |error: MigrateError| match error {
            MigrateError::TooNew(found) => OpenError::TooNew { path: path.clone(), found, known: VERSION },
            MigrateError::Foreign => OpenError::Foreign(path.clone(), error.to_string()),
            MigrateError::Dangling(_) => OpenError::Damaged(path.clone(), error.to_string()),
            MigrateError::Sqlite(error) => store(error.into()),
        };
        // Must come before any SQL of the file runs: the file may be a backup from anywhere that was copied here.
        let foreign = |why| OpenError::Damaged(path.clone(), format!("its schema is not taosd's: {why}"));
        objects::compare(&mut conn).map_err(store)?.map_err(foreign)?;
        if (1..VERSION).contains(&migrate::version(&conn).map_err(unfit)?) {
            keep_before_upgrade(&path, &dir).map_err(store)?;
        }
        objects::bring_up(&mut conn).map_err(unfit)?;
        if medium == Medium::Live
            && let Err(error) = operations::forget_environments(&conn)
        {
            // With a full disk the daemon still serves; the next start tries again.
            log::error!("the environment of old deployments could not be removed from the database: {error}");
        }
        if medium == Medium::Live {
            index_names(&conn);
        }
        let writer = Writer::start(conn, WRITE_QUEUE, Arc::clone(&condition), round_off)
            .map_err(|e| OpenError::Io(path.clone(), e))?;
        let readers = r2d2::Pool::builder()
            .max_size(u32::try_from(options.readers.max(1)).unwrap_or(u32::MAX))
            .min_idle(Some(1))
            .idle_timeout(None)
            .max_lifetime(None)
            .test_on_check_out(false)
            .connection_timeout(READER_WAIT)
            .build(Readers::new(path.clone(), medium, Arc::clone(&condition)))
            .map_err(|e| store(StoreError::Unavailable(e.to_string())))?;
        Ok(Self { readers, writer, condition, dir, read_millis: AtomicU64::new(READ_MILLIS), _lock: lock })
    }

    /// Logs statements that take at least `millis` milliseconds from now on, in every store of the process.
    pub fn log_slower_than(&self, millis: u64) {
        open::log_statements_slower_than(millis);
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs a read of a single statement, without a transaction.
    ///
    /// # Errors
    /// The error of `read`, or a [`StoreError`].
    pub fn lookup<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&Connection) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let reader = self.reader()?;
        let found = self.condition.noting(|| read(&reader));
        reader.release();
        found
    }

    /// Runs a read of several statements in one transaction: all of them see the same state.
    ///
    /// # Errors
    /// The error of `read`, or a [`StoreError`].
    pub fn read<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&Connection) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let reader = self.reader()?;
        let found = self.condition.noting(|| {
            let tx = reader.begin().map_err(StoreError::from)?;
            let found = read(&tx);
            // Dropping `tx` ends the transaction; the time limit must not interrupt that.
            reader.release();
            found
        });
        reader.release();
        found
    }

    /// Returns a reading connection whose time limit for one read starts now.
    fn reader(&self) -> Result<r2d2::PooledConnection<Readers>> {
        let reader = self.readers.get().map_err(|e| StoreError::Unavailable(e.to_string()))?;
        reader.give(Duration::from_millis(self.read_millis.load(Ordering::Relaxed)));
        Ok(reader)
    }

    /// Limits each read that begins from now on to `millis` milliseconds in total. A longer read fails with
    /// [`StoreError::TooSlow`].
    pub fn end_reads_after(&self, millis: u64) {
        self.read_millis.store(millis, Ordering::Relaxed);
    }

    /// Runs `work` and waits until its changes are on disk. An error of `work` rolls back its own changes only.
    ///
    /// # Errors
    /// The error of `work`, or a [`StoreError`].
    #[track_caller]
    pub fn write<T, E, F>(&self, work: F) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
    {
        self.writer.write(Label { action: "-", at: Location::caller() }, work)
    }

    /// Like [`Store::write`], but does not wait: the writer's thread calls `done`, which must be quick.
    #[track_caller]
    pub fn submit<T, E, F, D>(&self, work: F, done: D)
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
        D: FnOnce(std::result::Result<T, E>) + Send + 'static,
    {
        self.submit_as("-", work, done);
    }

    /// Like [`Store::submit`], with the name of the action for the log.
    #[track_caller]
    pub fn submit_as<T, E, F, D>(&self, action: &'static str, work: F, done: D)
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
        D: FnOnce(std::result::Result<T, E>) + Send + 'static,
    {
        self.writer.submit(Label { action, at: Location::caller() }, work, done);
    }

    /// Like [`Store::write`], for changes that need no new backup, such as when a credential was last used.
    ///
    /// # Errors
    /// The error of `work`, or a [`StoreError`].
    #[track_caller]
    pub fn write_light<T, E, F>(&self, work: F) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
    {
        self.writer.write_light(Label { action: "-", at: Location::caller() }, work)
    }

    /// Grows with every commit that changed only data that needs no new backup.
    pub fn light_version(&self) -> u64 {
        self.writer.light_version()
    }

    /// Registers a hook that the writer's thread calls after every commit that changed something. It must be quick and
    /// must not hold the store. Only the first hook is kept.
    pub fn on_commit(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.writer.on_commit(hook);
    }

    /// Copies the database to a new file beside `place`, as [`copy_beside`] does.
    ///
    /// # Errors
    /// As [`copy_beside`], and [`StoreError::Gone`].
    pub fn copy_beside(&self, place: &Path, wanted: &StillWanted) -> Result<Copied> {
        self.by_name(|path| copy_beside(path, place, wanted))
    }

    /// Checks the database while it is in use, as [`check_gently`] does.
    ///
    /// # Errors
    /// As [`check_gently`], and [`StoreError::Gone`].
    pub fn check_gently(
        &self,
        wanted: &StillWanted,
        told: impl FnMut(&'static str, &[CheckFinding]),
    ) -> Result<Vec<CheckFinding>> {
        self.by_name(|path| check_gently(path, wanted, told))
    }

    /// Runs `work`, which opens the files by name. Discards its result if other files have got these names meanwhile.
    fn by_name<T>(&self, work: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        self.condition.in_place()?;
        let result = work(&self.dir.join(FILE));
        self.condition.in_place()?;
        result
    }

    /// Returns false once the writer's thread has died.
    pub fn writer_is_alive(&self) -> bool {
        self.writer.is_alive()
    }

    /// The error of the last commit that failed; `None` once a later commit has written something.
    pub fn trouble(&self) -> Option<StoreError> {
        self.writer.trouble()
    }

    /// Checks that the files are still those that were opened, and that no damage was found in them.
    ///
    /// # Errors
    /// [`StoreError::Gone`], or [`StoreError::Damaged`].
    pub fn condition(&self) -> Result<()> {
        self.condition.check()
    }

    /// Grows with every commit that changed something and that [`Store::light_version`] does not count. It grows before
    /// anybody gets a reply: a read after this call sees at least this version.
    pub fn version(&self) -> u64 {
        self.writer.version()
    }

    /// Grows with every commit that changed anything at all, before anybody gets a reply. A read after this call sees
    /// at least this state.
    pub fn state(&self) -> u64 {
        self.writer.version() + self.writer.light_version()
    }

    /// Checks that the writer can begin a transaction and that a reader can read. Writes nothing, and waits for the
    /// writer no longer than [`STALLED`].
    ///
    /// # Errors
    /// [`StoreError::Stalled`] if the writer takes too long, or the error of either.
    pub fn probe(&self) -> Result<()> {
        if let Some(stalled) = self.writer.at_work().filter(|time| *time >= STALLED) {
            return Err(StoreError::Stalled(stalled));
        }
        let (sender, told) = sync_channel(1);
        let begins = |conn: &Connection| meta::get(conn, meta::INSTALL_ID).map(|_| ());
        self.submit(begins, move |result: Result<()>| drop(sender.send(result)));
        told.recv_timeout(STALLED).unwrap_or(Err(StoreError::Stalled(STALLED)))?;
        self.lookup(|conn| meta::get(conn, meta::INSTALL_ID).map(|_| ()))
    }

    /// Returns true if the data directory is on a file system mounted read-only.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn is_read_only(&self) -> std::io::Result<bool> {
        let status = rustix::fs::statvfs(&self.dir)?;
        Ok(status.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
    }

    /// The size of the database file and its WAL, in bytes.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn file_bytes(&self) -> std::io::Result<u64> {
        let log = std::fs::metadata(self.dir.join(format!("{FILE}-wal"))).map_or(0, |log| log.len());
        Ok(std::fs::metadata(self.dir.join(FILE))?.len() + log)
    }

    /// Bytes free on the data directory's file system.
    ///
    /// # Errors
    /// Any I/O error.
    pub fn free_bytes(&self) -> std::io::Result<u64> {
        fs2::available_space(&self.dir)
    }
}

/// Indexes the names of agents that an older version or another program has left. An error is only logged: one damaged
/// table must not keep the daemon from serving the others.
fn index_names(conn: &Connection) {
    loop {
        match savepoint(conn, agents::index_names) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                log::error!("the names of agents could not be made searchable: {error}");
                break;
            }
        }
    }
}

/// Ends every transaction of the writer: adds what is new to the indexes of words and of names.
fn round_off(conn: &Connection) -> Result<()> {
    messages::index(conn)?;
    agents::index_names(conn)?;
    Ok(())
}

/// Keeps a copy of the database before an upgrade, for operators who must go back to the old version.
fn keep_before_upgrade(path: &Path, dir: &Path) -> Result<()> {
    let kept = backup_dir(dir)?.join(format!("before-schema-{VERSION}.db"));
    copy_to(path, &kept, &StillWanted::always())?;
    log::info!("{} will be upgraded; the old database is kept as {}", path.display(), kept.display());
    Ok(())
}

/// Returns a new id: a lower-case UUID of version 7 (RFC 9562). Such ids sort by their time of creation, which suits
/// the indexes.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Returns true if a text has the form of an id, in any case. No name may have this form.
pub fn is_id(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// Runs `work` in a savepoint: an error of `work` rolls back its own changes only.
///
/// # Errors
/// The error of `work`, or a [`StoreError`].
pub fn savepoint<T, E: From<StoreError>>(
    conn: &Connection,
    work: impl FnOnce(&Connection) -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    let execute = |sql| -> Result<()> {
        conn.prepare_cached(sql)?.execute([])?;
        Ok(())
    };
    execute("SAVEPOINT inner")?;
    let result = work(conn);
    if result.is_err() && !conn.is_autocommit() {
        execute("ROLLBACK TO inner")?;
    }
    if !conn.is_autocommit() {
        execute("RELEASE inner")?;
    }
    result
}
