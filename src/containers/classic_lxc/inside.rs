//! Reads and writes files inside a container from the host.
//!
//! The tree belongs to hostile code: any part of a path may be, or become, a symbolic link to the host's files. So this
//! module follows no path the ordinary way:
//!
//! - The root is opened once. For a running container it is opened through its init process, so that the container's
//!   own mounts such as `/run` are visible.
//! - Every folder is resolved by `openat2` with `RESOLVE_IN_ROOT` and `RESOLVE_NO_MAGICLINKS`, which keeps absolute and
//!   `..` links inside that root.
//! - A file is created under a new name with `O_EXCL` and `O_NOFOLLOW` and renamed over the old one, so that no
//!   existing file is opened for writing.
//! - Only plain files are read.
//! - A folder or file that belongs to nobody in the container is left alone. It may be the host's, on a mount that the
//!   container shares, where the container's own root has no rights and the daemon has all.
//!
//! `lxc-attach` would need the content in its arguments, or trust in the container's own programs.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, Dir, Gid, Mode, OFlags, ResolveFlags, Stat, Uid, fchmod, fchown, fstat, mkdirat, openat, openat2,
    renameat, statat, unlinkat,
};
use rustix::io::Errno;

use crate::containers::{ContainerPath, FileSpec, MAX_FILE};

/// How often `openat2` is tried while the container moves its folders.
const TRIES: usize = 16;

/// The root folder of a container, and the map from its ids to the host's.
pub(super) struct Root {
    folder: OwnedFd,
    uids: IdMap,
    gids: IdMap,
}

