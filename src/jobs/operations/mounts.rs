//! Folders of the host that are mounted into containers. They are opened step by step without following a link, before
//! a container is made and before and after each start. A folder that was fit when it was requested may be a link to
//! `/etc` by now.

use std::fs::{self, File, Metadata};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::containers::{ContainerName, Driver, Until};
use crate::jobs::operations::{Jobs, OperationError, within};

/// Seconds for each call other than the start itself.
const CALL: u64 = 20;

/// A fit folder, held open: while it is open, device and inode number identify it.
struct OpenFolder {
    folder: Metadata,
    _open: OwnedFd,
}

impl PartialEq for OpenFolder {
    fn eq(&self, other: &Self) -> bool {
        (self.folder.dev(), self.folder.ino()) == (other.folder.dev(), other.folder.ino())
    }
}

/// Checks that each source is now a folder below one of `roots`, reached without a link, and that only root and the
/// daemon's user can replace it or a part of its path. A check before and one after a start would not see a swap that
/// is undone in between. So the owner of a root counts as a stranger, and the folders above the root are checked as
/// well.
///
/// # Errors
/// `container_failed`, with the path that is unfit.
pub fn check(roots: &[PathBuf], sources: &[PathBuf]) -> Result<(), OperationError> {
    hold(roots, sources).map(|_| ())
}

fn hold(roots: &[PathBuf], sources: &[PathBuf]) -> Result<Vec<OpenFolder>, OperationError> {
    sources.iter().map(|source| hold_one(roots, source).map_err(|why| unfit(source, &why))).collect()
}

fn unfit(source: &Path, why: &str) -> OperationError {
    OperationError::UnfitMount(format!("The mounted folder {} {why}.", source.display()))
}

fn hold_one(roots: &[PathBuf], source: &Path) -> Result<OpenFolder, String> {
    let mut why = "is not below one of mount_roots".to_owned();
    for root in roots {
        let Ok(root) = root.canonicalize() else { continue };
        if !source.starts_with(&root) {
            continue;
        }
        match open_all(source).and_then(|held| is_where_it_was(held, source)) {
            Ok(held) => return Ok(held),
            Err(error) => why = error,
        }
    }
    Err(why)
}

/// Opens each folder of the path from `/` on through the one before, so that the checked folders are the ones that are
/// used.
fn open_all(source: &Path) -> Result<OpenFolder, String> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = |dir: BorrowedFd<'_>, name: &Path| {
        openat(dir, name, flags, Mode::empty())
            .map_err(|error| format!("cannot be opened without following a link, at {}: {error}", name.display()))
    };
    let mut dir = open(CWD, Path::new("/"))?;
    for part in source.components() {
        let name = match part {
            Component::RootDir => continue,
            Component::Normal(name) => Path::new(name),
            _ => return Err("is not a plain path".into()),
        };
        let inner = open(dir.as_fd(), name)?;
        is_safe(&metadata(&dir)?, &metadata(&inner)?)?;
        dir = inner;
    }
    Ok(OpenFolder { folder: metadata(&dir)?, _open: dir })
}

fn metadata(dir: &OwnedFd) -> Result<Metadata, String> {
    let copy = dir.try_clone().map_err(|error| error.to_string())?;
    File::from(copy).metadata().map_err(|error| error.to_string())
}

/// Checks one folder of the path and the next one in it. Who owns or may write to the first can swap the second. In a
/// sticky folder such as `/tmp`, only the owner of the second can.
fn is_safe(dir: &Metadata, inner: &Metadata) -> Result<(), String> {
    let trusted = |uid: u32| uid == 0 || uid == rustix::process::geteuid().as_raw();
    let is_sticky = dir.mode() & 0o1000 != 0 && trusted(inner.uid());
    if trusted(dir.uid()) && (dir.mode() & 0o022 == 0 || is_sticky) {
        return Ok(());
    }
    Err("lies in a folder that others may write to, who could put a link in its place".into())
}

/// Checks that the kernel's name of the opened folder is the path that the runtime gets.
fn is_where_it_was(held: OpenFolder, source: &Path) -> Result<OpenFolder, String> {
    let told = fs::read_link(format!("/proc/self/fd/{}", held._open.as_raw_fd())).map_err(|error| error.to_string())?;
    if told == source { Ok(held) } else { Err("was moved just now".into()) }
}

