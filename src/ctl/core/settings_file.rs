//! The daemon's settings file, changed by a person with taosctl: read whole, replaced whole, with the same owner and
//! mode. One command at a time may change it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::failure::Failure;
use super::private;

/// The path of the file in the package.
pub const PLACE: &str = "/etc/taosd/taosd.toml";
/// The most bytes of the file; the daemon reads no more.
const BYTES: u64 = 256 * 1024;
/// How often the lock is tried while another command has it, and the time between two tries.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// The file and its text.
pub struct SettingsFile {
    path: PathBuf,
    text: String,
    /// The file as it was read. Its lock ends with this value.
    locked: File,
}

impl SettingsFile {
    /// Locks and reads the file. Waits a few seconds for another command that is changing it.
    ///
    /// # Errors
    /// [`Failure::Usage`] if there is none, it is too long, it cannot be read, or another command does not end.
    pub fn read(path: &str) -> Result<Self, Failure> {
        let told = |error: io::Error| unusable(path, &error);
        // A symbolic link stays, and its target is replaced.
        let place = fs::canonicalize(path).map_err(told)?;
        let mut text = String::new();
        if !fs::metadata(&place).map_err(told)?.is_file() {
            return Err(unusable(path, &"it is not a file"));
        }
        let locked = locked(&place).map_err(told)?;
        (&locked).take(BYTES + 1).read_to_string(&mut text).map_err(told)?;
        if text.len() as u64 > BYTES {
            return Err(unusable(path, &format_args!("it is larger than {BYTES} bytes")));
        }
        Ok(Self { path: place, text, locked })
    }

    /// The text of the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the text of the file, completely or not at all.
    ///
    /// # Errors
    /// [`Failure::Usage`] if the caller may not write it, or on a disk error.
    pub fn replace(&self, text: &str) -> Result<(), Failure> {
        let replaced = private::beside(&self.path).and_then(|(beside, file)| {
            let written = self.write(file, text).and_then(|()| fs::rename(&beside, &self.path));
            if written.is_err() {
                let _ = fs::remove_file(&beside);
            }
            written?;
            File::open(private::parent(&self.path))?.sync_all()
        });
        replaced.map_err(|error| unusable(&self.path.display().to_string(), &error))
    }

    /// True if every user of the box may read the file.
    pub fn is_open_to_all(&self) -> bool {
        self.locked.metadata().is_ok_and(|meta| meta.mode() & 0o004 != 0)
    }

    fn write(&self, mut file: File, text: &str) -> io::Result<()> {
        let meta = self.locked.metadata()?;
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (meta.uid(), meta.gid()) {
            fchown(&file, Some(meta.uid()), Some(meta.gid()))?;
        }
        file.set_permissions(meta.permissions())?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

/// Opens the file with a lock that no other command has.
fn locked(place: &Path) -> io::Result<File> {
    for _ in 0..TRIES {
        let file = File::open(place)?;
        match file.try_lock() {
            // The command before may have replaced the file: then the lock is on one that is gone.
            Ok(()) if is_at(&file, place)? => return Ok(file),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::other("another command is changing it"))
}

fn is_at(file: &File, place: &Path) -> io::Result<bool> {
    let (open, there) = (file.metadata()?, fs::metadata(place)?);
    Ok((open.dev(), open.ino()) == (there.dev(), there.ino()))
}

fn unusable(path: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format!("{path}: {why}."), "Run it as root on the daemon's box, or name its settings with --file.")
}