impl Root {
    /// Opens the root as the process sees it. The caller then checks that the process was still the container's.
    pub(super) fn of_process(pid: u32) -> io::Result<Self> {
        let read = |map: &str| std::fs::read_to_string(format!("/proc/{pid}/{map}")).map(|text| IdMap::parse(&text));
        let path = format!("/proc/{pid}/root");
        let folder = rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { folder, uids: read("uid_map")?, gids: read("gid_map")? })
    }

    /// Opens the root folder of a stopped container. `maps` are its `lxc.idmap` values.
    pub(super) fn of_folder(path: &Path, maps: &[&str]) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let map = |kind| {
            let rows: Vec<&str> = maps.iter().filter_map(|map| map.strip_prefix(kind)).collect();
            if rows.is_empty() { IdMap::identity() } else { IdMap::parse(&rows.join("\n")) }
        };
        Ok(Self { folder: rustix::fs::open(path, flags, Mode::empty())?, uids: map("u "), gids: map("g ") })
    }

    pub(super) fn write(&self, file: &FileSpec) -> io::Result<()> {
        let owner = (Uid::from_raw(self.uids.host(file.uid)?), Gid::from_raw(self.gids.host(file.gid)?));
        let folder = self.make_folders(&file.path, owner)?;
        let (name, part) = (file.path.split().1, temporary_name()?);
        self.may_change(&folder, name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut out = File::from(openat(&folder, &part, flags, Mode::from_raw_mode(0o600))?);
        let written = fill(&mut out, file, owner).and_then(|()| Ok(renameat(&folder, &part, &folder, name)?));
        if written.is_err() {
            // If this fails, nothing else can be done about the temporary file.
            let _ = unlinkat(&folder, &part, AtFlags::empty());
        }
        written?;
        let there = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let same = there.st_size == file.content.len() as i64 && there.st_mode & 0o7777 == file.mode & 0o7777;
        if same { Ok(()) } else { Err(io::Error::other("the file did not arrive")) }
    }

    /// Reads a plain file; `None` if there is none.
    pub(super) fn read(&self, path: &ContainerPath) -> io::Result<Option<Vec<u8>>> {
        let (folder, name) = path.split();
        let found = self.folder(folder).and_then(|folder| {
            // Opening a device or a pipe may have effects, so the first descriptor is only `O_PATH`.
            openat(&folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        });
        let found = match found {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            other => File::from(other?),
        };
        if !found.metadata()?.is_file() {
            return Ok(None);
        }
        self.may_touch(&fstat(&found)?)?;
        let mut content = Vec::new();
        let opened = File::open(format!("/proc/self/fd/{}", found.as_raw_fd()))?;
        opened.take(MAX_FILE as u64).read_to_end(&mut content)?;
        Ok(Some(content))
    }

    /// Removes a file or a link; succeeds if there is none.
    pub(super) fn remove(&self, path: &ContainerPath) -> io::Result<()> {
        let (folder, name) = path.split();
        let folder = match self.folder(folder) {
            Err(Errno::NOENT) => return Ok(()),
            other => other?,
        };
        if statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).is_err_and(|error| error == Errno::NOENT) {
            return Ok(());
        }
        self.may_change(&folder, name)?;
        match unlinkat(&folder, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Whether a folder of this path exists.
    pub(super) fn has_folder(&self, path: &str) -> bool {
        self.folder(path).is_ok()
    }

    fn make_folders(&self, path: &ContainerPath, (uid, gid): (Uid, Gid)) -> io::Result<OwnedFd> {
        let mut above = self.folder("")?;
        for folder in path.folders() {
            above = match self.folder(folder) {
                Err(Errno::NOENT) => {
                    let name = folder.rsplit('/').next().unwrap_or_default();
                    let made = self.make_folder(&above, name)?;
                    fchown(&made, Some(uid), Some(gid))?;
                    fchmod(&made, Mode::from_raw_mode(0o755))?;
                    made
                }
                other => other?,
            };
        }
        Ok(above)
    }

    /// Makes a folder and opens it. In between, the container may put another one in its place, which is refused if it
    /// is a mount, or the host's and not empty: an empty one it could replace itself.
    fn make_folder(&self, above: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
        self.may_change(above, name)?;
        mkdirat(above, name, Mode::from_raw_mode(0o755))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat2(above, name, flags, Mode::empty(), ResolveFlags::NO_XDEV | ResolveFlags::BENEATH)?;
        self.is_new(&made)?;
        Ok(made)
    }

    /// Refuses a folder of the host's that is not empty. A new one still has the daemon as owner.
    fn is_new(&self, made: &OwnedFd) -> io::Result<()> {
        if self.holds(&fstat(made)?) || is_empty(made)? { Ok(()) } else { Err(foreign()) }
    }

    /// Refuses to change an entry of a folder that the container's own root may not change.
    fn may_change(&self, folder: &OwnedFd, name: &str) -> io::Result<()> {
        let above = fstat(folder)?;
        self.may_touch(&above)?;
        if Mode::from_raw_mode(above.st_mode).contains(Mode::SVTX) {
            match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => {}
                there => self.may_touch(&there?)?,
            }
        }
        Ok(())
    }

    fn may_touch(&self, there: &Stat) -> io::Result<()> {
        if self.holds(there) { Ok(()) } else { Err(foreign()) }
    }

    /// Whether this belongs to a user and a group of the container. The kernel asks the same before it lets the
    /// container's root do what the mode bits do not.
    fn holds(&self, there: &Stat) -> bool {
        self.uids.has_host(there.st_uid) && self.gids.has_host(there.st_gid)
    }

    /// Opens a folder by its path from the root. Links in the path stay inside the root.
    fn folder(&self, path: &str) -> Result<OwnedFd, Errno> {
        let path = path.trim_start_matches('/');
        let path = if path.is_empty() { "." } else { path };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..TRIES {
            match openat2(self.folder.as_fd(), path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN) => {}
                other => return other,
            }
        }
        Err(Errno::AGAIN)
    }
}

fn foreign() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "its owner is no user or group of the container")
}

fn is_empty(folder: &OwnedFd) -> io::Result<bool> {
    for entry in Dir::read_from(folder)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

fn fill(out: &mut File, file: &FileSpec, (uid, gid): (Uid, Gid)) -> io::Result<()> {
    out.write_all(&file.content)?;
    fchown(&*out, Some(uid), Some(gid))?;
    // This comes last, since a change of owner clears mode bits.
    fchmod(&*out, Mode::from_raw_mode(file.mode & 0o7777))?;
    out.sync_all()
}

fn temporary_name() -> io::Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!(".taosd-{}", data_encoding::HEXLOWER.encode(&random)))
}

/// Rows of first id inside, first id outside and count, as in `/proc/PID/uid_map` and `lxc.idmap`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct IdMap(Vec<(u32, u32, u32)>);

impl IdMap {
    fn identity() -> Self {
        Self(vec![(0, 0, u32::MAX)])
    }

    /// Skips rows that are not three numbers.
    pub(crate) fn parse(text: &str) -> Self {
        let row = |line: &str| {
            let mut numbers = line.split_whitespace().map(str::parse);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
        };
        Self(text.lines().filter_map(row).collect())
    }

