//! The store: the only room that knows SQL. One file, one writer, a pool of readers, one file a noun.
//!
//! What does not belong here: who may do what, and how anything looks on the wire.

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

/// How long a read waits for a free connection. There is one for every worker, so it never should.
const READER_WAIT: Duration = Duration::from_secs(5);
/// A disk that takes longer for a write counts as not answering.
const STALLED: Duration = Duration::from_secs(3);
/// Milliseconds that a read may take until [`Store::end_reads_after`] says another number.
const READ_MILLIS: u64 = 2000;
/// Writes that may wait for the writer.
const WRITE_QUEUE: usize = 4096;

/// The open database.
pub struct Store {
    // Declared in the order they must go: readers first, so that the writer's connection is the last to close.
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
    /// Reading connections at the most.
    pub readers: usize,
    /// From how many milliseconds on a statement is logged as slow.
    pub slow_query_ms: u64,
    /// Whether an empty database may be made where one was lost.
    pub new_box: bool,
}

impl Store {
    /// Locks the data directory, makes or checks the file and brings its schema up.
    ///
    /// # Errors
    /// [`OpenError`] says which exit code fits.
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
        // Before one statement of the file runs: it may be a backup from anywhere, copied to this place.
        let foreign = |why| OpenError::Damaged(path.clone(), format!("its schema is not taosd's: {why}"));
        objects::compare(&mut conn).map_err(store)?.map_err(foreign)?;
        if (1..VERSION).contains(&migrate::version(&conn).map_err(unfit)?) {
            keep_before_upgrade(&path, &dir).map_err(store)?;
        }
        objects::bring_up(&mut conn).map_err(unfit)?;
        if medium == Medium::Live
            && let Err(error) = operations::forget_environments(&conn)
        {
            // A full disk is no reason not to serve; the next start tries again.
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

    /// Logs statements that take longer from now on, those of every store of the process.
    pub fn log_slower_than(&self, millis: u64) {
        open::log_statements_slower_than(millis);
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads with one statement: no transaction around it.
    ///
    /// # Errors
    /// The read's own, or the store's.
    pub fn lookup<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&Connection) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let reader = self.reader()?;
        let found = self.condition.noting(|| read(&reader));
        reader.release();
        found
    }

