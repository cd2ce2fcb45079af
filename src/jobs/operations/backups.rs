//! Backups: copies of the database in `<data-dir>/backup/`, or where a request asked for one (DESIGN D16).
//!
//! Each is one file that is complete as soon as it appears: it is made and checked under another name and then moved to
//! its place. `taosd.db` is the copy that the daemon keeps fresh. Requested backups are named after their time, each
//! with a hash file beside it in the format of `b3sum`.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::Serialize;

use crate::store::{self, BACKUPS, FILE, PART_SUFFIX, StillWanted, Store, StoreError};
use crate::threads::lock;
use crate::time::Micros;

pub use crate::limits::BACKUPS_KEPT as KEPT;
/// Held while a backup moves to its place and the oldest ones are removed.
static SETTLING: Mutex<()> = Mutex::new(());
const PREFIX: &str = "taosd-";
const SUFFIX: &str = ".db";
/// The file that says which state of the database the fresh copy covers.
const COVERED: &str = "taosd.db.covers";
const HASH_SUFFIX: &str = ".db.b3";

/// A requested backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// The file name in the backup directory.
    pub file: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The BLAKE3 hash of the file, hexadecimal.
    pub blake3: String,
    /// The time it was made, RFC 3339.
    pub created_at: String,
}

/// Brings the fresh copy up to date.
///
/// # Errors
/// Any `StoreError`; the copy is then unchanged.
pub fn refresh(store: &Store, wanted: &StillWanted) -> store::Result<()> {
    store.copy_beside(&store::backup_dir(store.dir())?.join(FILE), wanted)?.settle()
}

/// As [`refresh`], while no daemon runs.
///
/// # Errors
/// Those of [`refresh`].
pub fn refresh_at_rest(data_dir: &Path, wanted: &StillWanted) -> store::Result<()> {
    store::copy_to(&data_dir.join(FILE), &store::backup_dir(data_dir)?.join(FILE), wanted)
}

/// True if the fresh copy covers the database as it is on disk, except for changes that are not worth a new copy. For a
/// time when no daemon runs.
pub fn is_fresh(data_dir: &Path) -> bool {
    let modified = |path: PathBuf| fs::metadata(path).and_then(|meta| meta.modified());
    let (database, copy) = (modified(data_dir.join(FILE)), modified(data_dir.join(BACKUPS).join(FILE)));
    // A crash left a WAL, whose content is unknown.
    !data_dir.join(format!("{FILE}-wal")).exists()
        && (matches!((database, copy), (Ok(database), Ok(copy)) if copy >= database)
            || fs::read_to_string(data_dir.join(BACKUPS).join(COVERED))
                .is_ok_and(|mark| mark_of(data_dir).is_ok_and(|now| now == mark)))
}

/// True if the fresh copy is missing or at least a day old, so that even changes not worth a copy by themselves justify
/// one.
pub fn is_old(data_dir: &Path, now: Micros) -> bool {
    time_of_latest(data_dir).is_none_or(|made| now.0.saturating_sub(made.0) >= Micros::DAY)
}

/// Marks the copy as covering all changes of the present database that are worth a copy. This writes a few bytes
/// instead of a new copy.
///
/// # Errors
/// Any I/O error.
pub fn mark_as_covered(data_dir: &Path) -> io::Result<()> {
    fs::write(data_dir.join(BACKUPS).join(COVERED), mark_of(data_dir)?)
}

