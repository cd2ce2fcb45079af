//! The pool of reading connections. A read that takes too long is interrupted, so that none blocks a worker for ever.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::condition::Condition;
use super::error::{Result, StoreError};
use super::open::{self, Medium};

/// Steps of SQLite's virtual machine between two looks at the clock: some tens of microseconds.
const STEPS: i32 = 1000;
/// The end of a read without a time limit.
const NEVER: u64 = u64::MAX;

/// A reading connection. Its statements fail as interrupted when the time of the read is over.
#[derive(Debug)]
pub struct Reader {
    conn: Connection,
    /// The time at which the read ends, on the clock of [`now`].
    until: Arc<AtomicU64>,
}

impl Reader {
    /// Opens a connection to the files in use. SQLite opens files by name, and other files may have these names by now:
    /// such a connection would read from the other files for ever.
    fn open(path: &Path, medium: Medium, condition: &Condition) -> Result<Self> {
        condition.in_place()?;
        let opened = open::reading(path, medium).and_then(|conn| {
            // SQLite opens the WAL only with the first read.
            conn.pragma_query_value(None, "schema_version", |_| Ok(()))?;
            Ok(conn)
        });
        if let Err(gone) = condition.in_place() {
            if let Ok(conn) = opened {
                // The WAL belongs to other files: this connection must not write it back and remove it.
                conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            }
            return Err(gone);
        }
        let mut conn = opened?;
        let until = Arc::new(AtomicU64::new(NEVER));
        let watched = Arc::clone(&until);
        conn.progress_handler(STEPS, Some(move || now() >= watched.load(Ordering::Relaxed)))?;
        Ok(Self { conn, until })
    }

    /// Gives all reads from now on this much time in total.
    pub fn give(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(NEVER);
        self.until.store(now().saturating_add(micros), Ordering::Relaxed);
    }

    /// Begins a transaction: all reads in it see one state.
    ///
    /// # Errors
    /// Any error of SQLite.
    pub fn begin(&self) -> rusqlite::Result<rusqlite::Transaction<'_>> {
        self.conn.unchecked_transaction()
    }

    /// Removes the time limit: the statement that ends a transaction must not be interrupted.
    pub fn release(&self) {
        self.until.store(NEVER, Ordering::Relaxed);
    }
}

impl Deref for Reader {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.conn
    }
}

/// Returns the microseconds since the first call.
fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_micros()).unwrap_or(NEVER)
}

/// Makes reading connections for r2d2.
#[derive(Debug)]
pub struct Readers {
    path: PathBuf,
    medium: Medium,
    condition: Arc<Condition>,
}

impl Readers {
    /// Makes a manager for this database.
    pub fn new(path: PathBuf, medium: Medium, condition: Arc<Condition>) -> Self {
        Self { path, medium, condition }
    }
}

impl r2d2::ManageConnection for Readers {
    type Connection = Reader;
    type Error = StoreError;

    fn connect(&self) -> Result<Reader> {
        Reader::open(&self.path, self.medium, &self.condition).inspect_err(|error| {
            if let StoreError::Damaged(why) = error {
                self.condition.note(why.clone());
            }
        })
    }

    fn is_valid(&self, reader: &mut Reader) -> Result<()> {
        Ok(reader.execute_batch("")?)
    }

    fn has_broken(&self, reader: &mut Reader) -> bool {
        // A panic inside a read could leave its snapshot open; such a connection would hold the WAL for ever.
        !reader.is_autocommit()
    }
}
