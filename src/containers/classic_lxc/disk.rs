//! Containers as folders on the host: configurations, copies of root file systems, renames.
//!
//! A folder is built beside its final place, synced to disk, and renamed as the last step. So after a crash the name
//! has either nothing or the whole container. An unfinished folder begins with `.taosd-new-`. The next call of the same
//! kind for the same name deletes it, or the rollback of the deployment does.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};

use super::config::{LxcConfig, MAX_CONFIG};
use super::tools::run;
use crate::containers::{Error, Until};

/// The prefix of an unfinished folder. No container's name begins with a dot.
const NEW: &str = ".taosd-new-";

/// Reads a configuration file, within bounds and without following a link. `None` if it does not exist.
pub(super) fn read_config(path: &Path) -> Result<Option<LxcConfig>, Error> {
    let text = || -> io::Result<String> {
        let mut text = String::new();
        let file = open_plain(path)?;
        let length = file.take(MAX_CONFIG + 1).read_to_string(&mut text)?;
        if length as u64 > MAX_CONFIG { Err(io::Error::other("it is too long")) } else { Ok(text) }
    };
    match text() {
        Ok(text) => Ok(Some(LxcConfig::parse(&text))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Error::io("reading a container's configuration", &error)),
    }
}

/// Replaces a configuration file. Only root can ever read it, and a crash leaves the old file or the new one.
pub(super) fn write_config(path: &Path, config: &LxcConfig) -> Result<(), Error> {
    write_whole(path, config.text().as_bytes())
        .map_err(|error| Error::io("writing a container's configuration", &error))
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_file_name(".config.taosd");
    match fs::remove_file(&part) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    sync_folder(path.parent().unwrap_or(Path::new("/")))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)
}

/// An unfinished folder. It is deleted on drop unless it was put in place.
pub(super) struct Draft {
    folder: PathBuf,
    place: PathBuf,
}

impl Draft {
    /// Begins a folder for `place` that only root can read. With `open`, other users can pass through it, which a
    /// container needs whose root is not the host's.
    pub(super) fn begin(place: &Path, open: bool, deadline: Instant) -> Result<Self, Error> {
        Self::clear(place, deadline)?;
        let (above, folder) = Self::beside(place)?;
        let mode = if open { 0o711 } else { 0o700 };
        // The daemon's own umask cuts the mode that a folder is made with.
        let made = fs::create_dir_all(above).and_then(|()| DirBuilder::new().mode(mode).create(&folder));
        made.and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)))
            .map_err(|error| Error::io("making a container's folder", &error))?;
        Ok(Self { folder, place: place.to_owned() })
    }

    /// Deletes the unfinished folder that a crash has left for `place`.
    pub(super) fn clear(place: &Path, deadline: Instant) -> Result<(), Error> {
        let (_, folder) = Self::beside(place)?;
        if folder.symlink_metadata().is_ok() { remove_tree(&folder, deadline) } else { Ok(()) }
    }

    /// The parent folder of `place`, and the path of its unfinished folder.
    fn beside(place: &Path) -> Result<(&Path, PathBuf), Error> {
        let (Some(above), Some(name)) = (place.parent(), place.file_name().and_then(|name| name.to_str())) else {
            return Err(Error::refused("a container needs a folder to be in"));
        };
        Ok((above, above.join(format!("{NEW}{name}"))))
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// Copies a root file system with owners, modes, links and extended attributes.
    pub(super) fn copy_root<'a>(&self, from: &Path, until: impl Into<Until<'a>>) -> Result<(), Error> {
        let to = self.folder.join("rootfs");
        let arguments = ["-a".as_ref(), "--reflink=auto".as_ref(), "--".as_ref(), from.as_os_str(), to.as_os_str()];
        run("cp", &arguments, until)?.ok().map(|_| ())
    }

    /// Syncs everything to disk and renames the folder to its place; `false` if the name is taken.
    pub(super) fn put_in_place(self) -> Result<bool, Error> {
        let synced = File::open(&self.folder).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
        synced.map_err(|error| Error::io("bringing a container to disk", &error))?;
        rename_new(&self.folder, &self.place)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After `put_in_place` it is gone. If this removal fails, the next try clears it.
        if self.folder.symlink_metadata().is_ok() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Renames a folder to a name that is free; `false` if it is taken.
pub(super) fn rename_new(from: &Path, to: &Path) -> Result<bool, Error> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        Err(rustix::io::Errno::EXIST | rustix::io::Errno::NOTEMPTY) => return Ok(false),
        Err(error) => return Err(Error::io("naming a container's folder", &error.into())),
    }
    let above = to.parent().unwrap_or(Path::new("/"));
    sync_folder(above).map_err(|error| Error::io("bringing a container's name to disk", &error))?;
    Ok(true)
}

