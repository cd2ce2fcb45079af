//! Files with secrets. They have mode 0600 in a directory of their owner. They are read only if nobody else can have
//! read or written them, and written completely or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::failure::Failure;

/// The most bytes that are read of such a file; taosctl never writes a longer one.
const MAX: u64 = 64 * 1024;
/// The fix if a secret cannot be written to the file that the caller has named.
const OTHER_FILE: &str = "Name a file in a directory that only you can write.";

/// Reads a file. Returns `None` if there is none. The caller checks the directory.
///
/// # Errors
/// [`Failure::Login`] for a symbolic link, a file of another user, or a mode that gives others access.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let shown = path.display();
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match open(path, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(Errno::LOOP) => return Err(is_a_link(path)),
        Err(error) => return Err(cannot(path, &error.into())),
    };
    let meta = file.metadata().map_err(|error| cannot(path, &error))?;
    if !meta.is_file() {
        return Err(is_no_file(path));
    }
    if meta.uid() != geteuid().as_raw() {
        return Err(not_owned(path));
    }
    if meta.mode() & 0o077 != 0 {
        let detail = format!("{shown} has mode {:04o}: others on this machine may use it.", meta.mode() & 0o7777);
        return Err(Failure::login(detail, format!("Run chmod 600 {shown}, or log in again.")));
    }
    let mut bytes = Vec::new();
    file.take(MAX + 1).read_to_end(&mut bytes).map_err(|error| cannot(path, &error))?;
    // A longer file is cut: taosctl did not write it, and the cut text is no longer JSON.
    Ok(Some(bytes))
}

/// Writes or replaces a file. A reader sees the old or the new content, never a mixture. The new file has mode 0600,
/// whatever mode the old one had. The directory must exist.
///
/// # Errors
/// [`Failure::Login`] for anything but a file of this user, a directory that others can write, or a disk error.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    may_write(path)?;
    replace(path, bytes).map_err(|error| cannot(path, &error))
}

/// Like [`write`], at a place that the caller has named. Nothing there is taosctl's, so the fix is another place.
///
/// # Errors
/// The same as for [`write`].
pub fn write_named(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write(path, bytes).map_err(|failure| elsewhere(failure, OTHER_FILE))
}

/// Checks whether [`write_named`] would succeed, before there is a secret to lose.
///
/// # Errors
/// The same as for [`write`].
pub fn probe(path: &Path) -> Result<(), Failure> {
    let probed = may_write(path).and_then(|()| {
        let made = beside(path).and_then(|(name, file)| {
            drop(file);
            fs::remove_file(name)
        });
        made.map_err(|error| cannot(path, &error))
    });
    probed.map_err(|failure| elsewhere(failure, OTHER_FILE))
}

/// Like [`read`], for a file that the caller has named.
///
/// # Errors
/// The same as for [`read`].
pub fn read_named(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    read(path).map_err(|failure| elsewhere(failure, "Name a file of yours that only you can read: chmod 600 FILE."))
}

/// The failure with a fix that changes nothing at the place.
fn elsewhere(failure: Failure, fix: &str) -> Failure {
    match failure {
        Failure::Login { detail, .. } => Failure::login(detail, fix),
        other => other,
    }
}

/// Makes a directory with mode 0700, and the missing ones above it.
///
/// # Errors
/// [`Failure::Login`] if it cannot be made, or if others have access to an existing one.
pub fn make_dir(dir: &Path) -> Result<(), Failure> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| cannot(dir, &error))?;
    check_dir(dir)
}

/// Removes a file. Returns false if there was none.
///
/// # Errors
/// [`Failure::Login`] if it cannot be removed.
pub fn remove(path: &Path) -> Result<bool, Failure> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(cannot(path, &error)),
    }
}

fn may_write(path: &Path) -> Result<(), Failure> {
    refuse_dir(parent(path), 0o022, "can be written by others on this machine")?;
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_symlink() => Err(is_a_link(path)),
        // Neither a directory nor a pipe or device may be replaced.
        Ok(meta) if !meta.is_file() => Err(is_no_file(path)),
        Ok(meta) if meta.uid() != geteuid().as_raw() => Err(not_owned(path)),
        _ => Ok(()),
    }
}

/// The directory of a file.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a new file next to another, with a random name. Returns its path and the open file.
pub(super) fn beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = parent(path).join(format!(".{name}.{}", HEXLOWER.encode(&random)));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    Ok((beside, file))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (beside, mut file) = beside(path)?;
    let written = (|| {
        // The umask may have removed too many mode bits.
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written?;
    File::open(parent(path))?.sync_all()
}

/// Checks that only its owner has access to a directory.
///
/// # Errors
/// [`Failure::Login`] if others have access, or it is a symbolic link or belongs to another user.
pub fn check_dir(dir: &Path) -> Result<(), Failure> {
    refuse_dir(dir, 0o077, "is open to others on this machine")
}

fn refuse_dir(dir: &Path, bits: u32, why: &str) -> Result<(), Failure> {
    let meta = fs::symlink_metadata(dir).map_err(|error| cannot(dir, &error))?;
    if meta.is_symlink() {
        return Err(is_a_link(dir));
    }
    if meta.uid() != geteuid().as_raw() {
        return Err(not_owned(dir));
    }
    if meta.mode() & bits != 0 {
        let detail = format!("{} {why}.", dir.display());
        return Err(Failure::login(detail, format!("Run chmod 700 {}.", dir.display())));
    }
    Ok(())
}

fn is_a_link(path: &Path) -> Failure {
    let detail = format!("{} is a symbolic link.", path.display());
    Failure::login(detail, "Replace it with a real directory, or set another one with TAOS_CONFIG_DIR.")
}

fn is_no_file(path: &Path) -> Failure {
    Failure::login(format!("{} is not a file.", path.display()), "Remove it and log in again.")
}

fn not_owned(path: &Path) -> Failure {
    let detail = format!("{} belongs to another user.", path.display());
    Failure::login(detail, "Remove it, or set another directory with TAOS_CONFIG_DIR.")
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    let fix = "Make the directory usable, or name another one with TAOS_CONFIG_DIR.";
    Failure::login(format!("{}: {error}", path.display()), fix)
}
