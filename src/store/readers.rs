//! The pool of reading connections. A read that takes too long is cut: no question holds a worker for ever.

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
/// A read that has no end.
const NEVER: u64 = u64::MAX;

/// A reading connection. Its statements fail as interrupted once the time given to the read is over.
#[derive(Debug)]
pub struct Reader {
    conn: Connection,
    /// Microseconds after [`start`] at which the read ends.
    until: Arc<AtomicU64>,
}

impl Reader {
    /// A connection to the files in use. SQLite opens them by their names, which other files may have got meanwhile: such
    /// a connection would read from those for ever.
    fn open(path: &Path, medium: Medium, condition: &Condition) -> Result<Self> {
        condition.in_place()?;
        let opened = open::reading(path, medium).and_then(|conn| {
            // SQLite opens the WAL with the first read.
            conn.pragma_query_value(None, "schema_version", |_| Ok(()))?;
            Ok(conn)
        });
        if let Err(gone) = condition.in_place() {
            if let Ok(conn) = opened {
                // The WAL is not this connection's to write back and remove.
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

    /// Gives what is read from now on this long in all.
    pub fn give(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(NEVER);
        self.until.store(now().saturating_add(micros), Ordering::Relaxed);
    }

    /// Begins a transaction: what is read in it is of one state.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn begin(&self) -> rusqlite::Result<rusqlite::Transaction<'_>> {
        self.conn.unchecked_transaction()
    }

    /// Lets everything run to its end: what ends a transaction must not be cut.
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

/// Microseconds since the first call.
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
    /// A manager for this database.
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
