//! The condition of the open database: whether its files are those that were opened, and whether damage was found.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::threads::lock;

use super::error::{Result, StoreError};
use super::open::beside;

thread_local! {
    /// Damage that a statement of this thread has met since the last [`Condition::noting`] began.
    static MET: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Notes that a statement of this thread met damage.
pub fn met_damage(why: &str) {
    MET.with_borrow_mut(|met| {
        met.get_or_insert_with(|| why.to_owned());
    });
}

/// The device and inode of a file, which identify it.
type FileId = (u64, u64);

/// The condition of one open database.
#[derive(Debug)]
pub struct Condition {
    /// The database, its WAL and the WAL's index. The last two have an id once they were seen.
    files: Mutex<[(PathBuf, Option<FileId>); 3]>,
    damage: Mutex<Option<String>>,
}

impl Condition {
    /// Returns the condition of the database at `path`, which must exist.
    ///
    /// # Errors
    /// Any I/O error.
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

    /// Notes damage, for as long as the process lives: a reader may already have passed the damaged data on.
    pub fn note(&self, why: String) {
        lock(&self.damage).get_or_insert(why);
    }

    /// Checks that the files are still those that were opened.
    ///
    /// # Errors
    /// [`StoreError::Gone`] with the file that is missing or is another one.
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

    /// Checks that the files are in place and that no statement has met damage.
    ///
    /// # Errors
    /// [`StoreError::Gone`], or [`StoreError::Damaged`] once a statement has met damage.
    pub fn check(&self) -> Result<()> {
        self.in_place()?;
        match &*lock(&self.damage) {
            None => Ok(()),
            Some(why) => Err(StoreError::Damaged(why.clone())),
        }
    }
}
