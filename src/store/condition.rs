//! How the open database is: whether its files are still those that were opened, and whether what is read is sound.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::threads::lock;

use super::error::{Result, StoreError};
use super::open::beside;

thread_local! {
    /// Damage that a statement of this thread has met since the last [`noting`] began.
    static MET: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Notes that a statement of this thread met damage.
pub fn met_damage(why: &str) {
    MET.with_borrow_mut(|met| {
        met.get_or_insert_with(|| why.to_owned());
    });
}

/// What tells one file from another.
type FileId = (u64, u64);

/// The condition of one open database.
#[derive(Debug)]
pub struct Condition {
    /// The database, its WAL and the WAL's index. The last two are known once they were seen.
    files: Mutex<[(PathBuf, Option<FileId>); 3]>,
    damage: Mutex<Option<String>>,
}

impl Condition {
    /// That of the database at `path`, which is there.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(path: &Path) -> std::io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        let files = [
            (path.to_owned(), Some((found.dev(), found.ino()))),
            (beside(path, "-wal"), None),
            (beside(path, "-shm"), None),
        ];
        Ok(Self { files: Mutex::new(files), damage: Mutex::new(None) })
    }

    /// Runs `work` and notes the damage that it meets.
    pub fn noting<T>(&self, work: impl FnOnce() -> T) -> T {
        MET.with_borrow_mut(Option::take);
        let result = work();
        if let Some(why) = MET.with_borrow_mut(Option::take) {
            self.note(why);
        }
        result
    }

    /// Notes damage. It lasts as long as the process: whoever has read it may have passed it on.
    pub fn note(&self, why: String) {
        lock(&self.damage).get_or_insert(why);
    }

    /// Makes sure that the files are those that were opened.
    ///
    /// # Errors
    /// `Gone` with the file that is not there, or is another one.
    pub fn in_place(&self) -> Result<()> {
        let mut files = lock(&self.files);
        for (path, known) in files.iter_mut() {
            let found = fs::symlink_metadata(&*path).ok().map(|meta| (meta.dev(), meta.ino()));
            match (*known, found) {
                (None, found) => *known = found,
                (Some(known), Some(found)) if known == found => {}
                (Some(_), Some(_)) => {
                    return Err(StoreError::Gone(format!("{} is another file than the one in use", path.display())));
                }
                (Some(_), None) => {
                    return Err(StoreError::Gone(format!("{} was removed while it is in use", path.display())));
                }
            }
        }
        Ok(())
    }

    /// Whether all is well.
    ///
    /// # Errors
    /// `Gone`, or `Damaged` since some statement met damage.
    pub fn check(&self) -> Result<()> {
        self.in_place()?;
        match &*lock(&self.damage) {
            None => Ok(()),
            Some(why) => Err(StoreError::Damaged(why.clone())),
        }
    }
}
