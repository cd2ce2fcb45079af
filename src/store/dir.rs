//! The data directory: one daemon at a time, one owner, and the signs that a box was here.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use fs2::FileExt;

use super::open::{FILE, OpenError, beside, tighten};

/// The lock file of older releases, which did not lock the directory itself.
const OLD_LOCK: &str = "taosd.lock";
/// The file that holds the operator's token.
pub const TOKEN_FILE: &str = "operator.token";

/// Exclusive use of a data directory, as long as this lives. The kernel releases the lock when the process dies.
///
/// The lock is on the directory's own descriptor: unlike a lock file, nobody can remove it and make another.
#[derive(Debug)]
pub struct DirLock {
    _held: Vec<File>,
}

/// Makes the directory with mode 0700 if it is missing, and locks it.
///
/// # Errors
/// [`OpenError::Locked`] if another process holds the lock; [`OpenError::Io`].
pub fn lock_dir(dir: &Path) -> Result<DirLock, OpenError> {
    let io = |error| OpenError::Io(dir.to_owned(), error);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io)?;
    tighten(dir, 0o700).map_err(io)?;
    let mut held = vec![lock(dir, dir)?];
    match lock(&dir.join(OLD_LOCK), dir) {
        Ok(file) => held.push(file),
        Err(OpenError::Io(_, error)) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(DirLock { _held: held })
}

impl DirLock {
    /// Locks the database file as well: it may have a second name in another directory. Closing this file releases the
    /// locks that SQLite holds on it, so this must outlive every connection.
    ///
    /// # Errors
    /// As [`lock_dir`].
    pub fn with_database(mut self, path: &Path) -> Result<Self, OpenError> {
        self._held.push(lock(path, path)?);
        Ok(self)
    }
}

fn lock(path: &Path, told: &Path) -> Result<File, OpenError> {
    let file = File::open(path).map_err(|error| OpenError::Io(path.to_owned(), error))?;
    match file.try_lock_exclusive() {
        Ok(()) => Ok(file),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(OpenError::Locked(told.to_owned())),
        Err(error) => Err(OpenError::Io(path.to_owned(), error)),
    }
}

/// Refuses to begin with a new database if the old one is missing or empty, and other files of the box are left.
///
/// # Errors
/// [`OpenError::Lost`] with a file that is left; [`OpenError::Io`].
pub fn refuse_to_forget(dir: &Path) -> Result<(), OpenError> {
    let path = dir.join(FILE);
    match fs::metadata(&path) {
        Ok(found) if found.len() > 0 => return Ok(()),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(OpenError::Io(path, error)),
        _ => {}
    }
    let has_bytes = |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() > 0);
    let wal = beside(&path, "-wal");
    let left = if has_bytes(&wal) {
        Some(wal)
    } else if has_bytes(&dir.join(TOKEN_FILE)) {
        Some(dir.join(TOKEN_FILE))
    } else {
        let backups = fs::read_dir(dir.join(BACKUPS)).into_iter().flatten().flatten().map(|entry| entry.path());
        backups.into_iter().find(|file| file.extension().is_some_and(|end| end == "db"))
    };
    left.map_or(Ok(()), |left| Err(OpenError::Lost(path, left.display().to_string())))
}

/// Renames the WAL of a database that is gone: it must not become part of the next database.
///
/// # Errors
/// [`OpenError::Io`].
pub fn forget(dir: &Path) -> Result<(), OpenError> {
    let path = dir.join(FILE);
    if fs::metadata(&path).is_ok_and(|found| found.len() > 0) {
        return Ok(());
    }
    for suffix in ["-wal", "-shm"] {
        let (from, to) = (beside(&path, suffix), beside(&path, &format!(".lost{suffix}")));
        match fs::rename(&from, to) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(OpenError::Io(from, error)),
            _ => {}
        }
    }
    Ok(())
}

/// The directory of backups, below the data directory.
pub const BACKUPS: &str = "backup";