    /// Reads with several statements that must see one state.
    ///
    /// # Errors
    /// The read's own, or the store's.
    pub fn read<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&Connection) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let reader = self.reader()?;
        let found = self.condition.noting(|| {
            let tx = reader.begin().map_err(StoreError::from)?;
            let found = read(&tx);
            // The transaction ends with `tx`: that shall not be cut.
            reader.release();
            found
        });
        reader.release();
        found
    }

    /// A reading connection with the time that a read may take.
    fn reader(&self) -> Result<r2d2::PooledConnection<Readers>> {
        let reader = self.readers.get().map_err(|e| StoreError::Unavailable(e.to_string()))?;
        reader.give(Duration::from_millis(self.read_millis.load(Ordering::Relaxed)));
        Ok(reader)
    }

    /// Gives each read that begins from now on so many milliseconds in all; then it fails as [`StoreError::TooSlow`].
    pub fn end_reads_after(&self, millis: u64) {
        self.read_millis.store(millis, Ordering::Relaxed);
    }

    /// Writes and waits until it is on disk. An error of `work` rolls back what it wrote, and only that.
    ///
    /// # Errors
    /// The work's own, or the store's.
    #[track_caller]
    pub fn write<T, E, F>(&self, work: F) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
    {
        self.writer.write(Label { action: "-", at: Location::caller() }, work)
    }

    /// Like [`Store::write`] without waiting: `done` is told on the writer's thread. It must be quick.
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

    /// Like [`Store::write`], of what is worth no new backup, such as when a credential was last used.
    ///
    /// # Errors
    /// The work's own, or the store's.
    #[track_caller]
    pub fn write_light<T, E, F>(&self, work: F) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> std::result::Result<T, E> + Send + 'static,
    {
        self.writer.write_light(Label { action: "-", at: Location::caller() }, work)
    }

    /// Grows with every commit that changed only what is worth no new backup.
    pub fn light_version(&self) -> u64 {
        self.writer.light_version()
    }

    /// Has this called after every commit that changed something, on the writer's thread: it must be quick and must not
    /// hold the store. Only the first stays.
    pub fn on_commit(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.writer.on_commit(hook);
    }

    /// Copies the database to a new file beside `place`, as [`copy_beside`] does.
    ///
    /// # Errors
    /// As there, and `Gone`.
    pub fn copy_beside(&self, place: &Path, wanted: &StillWanted) -> Result<Copied> {
        self.by_name(|path| copy_beside(path, place, wanted))
    }

    /// Looks at the database beside the work on it, as [`check_gently`] does.
    ///
    /// # Errors
    /// As there, and `Gone`.
    pub fn check_gently(
        &self,
        wanted: &StillWanted,
        told: impl FnMut(&'static str, &[CheckFinding]),
    ) -> Result<Vec<CheckFinding>> {
        self.by_name(|path| check_gently(path, wanted, told))
    }

    /// Runs `work`, which opens the files anew by their names. What it says of others that have got those names is not told.
    fn by_name<T>(&self, work: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        self.condition.in_place()?;
        let result = work(&self.dir.join(FILE));
        self.condition.in_place()?;
        result
    }

    /// False once the writer's thread has died.
    pub fn writer_is_alive(&self) -> bool {
        self.writer.is_alive()
    }

    /// Why the last commit that had something to write failed; `None` once one has succeeded.
    pub fn trouble(&self) -> Option<StoreError> {
        self.writer.trouble()
    }

    /// Whether the files are those that were opened, and nothing read from them was damaged.
    ///
    /// # Errors
    /// `Gone`, or `Damaged`.
    pub fn condition(&self) -> Result<()> {
        self.condition.check()
    }

    /// Grows with every commit that changed something, before anybody is told of it. What is read after this call is
    /// at least this new.
    pub fn version(&self) -> u64 {
        self.writer.version()
    }

    /// Grows with every commit that changed anything at all, before anybody is told of it. What is read after this call is
    /// at least this new.
    pub fn state(&self) -> u64 {
        self.writer.version() + self.writer.light_version()
    }

    /// Looks whether the writer can begin a transaction and a reader can read. Writes nothing, and waits no longer than
    /// [`STALLED`].
    ///
    /// # Errors
    /// What stands in the way.
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

    /// True if the data directory lies on a file system mounted read-only.
    ///
    /// # Errors
    /// What the system says.
    pub fn is_read_only(&self) -> std::io::Result<bool> {
        let status = rustix::fs::statvfs(&self.dir)?;
        Ok(status.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
    }

    /// Bytes of the database file.
    ///
    /// # Errors
    /// What the system says.
    pub fn file_bytes(&self) -> std::io::Result<u64> {
        let log = std::fs::metadata(self.dir.join(format!("{FILE}-wal"))).map_or(0, |log| log.len());
        Ok(std::fs::metadata(self.dir.join(FILE))?.len() + log)
    }

    /// Bytes free on the data directory's file system.
    ///
    /// # Errors
    /// What the system says.
    pub fn free_bytes(&self) -> std::io::Result<u64> {
        fs2::available_space(&self.dir)
    }
}

/// Takes in what an older version or another program has left; a damaged table is no reason not to serve the others.
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

/// What ends every transaction: the indexes of words and of names take in what is new.
fn round_off(conn: &Connection) -> Result<()> {
    messages::index(conn)?;
    agents::index_names(conn)?;
    Ok(())
}

/// Copies a database that is about to be brought up, for those who must go back.
fn keep_before_upgrade(path: &Path, dir: &Path) -> Result<()> {
    let kept = backup_dir(dir)?.join(format!("before-schema-{VERSION}.db"));
    copy_to(path, &kept, &StillWanted::always())?;
    log::info!("{} will be upgraded; the old database is kept as {}", path.display(), kept.display());
    Ok(())
}

/// A fresh id: a lower-case UUID whose order is that of its making (RFC 9562, version 7), kind to the indexes.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// True for a text that has the form of an id, in any case. No name may have it: what looks like an id is one.
pub fn is_id(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// Runs `work` so that an error of it takes back what it wrote, and only that.
///
/// # Errors
/// The work's own, or the store's.
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
