//! A consistent copy of a database file: one state of it, complete in one file, checked and on disk (DESIGN D16).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rusqlite::backup::Backup;

use super::check::StillWanted;
use super::dir::BACKUPS;
use super::open::own;
use super::open::{self, Medium};
use super::{Result, StoreError, check};

/// The suffix of the name of a copy that is not in its place yet.
pub const PART_SUFFIX: &str = ".part";
/// Pages copied at a time, and the pause between: the SD card also has commits to write.
const PAGES: i32 = 512;
const PAUSE: Duration = Duration::from_millis(2);

/// Returns the directory of a data directory's backups. Makes it, with mode 0700, if it is missing.
///
/// # Errors
/// The I/O error as a [`StoreError`].
pub fn backup_dir(data_dir: &Path) -> Result<PathBuf> {
    let dir = data_dir.join(BACKUPS);
    match DirBuilder::new().mode(0o700).create(&dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(of_file(&dir, &error)),
        Ok(()) => own(data_dir, &dir).map(|()| dir.clone()).map_err(|error| of_file(&dir, &error)),
        _ => Ok(dir),
    }
}

/// How often a copy looks at the clock, in steps of SQLite's virtual machine, and how long it works between two pauses.
const STEPS: i32 = 4096;
const WORK: Duration = Duration::from_millis(10);

type Write = fn(&Path, Medium, &Path, &StillWanted) -> Result<()>;

/// A copy in a file beside its place. It is deleted when this is dropped before [`Copied::settle`].
#[derive(Debug)]
pub struct Copied {
    part: PathBuf,
    place: PathBuf,
}

impl Copied {
    /// Returns the path of the copy beside its place.
    pub fn path(&self) -> &Path {
        &self.part
    }

    /// Moves the copy to its place in one step, over the file that was there. It is on disk when this returns.
    ///
    /// # Errors
    /// The I/O error as a [`StoreError`]. If the move fails, the old file stays as it was.
    pub fn settle(self) -> Result<()> {
        fs::rename(&self.part, &self.place)
            .and_then(|()| sync_dir_of(&self.place))
            .map_err(|error| of_file(&self.place, &error))
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.part);
    }
}

/// Copies the database at `from`, which may be in use, to a new file beside `place`, with mode 0600. The copy has every
/// commit that got its reply before this began. It needs no files beside it, has passed [`check`] and is on disk.
///
/// # Errors
/// [`StoreError::Damaged`] with the findings of the check, [`StoreError::Unavailable`] if the copy is not `wanted` any
/// more, or the [`StoreError`] that prevents reading or writing.
pub fn copy_beside(from: &Path, place: &Path, wanted: &StillWanted) -> Result<Copied> {
    let medium = open::medium(from).map_err(|error| of_file(from, &error))?;
    copy_as(from, medium, place, compactly, wanted)
}

/// Like [`copy_beside`], for a file that no daemon uses. No other files are left beside it.
///
/// # Errors
/// As [`copy_beside`].
pub fn copy_at_rest(from: &Path, place: &Path) -> Result<Copied> {
    copy_as(from, open::at_rest(from), place, compactly, &StillWanted::always())
}

/// Puts a copy of the database at `from`, which may be in use, at `place`.
///
/// # Errors
/// As [`copy_beside`] and [`Copied::settle`].
pub fn copy_to(from: &Path, place: &Path, wanted: &StillWanted) -> Result<()> {
    copy_beside(from, place, wanted)?.settle()
}

/// Like [`copy_at_rest`], but page by page: for a file from elsewhere, none of whose SQL may run yet.
///
/// # Errors
/// As [`copy_beside`].
pub fn copy_pages(from: &Path, place: &Path) -> Result<Copied> {
    copy_as(from, open::at_rest(from), place, pages, &StillWanted::always())
}

fn copy_as(from: &Path, medium: Medium, place: &Path, write: Write, wanted: &StillWanted) -> Result<Copied> {
    let given_up = |error| if wanted.now() { error } else { StoreError::Unavailable("the copy was given up".into()) };
    let copied = Copied { part: part_of(place), place: place.to_owned() };
    let to = copied.path();
    let io = |error: io::Error| of_file(to, &error);
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(io)?;
    write(from, medium, to, wanted).map_err(given_up)?;
    sound(to, wanted).map_err(given_up)?;
    File::open(to).and_then(|file| file.sync_all()).map_err(io)?;
    // If root makes a copy in the daemon's own directory of backups, the daemon must be able to replace it.
    if let Some(dir) = place.parent().filter(|dir| dir.ends_with(BACKUPS)) {
        own(dir, to).map_err(io)?;
    }
    Ok(copied)
}

/// Returns a path beside `place` that nothing else uses now.
fn part_of(place: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let nth = NEXT.fetch_add(1, Ordering::Relaxed);
    place.with_file_name(format!(".{name}.{}.{nth}{PART_SUFFIX}", std::process::id()))
}

/// Syncs the directory of a file, which makes the names in it durable.
///
/// # Errors
/// Any I/O error.
pub fn sync_dir_of(path: &Path) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}

/// Writes the content of the file without its free pages, in a form that can give space back (auto-vacuum).
fn compactly(from: &Path, medium: Medium, to: &Path, wanted: &StillWanted) -> Result<()> {
    let mut source = open::to_be_copied(from, medium)?;
    let (mut slept, wanted) = (Instant::now(), wanted.clone());
    // The SD card also has commits to write.
    source.progress_handler(
        STEPS,
        Some(move || {
            if slept.elapsed() >= WORK {
                std::thread::sleep(PAUSE);
                slept = Instant::now();
            }
            !wanted.now()
        }),
    )?;
    let to = to.to_str().ok_or_else(|| StoreError::Other(format!("{} is not UTF-8", to.display())))?;
    source.execute("VACUUM INTO ?1", [to])?;
    source.close().map_err(|(_, error)| error.into())
}

fn pages(from: &Path, medium: Medium, to: &Path, _: &StillWanted) -> Result<()> {
    let source = open::reading(from, medium)?;
    // All steps use one snapshot: otherwise every commit in between would begin the copy anew.
    let snapshot = source.unchecked_transaction()?;
    snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let mut target = open::copy_in_making(to)?;
    Backup::new(&snapshot, &mut target)?.run_to_completion(PAGES, PAUSE, None)?;
    // The header of the copy still names a WAL, like that of its source.
    target.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    target.close().map_err(|(_, error)| error.into())
}

fn sound(file: &Path, wanted: &StillWanted) -> Result<()> {
    let wrong: Vec<String> = check::check_while(file, wanted)?
        .into_iter()
        .filter_map(|finding| finding.result.err().map(|wrong| format!("{}: {wrong}", finding.name)))
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(StoreError::Damaged(wrong.join("; "))) }
}

fn of_file(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::of_io(format!("{}: {error}", path.display()), error.kind())
}
