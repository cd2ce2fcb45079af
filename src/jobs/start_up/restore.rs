//! `taosd restore`: replaces the database by a backup while the daemon is stopped (DESIGN D16).
//!
//! The backup is copied into the data directory, and checked and prepared there. Then it replaces the database in one
//! step. Before that step nothing has changed, and after it the old database still exists.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::first_start;
use crate::store::restore::{self as copy, RestoreChanges};
use crate::store::{self, FILE, OpenError, StoreError, own};
use crate::time::Micros;

/// The result of a restore.
#[derive(Debug)]
pub struct Restored {
    /// The path of the previous database; `None` if there was none.
    pub kept: Option<PathBuf>,
    /// The changes that were made in the backup's copy.
    pub changed: RestoreChanges,
    /// Why it is unknown what has ended since the backup; `None` if it is known.
    pub unknown: Option<String>,
    /// True if `operator.token` holds a new token, because the previous one was not valid in the backup.
    pub new_token: bool,
}

/// Replaces the database of `data_dir` by the backup `file`; if `dry`, only computes what that would change.
///
/// # Errors
/// An [`OpenError`]: the directory is in use, or the file is no sound database of this program. Nothing has changed
/// then.
pub fn restore(data_dir: &Path, file: &Path, dry: bool) -> Result<Restored, OpenError> {
    let now = Micros::now();
    let _lock = store::lock_dir(data_dir)?;
    let place = data_dir.join(FILE);
    store::recognise(file)?;
    if is_same(file, &place) {
        let why = io::Error::new(ErrorKind::InvalidInput, "this is the database itself; name a backup of it");
        return Err(OpenError::Io(file.to_owned(), why));
    }
    let of_backup = |error: StoreError| match error {
        StoreError::Damaged(why) => OpenError::Damaged(file.to_owned(), why),
        other => OpenError::Store(file.to_owned(), other),
    };
    let copied = store::copy_pages(file, &place).map_err(of_backup)?;
    let failed = |error: StoreError| OpenError::Store(place.clone(), error);
    let conn = copy::open_copy(copied.path())?;
    let (since, unknown) = what_has_died(&place, &conn).map_err(failed)?;
    let source = file.file_name().unwrap_or_default().to_string_lossy();
    let changed = copy::settle(&conn, &since, &format!("backup:{source}"), now).map_err(failed)?;
    if dry {
        return Ok(Restored { kept: None, changed, unknown, new_token: false });
    }
    let token = first_start::token_for(data_dir, &conn).map_err(failed)?;
    conn.close().map_err(|(_, error)| failed(error.into()))?;
    let io = |error| OpenError::Io(place.clone(), error);
    File::open(copied.path()).and_then(|file| file.sync_all()).map_err(io)?;
    own(data_dir, copied.path()).map_err(io)?;
    let kept = put_aside(&place, now).map_err(io)?;
    copied.settle().map_err(failed)?;
    let new_token = token.is_some();
    if let Some(token) = token {
        let path = token.settle().map_err(failed)?;
        own(data_dir, &path).map_err(io)?;
    }
    Ok(Restored { kept, changed, unknown, new_token })
}

/// Rewrites the database of `data_dir` without deleted data, and replaces it in one step.
///
/// # Errors
/// An [`OpenError`]: the directory is in use, or the database is damaged. Nothing has changed then.
pub fn compact(data_dir: &Path) -> Result<(), OpenError> {
    let _lock = store::lock_dir(data_dir)?;
    let place = data_dir.join(FILE);
    store::recognise(&place)?;
    let failed = |error: StoreError| match error {
        StoreError::Damaged(why) => OpenError::Damaged(place.clone(), why),
        other => OpenError::Store(place.clone(), other),
    };
    // Otherwise the old WAL would be applied to the new file.
    store::write_back(&place).map_err(failed)?;
    let copied = store::copy_at_rest(&place, &place).map_err(failed)?;
    own(data_dir, copied.path()).map_err(|error| OpenError::Io(place.clone(), error))?;
    copied.settle().map_err(failed)
}

/// Returns the state of the present database that must hold in the restored one. If it is missing, unreadable or of
/// another installation, all live credentials of the copy stay live.
fn what_has_died(place: &Path, copy: &Connection) -> store::Result<(copy::Since, Option<String>)> {
    if !place.exists() {
        return Ok((copy::all_live(copy)?, None));
    }
    match copy::since(place, copy) {
        Ok(Some(since)) => Ok((since, None)),
        Ok(None) => Ok((copy::all_live(copy)?, None)),
        Err(error) => Ok((copy::all_live(copy)?, Some(error.to_string()))),
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((fs::metadata(one), fs::metadata(other)), (Ok(a), Ok(b)) if (a.dev(), a.ino()) == (b.dev(), b.ino()))
}

/// Gives the present database a second name, under which it stays. Its WAL must not be applied to the new file: it is
/// written back, or, if the database is too damaged, moved along with the old file.
fn put_aside(place: &Path, now: Micros) -> io::Result<Option<PathBuf>> {
    if !place.exists() {
        return Ok(None);
    }
    let stamp = now.millis().replace(['-', ':'], "");
    let kept = place.with_file_name(format!("{FILE}.before-restore-{stamp}"));
    if let Err(error) = store::write_back(place) {
        log::warn!("{}: {error}; its WAL is kept beside it", place.display());
    }
    // Some file systems have no hard links.
    if fs::hard_link(place, &kept).is_err() {
        fs::copy(place, &kept)?;
        File::open(&kept)?.sync_all()?;
    }
    for suffix in ["-wal", "-shm"] {
        let with = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        match fs::rename(with(place), with(&kept)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    store::sync_dir_of(&kept)?;
    Ok(Some(kept))
}
