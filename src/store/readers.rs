//! The pool of reading connections.

use std::path::PathBuf;

use rusqlite::Connection;

use super::open::{self, Medium};

/// Makes reading connections for r2d2.
#[derive(Debug)]
pub struct Readers {
    path: PathBuf,
    medium: Medium,
}

impl Readers {
    /// A manager for this database.
    pub fn new(path: PathBuf, medium: Medium) -> Self {
        Self { path, medium }
    }
}

impl r2d2::ManageConnection for Readers {
    type Connection = Connection;
    type Error = rusqlite::Error;

    fn connect(&self) -> rusqlite::Result<Connection> {
        open::reading(&self.path, self.medium)
    }

    fn is_valid(&self, conn: &mut Connection) -> rusqlite::Result<()> {
        conn.execute_batch("")
    }

    fn has_broken(&self, conn: &mut Connection) -> bool {
        // A panic inside a read could leave its snapshot open; such a connection would hold the WAL for ever.
        !conn.is_autocommit()
    }
}