fn remove_tree(folder: &Path, deadline: Instant) -> Result<(), Error> {
    let arguments = ["-rf".as_ref(), "--one-file-system".as_ref(), "--".as_ref(), folder.as_os_str()];
    run("rm", &arguments, deadline)?.ok().map(|_| ())
}

/// The last `max` bytes of a file and whether it has more; empty if the file does not exist.
pub(super) fn read_end(path: &Path, max: usize) -> Result<(Vec<u8>, bool), Error> {
    let read = || -> io::Result<(Vec<u8>, bool)> {
        let mut file = open_plain(path)?;
        let length = file.metadata()?.len();
        let from = length.saturating_sub(max as u64);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(max as u64).read_to_end(&mut bytes)?;
        Ok((bytes, from > 0))
    };
    match read() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((Vec::new(), false)),
        other => other.map_err(|error| Error::io("reading a console log", &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("taosd-disk-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_configuration_is_never_readable_by_others() {
        let folder = folder("config");
        let path = folder.join("config");
        fs::write(&path, "old\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write_config(&path, &LxcConfig::parse("lxc.environment = TAOS_TOKEN=x\n")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_config(&path).unwrap().unwrap().env("TAOS_TOKEN"), Some("x"));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn only_a_missing_configuration_reads_as_none() {
        let folder = folder("missing");
        assert_eq!(read_config(&folder.join("config")), Ok(None));
        assert!(read_config(&folder).is_err());
        symlink("/etc/passwd", folder.join("link")).unwrap();
        assert!(read_config(&folder.join("link")).is_err());
        fs::write(folder.join("huge"), vec![b'\n'; MAX_CONFIG as usize + 1]).unwrap();
        assert!(read_config(&folder.join("huge")).is_err());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_draft_replaces_nothing_and_leaves_nothing() {
        let folder = folder("draft");
        let place = folder.join("one");
        let soon = Instant::now() + Duration::from_secs(10);
        fs::create_dir_all(folder.join(".taosd-new-one/left-by-a-crash")).unwrap();
        assert!(Draft::begin(&place, false, soon).unwrap().put_in_place().unwrap());
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
        fs::write(place.join("mine"), "").unwrap();
        assert!(!Draft::begin(&place, false, soon).unwrap().put_in_place().unwrap());
        assert!(place.join("mine").exists());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_draft_has_its_mode_whatever_the_umask() {
        let soon = Instant::now() + Duration::from_secs(10);
        let folder = folder("umask");
        let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        let drafts = [true, false].map(|open| Draft::begin(&folder.join(format!("{open}")), open, soon));
        rustix::process::umask(before);
        let modes = drafts.map(|draft| fs::metadata(draft.unwrap().path()).unwrap().permissions().mode() & 0o777);
        assert_eq!(modes, [0o711, 0o700]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_end_of_a_log_is_read() {
        let folder = folder("log");
        fs::write(folder.join("log"), "one\ntwo\n").unwrap();
        assert_eq!(read_end(&folder.join("log"), 4).unwrap(), (b"two\n".to_vec(), true));
        assert_eq!(read_end(&folder.join("none"), 4).unwrap(), (Vec::new(), false));
        fs::remove_dir_all(folder).unwrap();
    }
}