/// Starts an agent's container if every folder that the daemon mounted into it is still fit, and stops it again if one
/// was swapped meanwhile. Every start by the daemon uses this function.
///
/// # Errors
/// `container_failed`, or a driver error.
pub fn start(
    jobs: &Arc<Jobs>,
    driver: &dyn Driver,
    name: &ContainerName,
    until: Until<'_>,
) -> Result<(), OperationError> {
    if driver.node().is_some() {
        // The daemon mounts no folders into containers on nodes.
        return Ok(driver.start(name, until)?);
    }
    let sources = driver.brief(name, within(CALL))?.mounts;
    let roots = jobs.mount_roots.now();
    let before = hold(&roots, &sources)?;
    driver.start(name, until)?;
    let swapped = match hold(&roots, &sources) {
        Ok(after) if after == before => return Ok(()),
        Ok(_) => OperationError::UnfitMount("A mounted folder was swapped during the start.".into()),
        Err(error) => error,
    };
    log::error!("container {name} is stopped again: {}", swapped.detail());
    driver.stop(name, Duration::ZERO, true, within(CALL))?;
    Err(swapped)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    struct MountsDir(PathBuf);

    impl MountsDir {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("taosd-mounts-{}-{name}", std::process::id()));
            fs::create_dir_all(path.join("root/a/b")).unwrap();
            fs::set_permissions(path.join("root"), Permissions::from_mode(0o755)).unwrap();
            fs::set_permissions(path.join("root/a"), Permissions::from_mode(0o755)).unwrap();
            Self(path.canonicalize().unwrap())
        }

        fn check(&self, source: &str) -> Result<(), String> {
            check(&[self.0.join("root")], &[self.0.join(source)]).map_err(|error| error.detail())
        }
    }

    impl Drop for MountsDir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_folder_below_a_root_is_fit_and_nothing_else_is() {
        let dir = MountsDir::new("fit");
        fs::write(dir.0.join("root/file"), "").unwrap();
        fs::create_dir(dir.0.join("rootless")).unwrap();
        for fit in ["root", "root/a", "root/a/b"] {
            dir.check(fit).unwrap();
        }
        for unfit in ["root/file", "root/none", "rootless", "root/a/../../rootless", "", "root/a/.."] {
            assert!(dir.check(unfit).is_err(), "{unfit}");
        }
    }

    #[test]
    fn a_link_anywhere_below_the_root_is_unfit() {
        let dir = MountsDir::new("link");
        symlink("/etc", dir.0.join("root/etc")).unwrap();
        symlink("a", dir.0.join("root/same")).unwrap();
        for unfit in ["root/etc", "root/same", "root/same/b"] {
            assert!(dir.check(unfit).is_err(), "{unfit}");
        }
        fs::rename(dir.0.join("root/a"), dir.0.join("away")).unwrap();
        symlink("/", dir.0.join("root/a")).unwrap();
        assert!(dir.check("root/a/b").is_err());
    }

    #[test]
    fn an_owner_of_a_root_could_swap_what_lies_in_it() {
        let dir = MountsDir::new("owner");
        for owned in ["root", ""] {
            // Only root can change the owner of a folder.
            if chown(dir.0.join(owned), Some(12345), None).is_err() {
                return;
            }
            assert!(dir.check("root/a").unwrap_err().contains("others may write"), "{owned:?}");
            chown(dir.0.join(owned), Some(0), None).unwrap();
            dir.check("root/a").unwrap();
        }
        chown(dir.0.join("root/a"), Some(12345), None).unwrap();
        dir.check("root/a").unwrap();
    }

    #[test]
    fn a_folder_that_others_could_swap_is_unfit() {
        let dir = MountsDir::new("swap");
        fs::set_permissions(dir.0.join("root/a"), Permissions::from_mode(0o777)).unwrap();
        assert!(dir.check("root/a/b").unwrap_err().contains("others may write"));
        dir.check("root/a").unwrap();
        fs::set_permissions(dir.0.join("root/a"), Permissions::from_mode(0o775)).unwrap();
        assert!(dir.check("root/a/b").is_err());
        // In a sticky folder only the owner of an entry can rename it.
        fs::set_permissions(dir.0.join("root/a"), Permissions::from_mode(0o1777)).unwrap();
        dir.check("root/a/b").unwrap();
        if chown(dir.0.join("root/a/b"), Some(12345), None).is_ok() {
            assert!(dir.check("root/a/b").is_err());
        }
    }
}
