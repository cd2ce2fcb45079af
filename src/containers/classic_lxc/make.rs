//! Creates, copies, renames and heals classic containers: whole folders and their configurations.

use std::path::Path;
use std::time::Instant;

use super::ClassicLxc;
use super::config::LxcConfig;
use super::disk::{Draft, read_config, rename_new, write_config};
use crate::containers::values::host_path;
use crate::containers::{ContainerName, CreateSpec, Error, SnapshotName, Until};

/// The configuration for an image without one: the distribution's rules, and a network with loopback only.
const DEFAULT_CONFIG: &str = "lxc.include = /usr/share/lxc/config/common.conf\nlxc.net.0.type = empty\n";
/// The most that a container's console may write to the host's disk.
const CONSOLE_SIZE: &str = "1MB";

impl ClassicLxc {
    pub(super) fn make(&self, name: &ContainerName, spec: &CreateSpec, until: Until<'_>) -> Result<(), Error> {
        let deadline = until.deadline;
        spec.check()?;
        if spec.root_bytes.is_some() {
            return Err(Error::refused("classic LXC has no size for a root disk"));
        }
        let image = self.images.join(spec.image.as_str());
        if !image.join("rootfs").is_dir() {
            return Err(Error::no_image(spec.image.as_str(), self.known_images()));
        }
        let _lock = self.locks.lock(&[name], deadline)?;
        let place = self.folder(name);
        if place.symlink_metadata().is_ok() {
            return Err(Error::AlreadyExists(name.to_string()));
        }
        let base = read_config(&image.join("config"))?.unwrap_or_else(|| LxcConfig::parse(DEFAULT_CONFIG));
        let draft = Draft::begin(&place, base.get("lxc.idmap").is_some(), deadline)?;
        draft.copy_root(&image.join("rootfs"), until)?;
        write_config(&draft.path().join("config"), &configured(base, name, &place, spec)?)?;
        if draft.put_in_place()? { Ok(()) } else { Err(Error::AlreadyExists(name.to_string())) }
    }

    /// The names of the images, which are folders with a root file system.
    pub(super) fn known_images(&self) -> Vec<String> {
        let folders = self.images.read_dir().into_iter().flatten().flatten();
        let images = folders.filter(|folder| folder.path().join("rootfs").is_dir());
        images.filter_map(|folder| folder.file_name().into_string().ok()).collect()
    }

    /// Renames a container. The folder moves first, and [`heal`](Self::heal) then corrects its configuration.
    pub(super) fn move_to(&self, name: &ContainerName, to: &ContainerName) -> Result<(), Error> {
        if !rename_new(&self.folder(name), &self.folder(to))? {
            return Err(Error::AlreadyExists(to.to_string()));
        }
        self.heal(to)
    }

    /// Makes the configuration name the folder that it is in, since a crash may interrupt a rename between its two
    /// steps.
    pub(super) fn heal(&self, name: &ContainerName) -> Result<(), Error> {
        let mut config = self.config(name)?;
        let Some(old) = self.other_folder(&config, name) else { return Ok(()) };
        let (from, to) = (self.path.join(&old), self.folder(name));
        let (from, to) = (host_path(&from)?, host_path(&to)?);
        for snapshot in self.snapshots(name) {
            if let Some(mut config) = read_config(&snapshot)? {
                config.move_paths(from, to);
                write_config(&snapshot, &config)?;
            }
        }
        config.move_paths(from, to);
        if config.get("lxc.uts.name") == Some(old.as_str()) {
            config.set("lxc.uts.name", name.as_str());
        }
        write_config(&self.config_path(name), &config)
    }

    /// The other container whose folder the configuration names as root, if that root does not exist.
    fn other_folder(&self, config: &LxcConfig, name: &ContainerName) -> Option<String> {
        let root = config.get("lxc.rootfs.path")?;
        let root = Path::new(root.strip_prefix("dir:").unwrap_or(root));
        let old = root.strip_prefix(&self.path).ok()?.components().next()?.as_os_str().to_str()?;
        (old != name.as_str() && !root.exists() && self.folder(name).join("rootfs").is_dir()).then(|| old.to_owned())
    }

    fn snapshots(&self, name: &ContainerName) -> Vec<std::path::PathBuf> {
        let folders = self.folder(name).join("snaps").read_dir().into_iter().flatten().flatten();
        folders.map(|folder| folder.path().join("config")).collect()
    }

    /// Makes a full copy in `snaps/`, where `lxc-snapshot` looks for it too.
    pub(super) fn copy(&self, name: &ContainerName, snapshot: &SnapshotName, deadline: Instant) -> Result<(), Error> {
        let mut config = self.config(name)?;
        let (folder, snaps) = (self.folder(name), self.folder(name).join("snaps"));
        let place = snaps.join(snapshot.as_str());
        if place.symlink_metadata().is_ok() {
            return Err(Error::AlreadyExists(snapshot.as_str().to_owned()));
        }
        let draft = Draft::begin(&place, config.get("lxc.idmap").is_some(), deadline)?;
        draft.copy_root(&folder.join("rootfs"), deadline)?;
        config.set("lxc.rootfs.path", &format!("dir:{}", host_path(&place.join("rootfs"))?));
        write_config(&draft.path().join("config"), &config)?;
        let now = jiff::Timestamp::now().strftime("%Y:%m:%d %H:%M:%S").to_string();
        std::fs::write(draft.path().join("ts"), now).map_err(|error| Error::io("dating a snapshot", &error))?;
        if draft.put_in_place()? { Ok(()) } else { Err(Error::AlreadyExists(snapshot.as_str().to_owned())) }
    }
}

fn configured(
    mut config: LxcConfig,
    name: &ContainerName,
    place: &Path,
    spec: &CreateSpec,
) -> Result<LxcConfig, Error> {
    let place = host_path(place)?;
    config.set("lxc.uts.name", name.as_str());
    config.set("lxc.rootfs.path", &format!("dir:{place}/rootfs"));
    config.set("lxc.console.logfile", &format!("{place}/console.log"));
    config.set("lxc.console.size", CONSOLE_SIZE);
    config.set_note("owner", Some(&spec.owner));
    config.set_limits(spec.memory_bytes, spec.cpus);
    for (nth, mount) in spec.mounts.iter().enumerate() {
        config.note_mount(nth, host_path(&mount.source)?);
        let (source, target) = (fstab(host_path(&mount.source)?), fstab(mount.target.as_str().trim_start_matches('/')));
        let access = if mount.read_only { ",ro" } else { "" };
        config.add("lxc.mount.entry", &format!("{source} {target} none bind,create=dir{access} 0 0"));
    }
    if let Some(socket) = &spec.proxy_socket {
        config.set_note("proxy", Some(host_path(socket)?));
    }
    for (key, value) in &spec.env {
        config.set_env(key.as_str(), Some(value.reveal()));
    }
    Ok(config)
}

/// A path in the notation of `fstab(5)`.
fn fstab(path: &str) -> String {
    path.replace('\\', "\\134").replace(' ', "\\040")
}
