//! The daemon's settings file, changed by a person with taosctl: read whole, replaced whole, with the same owner and
//! mode.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// The path of the file in the package.
pub const PLACE: &str = "/etc/taosd/taosd.toml";
/// The most bytes of the file; the daemon reads no more.
const BYTES: u64 = 256 * 1024;

/// The file and its text.
pub struct SettingsFile {
    path: PathBuf,
    text: String,
}

impl SettingsFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`Failure::Usage`] if there is none, it is too long, or it cannot be read.
    pub fn read(path: &str) -> Result<Self, Failure> {
        let told = |error: io::Error| unusable(path, &error);
        // A symbolic link stays, and its target is replaced.
        let place = fs::canonicalize(path).map_err(told)?;
        let mut text = String::new();
        if !fs::metadata(&place).map_err(told)?.is_file() {
            return Err(unusable(path, &"it is not a file"));
        }
        File::open(&place).and_then(|file| file.take(BYTES + 1).read_to_string(&mut text)).map_err(told)?;
        if text.len() as u64 > BYTES {
            return Err(unusable(path, &format_args!("it is larger than {BYTES} bytes")));
        }
        Ok(Self { path: place, text })
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
        let beside = self.path.with_extension("toml.next");
        let replaced = self.write(&beside, text).and_then(|()| fs::rename(&beside, &self.path));
        replaced.map_err(|error| {
            let _ = fs::remove_file(&beside);
            unusable(&self.path.display().to_string(), &error)
        })
    }

    /// True if every user of the box may read the file.
    pub fn is_open_to_all(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|meta| meta.mode() & 0o004 != 0)
    }

    fn write(&self, beside: &Path, text: &str) -> io::Result<()> {
        let meta = fs::metadata(&self.path)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (meta.uid(), meta.gid()) {
            fchown(&file, Some(meta.uid()), Some(meta.gid()))?;
        }
        file.set_permissions(meta.permissions())?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

fn unusable(path: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format!("{path}: {why}."), "Run it as root on the daemon's box, or name its settings with --file.")
}