/// A text that identifies the present files of the database and its copy.
fn mark_of(data_dir: &Path) -> io::Result<String> {
    let one = |path: PathBuf| {
        fs::metadata(path).map(|meta| format!("{}:{}:{}.{}", meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
    };
    Ok(format!("{} {}\n", one(data_dir.join(FILE))?, one(data_dir.join(BACKUPS).join(FILE))?))
}

/// Returns when the fresh copy was made; `None` if there is none.
pub fn time_of_latest(data_dir: &Path) -> Option<Micros> {
    let modified = fs::metadata(data_dir.join(BACKUPS).join(FILE)).and_then(|meta| meta.modified()).ok()?;
    Some(Micros::of(modified))
}

/// Makes a backup and removes the oldest ones: all but [`KEPT`], or all but twice as many while the clock that named
/// them is not `settled`.
///
/// # Errors
/// Any `StoreError`; there is no new backup then.
pub fn create(store: &Store, now: Micros, settled: bool, wanted: &StillWanted) -> store::Result<Backup> {
    let dir = store::backup_dir(store.dir())?;
    let stem = format!("{PREFIX}{}", now.millis().replace(['-', ':'], ""));
    let (to, hash_file) = (dir.join(format!("{stem}{SUFFIX}")), dir.join(format!("{stem}{HASH_SUFFIX}")));
    let copied = store.copy_beside(&to, wanted)?;
    let hash = hash(copied.path())?;
    // Written before the backup itself, so that whoever sees the backup also sees its hash.
    fs::write(&hash_file, format!("{hash}  {stem}{SUFFIX}\n")).map_err(|error| told(&hash_file, error))?;
    // Without the lock, another backup that moves to its place now could remove this one as the oldest.
    let _alone = lock(&SETTLING);
    copied.settle().inspect_err(|_| drop(fs::remove_file(&hash_file)))?;
    prune(&dir, &to, if settled { KEPT } else { 2 * KEPT });
    read(&to).ok_or_else(|| StoreError::Other(format!("{} is gone", to.display())))
}

/// Lists the requested backups, newest first.
///
/// # Errors
/// An I/O error, as a `StoreError`.
pub fn list(data_dir: &Path) -> store::Result<Vec<Backup>> {
    let dir = data_dir.join(BACKUPS);
    Ok(files(&dir)?.iter().rev().filter_map(|path| read(path)).collect())
}

/// Lists the copies that the daemon makes by itself: the fresh one, and those from before an upgrade. Newest first,
/// each with its name, its size in bytes and its time.
///
/// # Errors
/// An I/O error, as a `StoreError`.
pub fn automatic(data_dir: &Path) -> store::Result<Vec<(String, u64, Micros)>> {
    let dir = data_dir.join(BACKUPS);
    let entries = match fs::read_dir(&dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| told(&dir, error))?,
    };
    let one = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok().filter(|name| is_automatic(name))?;
        let meta = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some((name, meta.len(), Micros::of(meta.modified().ok()?)))
    };
    let mut found: Vec<_> = entries.flatten().filter_map(one).collect();
    found.sort_by(|a, b| (b.2, &b.0).cmp(&(a.2, &a.0)));
    Ok(found)
}

fn is_automatic(name: &str) -> bool {
    let version = name.strip_prefix("before-schema-").and_then(|rest| rest.strip_suffix(SUFFIX));
    name == FILE || version.is_some_and(|v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit()))
}

/// Opens a backup of any kind by its name. Returns the file and its size in bytes; `None` for any other name.
///
/// # Errors
/// An I/O error, as a `StoreError`.
pub fn open(data_dir: &Path, name: &str) -> store::Result<Option<(File, u64)>> {
    let path = data_dir.join(BACKUPS).join(name);
    if !is_automatic(name) && (name.contains('/') || time_of(&path).is_none()) {
        return Ok(None);
    }
    // Only the daemon writes to this directory; a link would lead out of it.
    match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_file() => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(told(&path, error)),
    }
    let file = File::open(&path).map_err(|error| told(&path, error))?;
    let bytes = file.metadata().map_err(|error| told(&path, error))?.len();
    Ok(Some((file, bytes)))
}

/// Removes what an interrupted backup or restore left behind. For the start of a daemon, which has the directory for
/// itself.
pub fn tidy(data_dir: &Path) {
    let dirs = [data_dir.to_owned(), data_dir.join(BACKUPS)];
    for path in dirs.iter().flat_map(fs::read_dir).flatten().flatten().map(|entry| entry.path()) {
        if is_part(&path) {
            log::info!("removing {}, left behind by an interrupted backup", path.display());
            let _ = fs::remove_file(path);
        }
    }
}

