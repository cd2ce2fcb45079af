//! The errors of the store, distinguished by what the caller can do about them.

use std::io::ErrorKind;
use std::time::Duration;

use rusqlite::ErrorCode;

use super::condition;

/// A failure of the store. Its text is for the log: it may name files and statements, never a client's data.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// There is no room for a write; reads still work.
    #[error("the disk is full: {0}")]
    Full(String),
    /// The file system is read-only; reads still work.
    #[error("the database cannot be written: {0}")]
    ReadOnly(String),
    /// The file is damaged.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The file was removed or replaced while in use: writes would be lost.
    #[error("the database file is gone: {0}")]
    Gone(String),
    /// A UNIQUE constraint refused the row.
    #[error("the row exists already: {0}")]
    Exists(String),
    /// Another constraint refused the row.
    #[error("a constraint refused the row: {0}")]
    Constraint(String),
    /// The read took longer than its limit.
    #[error("the read took too long: {0}")]
    TooSlow(String),
    /// The disk has not answered a write for a while, but still may.
    #[error("the disk has not answered a write for {} s", .0.as_secs())]
    Stalled(Duration),
    /// The store is closed, or no connection was free in time.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// Anything else.
    #[error("the database failed: {0}")]
    Other(String),
}

/// The result of store functions.
pub type Result<T> = std::result::Result<T, StoreError>;

impl StoreError {
    /// Returns the error for an I/O error of this kind.
    pub fn of_io(text: String, kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full(text),
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(text),
            _ => Self::Other(text),
        }
    }

    fn damage_met(text: String) -> Self {
        condition::met_damage(&text);
        Self::Damaged(text)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        // The tables are STRICT: a value that does not fit its column was damaged on the disk.
        if matches!(error, rusqlite::Error::Utf8Error(..) | rusqlite::Error::FromSqlConversionFailure(..)) {
            return Self::damage_met(text);
        }
        let Some(failure) = error.sqlite_error() else { return Self::Other(text) };
        match (failure.code, failure.extended_code) {
            (ErrorCode::OperationInterrupted, _) => Self::TooSlow(text),
            (ErrorCode::DiskFull, _) => Self::Full(text),
            // Quotas, some file systems and the WAL's index report a full disk as a plain I/O error. So does a file
            // system that has just turned read-only. The errno distinguishes them.
            (ErrorCode::SystemIoFailure | ErrorCode::CannotOpen, _) => {
                Self::of_io(text, std::io::Error::last_os_error().kind())
            }
            (ErrorCode::ReadOnly, _) => Self::ReadOnly(text),
            (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => Self::damage_met(text),
            (ErrorCode::ConstraintViolation, code)
                if code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
                    || code == rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY =>
            {
                Self::Exists(text)
            }
            (ErrorCode::ConstraintViolation, _) => Self::Constraint(text),
            _ => Self::Other(text),
        }
    }
}
