//! Backups: copies of the database in `<data-dir>/backup/`, or wherever one was asked for (DESIGN D16).
//!
//! Each is one file that is whole from the moment it is there: it is made and checked under another name and then moved
//! to its place. `taosd.db` is the one that is kept fresh; those asked for are named for their time, with their hash
//! beside them as `b3sum` writes it.

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
/// Held while a backup moves to its place and the oldest goes.
static SETTLING: Mutex<()> = Mutex::new(());
const PREFIX: &str = "taosd-";
const SUFFIX: &str = ".db";
/// What says of which state of the database the copy that is kept fresh holds all that counts.
const COVERED: &str = "taosd.db.covers";
const HASH_SUFFIX: &str = ".db.b3";

/// A backup that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// Its name in the directory.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// The hash of its bytes, hexadecimal.
    pub blake3: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
}

/// Brings the copy that is kept fresh up to date.
///
/// # Errors
/// The store's; the copy is as before.
pub fn refresh(store: &Store, wanted: &StillWanted) -> store::Result<()> {
    store.copy_beside(&store::backup_dir(store.dir())?.join(FILE), wanted)?.settle()
}

/// The same where no daemon is at work.
///
/// # Errors
/// As there.
pub fn refresh_at_rest(data_dir: &Path, wanted: &StillWanted) -> store::Result<()> {
    store::copy_to(&data_dir.join(FILE), &store::backup_dir(data_dir)?.join(FILE), wanted)
}

/// True if the copy that is kept fresh is of the database as it lies there, with no daemon at work on it, but for what is
/// worth no new copy.
pub fn is_fresh(data_dir: &Path) -> bool {
    let modified = |path: PathBuf| fs::metadata(path).and_then(|meta| meta.modified());
    let (database, copy) = (modified(data_dir.join(FILE)), modified(data_dir.join(BACKUPS).join(FILE)));
    // A WAL was left by a crash: nobody knows what it holds.
    !data_dir.join(format!("{FILE}-wal")).exists()
        && (matches!((database, copy), (Ok(database), Ok(copy)) if copy >= database)
            || fs::read_to_string(data_dir.join(BACKUPS).join(COVERED))
                .is_ok_and(|mark| mark_of(data_dir).is_ok_and(|now| now == mark)))
}

/// True if the copy that is kept fresh is so old that even what is worth no copy by itself is worth one.
pub fn is_old(data_dir: &Path, now: Micros) -> bool {
    time_of_latest(data_dir).is_none_or(|made| now.0.saturating_sub(made.0) >= Micros::DAY)
}

/// Notes that the copy holds all that is worth a copy of the database as it lies there: a few bytes instead of all of it.
///
/// # Errors
/// What the system says.
pub fn mark_as_covered(data_dir: &Path) -> io::Result<()> {
    fs::write(data_dir.join(BACKUPS).join(COVERED), mark_of(data_dir)?)
}

/// What tells the database and its copy as they lie there from any others.
fn mark_of(data_dir: &Path) -> io::Result<String> {
    let one = |path: PathBuf| {
        fs::metadata(path).map(|meta| format!("{}:{}:{}.{}", meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
    };
    Ok(format!("{} {}\n", one(data_dir.join(FILE))?, one(data_dir.join(BACKUPS).join(FILE))?))
}

/// When the copy that is kept fresh was made; `None` if there is none.
pub fn time_of_latest(data_dir: &Path) -> Option<Micros> {
    let modified = fs::metadata(data_dir.join(BACKUPS).join(FILE)).and_then(|meta| meta.modified()).ok()?;
    Some(Micros::of(modified))
}

/// Makes a backup and lets the oldest go: all but [`KEPT`], or twice as many while the clock that named them is not
/// `settled`.
///
/// # Errors
/// The store's; there is no new backup then.
pub fn create(store: &Store, now: Micros, settled: bool, wanted: &StillWanted) -> store::Result<Backup> {
    let dir = store::backup_dir(store.dir())?;
    let stem = format!("{PREFIX}{}", now.millis().replace(['-', ':'], ""));
    let (to, hash_file) = (dir.join(format!("{stem}{SUFFIX}")), dir.join(format!("{stem}{HASH_SUFFIX}")));
    let copied = store.copy_beside(&to, wanted)?;
    let hash = hash(copied.path())?;
    // Before the backup itself: whoever sees that sees its hash.
    fs::write(&hash_file, format!("{hash}  {stem}{SUFFIX}\n")).map_err(|error| told(&hash_file, error))?;
    // Another's backup that is settled meanwhile would take this one for the oldest.
    let _alone = lock(&SETTLING);
    copied.settle().inspect_err(|_| drop(fs::remove_file(&hash_file)))?;
    prune(&dir, &to, if settled { KEPT } else { 2 * KEPT });
    read(&to).ok_or_else(|| StoreError::Other(format!("{} is gone", to.display())))
}

/// The backups that were asked for, newest first.
///
/// # Errors
/// What the system says.
pub fn list(data_dir: &Path) -> store::Result<Vec<Backup>> {
    let dir = data_dir.join(BACKUPS);
    Ok(files(&dir)?.iter().rev().filter_map(|path| read(path)).collect())
}

/// The copies that the daemon makes by itself: the one that is kept fresh, and those from before an upgrade. Newest
/// first, each with its name, its size and its time.
///
/// # Errors
/// What the system says.
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

/// Opens a backup by its name, whichever made it; `None` for any other file. With its size.
///
/// # Errors
/// What the system says.
pub fn open(data_dir: &Path, name: &str) -> store::Result<Option<(File, u64)>> {
    let path = data_dir.join(BACKUPS).join(name);
    if !is_automatic(name) && (name.contains('/') || time_of(&path).is_none()) {
        return Ok(None);
    }
    // Nobody but the daemon writes there; a link would lead elsewhere.
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

/// Removes what a backup or a restore that was cut left behind. For the start of a daemon, which has the directory for
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

/// True for a copy that is not in its place, and for the journal of one.
fn is_part(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix("-journal").unwrap_or(&name);
    name.starts_with('.') && name.ends_with(PART_SUFFIX)
}

/// Their paths, oldest first: the names are those of their times.
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

/// The time in a backup's name; `None` for any other file.
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

/// Removes all but the newest, and never `made`: the clock may have jumped.
fn prune(dir: &Path, made: &Path, kept: usize) {
    let Ok(mut files) = files(dir) else { return };
    // What claims to be later than the one just made was named by a clock that was ahead: it goes first.
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