/// True for an unfinished copy, and for its journal.
fn is_part(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix("-journal").unwrap_or(&name);
    name.starts_with('.') && name.ends_with(PART_SUFFIX)
}

/// The paths of the requested backups, oldest first: their names contain their times.
fn files(dir: &Path) -> store::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| told(dir, error))?,
    };
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|p| time_of(p).is_some()).collect();
    files.sort();
    Ok(files)
}

/// The time in a backup's name, RFC 3339; `None` for any other file.
fn time_of(path: &Path) -> Option<String> {
    let digits = path.file_name()?.to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let shape = digits.bytes().map(|b| if b.is_ascii_digit() { b'0' } else { b });
    if !shape.eq(*b"00000000T000000.000Z") {
        return None;
    }
    let part = |from: usize, to: usize| &digits[from..to];
    let (date, time) = ([part(0, 4), part(4, 6), part(6, 8)], [part(9, 11), part(11, 13), part(13, 20)]);
    Some(format!("{}T{}", date.join("-"), time.join(":")))
}

fn read(path: &Path) -> Option<Backup> {
    let beside = fs::read_to_string(path.with_extension(&HASH_SUFFIX[1..])).ok();
    let kept = beside.as_deref().and_then(|text| text.get(..64)).map(str::to_owned);
    Some(Backup {
        file: path.file_name()?.to_str()?.to_owned(),
        bytes: fs::metadata(path).ok()?.len(),
        blake3: kept.or_else(|| hash(path).ok())?,
        created_at: time_of(path)?,
    })
}

/// Removes all but the newest `kept` backups, and never `made`: the clock may have jumped.
fn prune(dir: &Path, made: &Path, kept: usize) {
    let Ok(mut files) = files(dir) else { return };
    // A name later than that of `made` comes from a clock that was ahead: such files are removed first.
    files.sort_by_key(|path| path.as_path() <= made);
    let surplus = files.len().saturating_sub(kept);
    for path in files.iter().filter(|path| *path != made).take(surplus) {
        if let Err(error) = fs::remove_file(path) {
            log::warn!("{}: {error}; this backup could not be removed, so there are more than {kept}", path.display());
            continue;
        }
        let _ = fs::remove_file(path.with_extension(&HASH_SUFFIX[1..]));
    }
}

fn hash(path: &Path) -> store::Result<String> {
    let mut hasher = blake3::Hasher::new();
    File::open(path).and_then(|file| hasher.update_reader(file)).map_err(|error| told(path, error))?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn told(path: &Path, error: io::Error) -> StoreError {
    StoreError::of_io(format!("{}: {error}", path.display()), error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_backups_are_opened() {
        for name in [
            "../taosd.db",
            "taosd.db.covers",
            "taosd-20231114T221320.123Z.db.b3",
            "",
            ".",
            "..",
            "before-schema-.db",
            "before-schema-1/../x.db",
            "../backup/taosd-20231114T221320.123Z.db",
            "taosd.db-wal",
        ] {
            assert!(open(Path::new("/"), name).unwrap().is_none(), "{name}");
        }
        assert!(is_automatic("taosd.db") && is_automatic("before-schema-12.db"));
    }

    #[test]
    fn the_name_tells_the_time_and_other_names_none() {
        let now = Micros(1_700_000_000_123_999);
        let name = format!("{PREFIX}{}{SUFFIX}", now.millis().replace(['-', ':'], ""));
        assert_eq!(name, "taosd-20231114T221320.123Z.db");
        assert_eq!(time_of(Path::new(&name)), Some(now.millis()));
        for other in ["taosd.db", "taosd-20231114T221320.123Z.db.b3", "taosd-20231114T2213201123Z.db", "taosd-ü.db"] {
            assert_eq!(time_of(Path::new(other)), None, "{other}");
        }
    }
}
