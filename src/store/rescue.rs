//! Saves the content of a database whose file was removed while it was open. The process keeps that content only as
//! long as it runs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::Result;
use super::copy::sync_dir_of;
use super::error::StoreError;
use super::open::beside;
use super::open::own;

/// Writes everything that `conn` sees to a file beside the place of the missing one (`.rescued`). Returns its path.
///
/// # Errors
/// Any [`StoreError`], from the operating system or SQLite. A file with that name is always complete.
pub fn rescue(conn: &Connection, gone: &Path) -> Result<PathBuf> {
    let (place, part) = (beside(gone, ".rescued"), beside(gone, ".rescued.part"));
    let io = |error: std::io::Error| StoreError::of_io(format!("{}: {error}", part.display()), error.kind());
    let _ = fs::remove_file(&part);
    let name = part.to_str().ok_or_else(|| StoreError::Other("the data directory's name is not UTF-8".into()))?;
    conn.execute("VACUUM INTO ?1", [name]).inspect_err(|_| drop(fs::remove_file(&part)))?;
    File::open(&part).and_then(|file| file.sync_all()).map_err(io)?;
    own(place.parent().unwrap_or(Path::new("/")), &part).map_err(io)?;
    fs::rename(&part, &place).and_then(|()| sync_dir_of(&place)).map_err(io)?;
    Ok(place)
}
