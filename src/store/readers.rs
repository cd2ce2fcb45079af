//! The pool of reading connections.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode};

use super::condition::Condition;
use super::open::{self, Medium};

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
    type Connection = Connection;
    type Error = rusqlite::Error;

    fn connect(&self) -> rusqlite::Result<Connection> {
        open::reading(&self.path, self.medium).inspect_err(|error| {
            if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) {
                self.condition.note(error.to_string());
            }
        })
    }

    fn is_valid(&self, conn: &mut Connection) -> rusqlite::Result<()> {
        conn.execute_batch("")
    }

    fn has_broken(&self, conn: &mut Connection) -> bool {
        // A panic inside a read could leave its snapshot open; such a connection would hold the WAL for ever.
        !conn.is_autocommit()
    }
}