    /// The host's id for an id inside.
    pub(crate) fn host(&self, inside: u32) -> io::Result<u32> {
        let mapped = self.0.iter().find_map(|&(first, host, count)| {
            let offset = inside.checked_sub(first).filter(|offset| *offset < count)?;
            host.checked_add(offset)
        });
        mapped.ok_or_else(|| io::Error::other("the container has no such id"))
    }

    /// Whether an id of the host is one of the container's.
    fn has_host(&self, outside: u32) -> bool {
        self.0.iter().any(|&(_, host, count)| outside.checked_sub(host).is_some_and(|offset| offset < count))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    use proptest::prelude::*;

    use super::*;

    /// A container's root and, beside it, files of the host that must not change.
    struct Tree(std::path::PathBuf);

    impl Tree {
        fn new(name: &str) -> Self {
            let base = std::env::temp_dir().join(format!("taosd-inside-{name}-{}", std::process::id()));
            fs::create_dir_all(base.join("root")).unwrap();
            fs::create_dir_all(base.join("host")).unwrap();
            fs::write(base.join("host/secret"), "host").unwrap();
            Self(base)
        }

        fn root(&self) -> Root {
            Root::of_folder(&self.0.join("root"), &[]).unwrap()
        }

        fn spec(&self, path: &str) -> FileSpec {
            let me = rustix::process::getuid().as_raw();
            let mut spec = FileSpec::secret(ContainerPath::parse(path).unwrap(), b"token");
            (spec.uid, spec.gid) = (me, rustix::process::getgid().as_raw());
            spec
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_is_written_with_its_folders_and_mode() {
        let tree = Tree::new("plain");
        tree.root().write(&tree.spec("/run/taos/token")).unwrap();
        let path = tree.0.join("root/run/taos/token");
        assert_eq!(fs::read_to_string(&path).unwrap(), "token");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o400);
        tree.root().write(&tree.spec("/run/taos/token")).unwrap();
        assert_eq!(fs::read_dir(tree.0.join("root/run/taos")).unwrap().count(), 1);
    }

    #[test]
    fn a_link_to_the_host_leads_back_into_the_container() {
        let tree = Tree::new("links");
        let root = tree.0.join("root");
        symlink(tree.0.join("host"), root.join("absolute")).unwrap();
        symlink("../../../../../../../..", root.join("climbing")).unwrap();
        assert!(tree.root().write(&tree.spec("/absolute/secret")).is_err());
        tree.root().write(&tree.spec("/climbing/secret")).unwrap();
        assert_eq!(fs::read_to_string(root.join("secret")).unwrap(), "token");
        assert_eq!(fs::read_to_string(tree.0.join("host/secret")).unwrap(), "host");
    }

    #[test]
    fn a_link_in_the_place_of_the_file_is_replaced_not_followed() {
        let tree = Tree::new("file-link");
        let place = tree.0.join("root/token");
        symlink(tree.0.join("host/secret"), &place).unwrap();
        tree.root().write(&tree.spec("/token")).unwrap();
        assert!(place.symlink_metadata().unwrap().is_file());
        assert_eq!(fs::read_to_string(tree.0.join("host/secret")).unwrap(), "host");
        symlink(tree.0.join("host/secret"), tree.0.join("root/gone")).unwrap();
        tree.root().remove(&ContainerPath::parse("/gone").unwrap()).unwrap();
        assert!(tree.0.join("host/secret").exists());
    }

    #[test]
    fn a_magic_link_is_refused() {
        let tree = Tree::new("magic");
        symlink("/proc/self/cwd", tree.0.join("root/magic")).unwrap();
        assert!(tree.root().write(&tree.spec("/magic/x")).is_err());
    }

    #[test]
    fn only_a_plain_file_is_read() {
        let tree = Tree::new("read");
        let read = |place: &str| tree.root().read(&ContainerPath::parse(place).unwrap()).unwrap();
        tree.root().write(&tree.spec("/run/taos/token")).unwrap();
        assert_eq!(read("/run/taos/token").as_deref(), Some(b"token".as_slice()));
        symlink(tree.0.join("host/secret"), tree.0.join("root/link")).unwrap();
        symlink(tree.0.join("host"), tree.0.join("root/above")).unwrap();
        for place in ["/link", "/above/secret", "/run", "/run/none", "/no/folder", "/run/taos/token/below"] {
            assert_eq!(read(place), None, "{place}");
        }
    }

    #[test]
    fn removing_what_is_not_there_is_fine() {
        let tree = Tree::new("absent");
        tree.root().remove(&ContainerPath::parse("/no/such/file").unwrap()).unwrap();
    }

    /// The root of a container whose ids are not those of this process, and its folder `own`, with a user of its own.
    fn mapped(tree: &Tree) -> Option<Root> {
        let root = Root::of_folder(&tree.0.join("root"), &["u 0 100000 65536", "g 0 100000 65536"]).unwrap();
        fs::create_dir(tree.0.join("root/own")).unwrap();
        fs::create_dir(tree.0.join("root/shared")).unwrap();
        // Only root may give files away.
        chown(tree.0.join("root/own"), Some(100_000), Some(100_000)).ok().map(|()| root)
    }

    fn secret(path: &str) -> FileSpec {
        FileSpec::secret(ContainerPath::parse(path).unwrap(), b"token")
    }

    #[test]
    fn what_belongs_to_nobody_in_the_container_is_left_alone() {
        let tree = Tree::new("foreign");
        let Some(root) = mapped(&tree) else { return };
        let shared = tree.0.join("root/shared");
        fs::write(shared.join("kept"), "host").unwrap();
        symlink("../shared", tree.0.join("root/own/link")).unwrap();
        for (uid, gid) in [(0, 0), (100_000, 0), (0, 100_000), (99_999, 100_000), (100_000, 165_536)] {
            chown(&shared, Some(uid), Some(gid)).unwrap();
            for target in ["/shared/kept", "/shared/new", "/shared/folder/new", "/own/link/kept"] {
                let error = root.write(&secret(target)).unwrap_err();
                assert!(error.to_string().contains("no user or group of the container"), "{target}: {error}");
            }
            assert!(root.remove(&ContainerPath::parse("/own/link/kept").unwrap()).is_err());
            root.remove(&ContainerPath::parse("/shared/none").unwrap()).unwrap();
            assert_eq!(fs::read_to_string(shared.join("kept")).unwrap(), "host");
            assert_eq!(fs::read_dir(&shared).unwrap().count(), 1);
        }
        for (uid, gid) in [(0, 0), (100_000, 0), (0, 100_000)] {
            chown(shared.join("kept"), Some(uid), Some(gid)).unwrap();
            assert!(root.read(&ContainerPath::parse("/own/link/kept").unwrap()).is_err());
        }
    }

    #[test]
    fn what_belongs_to_a_user_of_the_container_is_written_read_and_removed() {
        let tree = Tree::new("own");
        let Some(root) = mapped(&tree) else { return };
        let place = ContainerPath::parse("/own/taos/token").unwrap();
        root.write(&secret("/own/taos/token")).unwrap();
        root.write(&secret("/own/taos/token")).unwrap();
        assert_eq!(fs::metadata(tree.0.join("root/own/taos")).unwrap().uid(), 100_000);
        assert_eq!(root.read(&place).unwrap().as_deref(), Some(b"token".as_slice()));
        root.remove(&place).unwrap();
        assert_eq!(root.read(&place).unwrap(), None);
    }

    #[test]
    fn a_file_of_the_host_in_a_folder_where_all_may_write_stays() {
        let tree = Tree::new("sticky");
        let Some(root) = mapped(&tree) else { return };
        let own = tree.0.join("root/own");
        fs::write(own.join("kept"), "host").unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o1777)).unwrap();
        assert!(root.write(&secret("/own/kept")).is_err());
        assert!(root.remove(&ContainerPath::parse("/own/kept").unwrap()).is_err());
        assert_eq!(fs::read_to_string(own.join("kept")).unwrap(), "host");
        root.write(&secret("/own/new")).unwrap();
    }

    #[test]
    fn a_folder_that_came_in_the_place_of_a_new_one_is_not_given_away() {
        let tree = Tree::new("swapped");
        let Some(root) = mapped(&tree) else { return };
        let full = rustix::fs::open(tree.0.join("host"), OFlags::RDONLY, Mode::empty()).unwrap();
        let empty = rustix::fs::open(tree.0.join("root/shared"), OFlags::RDONLY, Mode::empty()).unwrap();
        assert!(root.is_new(&full).is_err());
        root.is_new(&empty).unwrap();
    }

    #[test]
    fn ids_outside_the_map_are_refused() {
        let map = IdMap::parse("0 100000 1000\nnonsense\n 2000 5 1");
        assert_eq!(map.host(7).unwrap(), 100_007);
        assert_eq!(map.host(2000).unwrap(), 5);
        assert!(map.host(1000).is_err());
    }

    proptest! {
        #[test]
        fn no_map_makes_it_panic(text in "[0-9 \n]{0,60}", id: u32) {
            let _ = IdMap::parse(&text).host(id);
        }
    }
}
