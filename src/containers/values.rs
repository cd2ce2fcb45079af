//! Validated values that go into a container: environment, paths, files, mounts and the description of a new container.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::name::{ImageName, InvalidName};

/// The longest value of an environment variable, in bytes.
const MAX_ENV_VALUE: usize = 8 * 1024;
/// The longest path inside a container, in bytes.
const MAX_PATH: usize = 1024;
/// The longest file that a driver writes, in bytes.
pub const MAX_FILE: usize = 1024 * 1024;

/// The name of an environment variable: 1 to 64 of `[A-Z0-9_]`, no digit first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvKey(String);

impl EnvKey {
    /// Checks the text and keeps it unchanged.
    ///
    /// # Errors
    /// [`InvalidName`] for anything outside the rule above.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let fits = (1..=64).contains(&text.len())
            && !text.starts_with(|c: char| c.is_ascii_digit())
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidName("environment variable")) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The value of an environment variable, which may be a secret: `Debug` does not show it and the memory is wiped on
/// drop. 1 byte to 8 KiB, no control characters, no blank at either end, so that every runtime's configuration reads it
/// alike.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvValue(Zeroizing<String>);

impl EnvValue {
    /// Checks the text and keeps it unchanged.
    ///
    /// # Errors
    /// [`InvalidName`] for anything outside the rule above, also for an empty value.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let fits = (1..=MAX_ENV_VALUE).contains(&text.len())
            && text.trim().len() == text.len()
            && !text.contains(|c: char| c.is_control());
        if fits { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(InvalidName("environment value")) }
    }

    /// Returns the value in plain text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvValue(redacted)")
    }
}

/// One change to a container's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvChange {
    /// The name of the variable.
    pub key: EnvKey,
    /// Its new value; `None` removes it.
    pub value: Option<EnvValue>,
}

/// The state of one variable in a container's configuration. The value itself never leaves the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvState {
    /// It is not set.
    Absent,
    /// It is set and the caller's test accepts it.
    Matches,
    /// It is set to another value.
    Differs,
}

/// An absolute path inside a container: at most 1024 bytes, no control characters, no empty, `.` or `..` part, not `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerPath(String);

impl ContainerPath {
    /// Checks the text and keeps it unchanged.
    ///
    /// # Errors
    /// [`InvalidName`] for anything outside the rule above.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let parts = text.strip_prefix('/').unwrap_or_default();
        let fits = text.len() <= MAX_PATH
            && !text.contains(|c: char| c.is_control())
            && !parts.split('/').any(|part| matches!(part, "" | "." | ".."));
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidName("path in a container")) }
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Splits it into its folder (empty for the root folder) and its last part.
    pub(super) fn split(&self) -> (&str, &str) {
        self.0.rsplit_once('/').unwrap_or(("", &self.0))
    }

    /// Every folder above it, outermost first, without the root folder.
    pub(super) fn folders(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').skip(1).map(|(end, _)| &self.0[..end])
    }
}

/// A file to write into a container. Missing folders are made with mode 0755, owned by the file's owner.
#[derive(Clone)]
pub struct FileSpec {
    /// Where the file is written.
    pub path: ContainerPath,
    /// The whole content of the file, up to [`MAX_FILE`] bytes. May be a secret.
    pub content: Zeroizing<Vec<u8>>,
    /// Permission bits, such as `0o400`.
    pub mode: u32,
    /// The owner, as a user id inside the container.
    pub uid: u32,
    /// The group, as a group id inside the container.
    pub gid: u32,
}

impl FileSpec {
    /// A file for a secret: owned by root, and only root may read it (0400).
    #[must_use]
    pub fn secret(path: ContainerPath, content: &[u8]) -> Self {
        Self { path, content: Zeroizing::new(content.to_vec()), mode: 0o400, uid: 0, gid: 0 }
    }
}

impl fmt::Debug for FileSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileSpec({}, {} bytes, {:o})", self.path.as_str(), self.content.len(), self.mode)
    }
}

/// A folder of the host that a container sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The folder on the host: absolute, UTF-8, no control characters.
    pub source: PathBuf,
    /// Where the container sees it.
    pub target: ContainerPath,
    /// Whether the container may only read it.
    pub read_only: bool,
}

/// The description of a new container. It is not started.
#[derive(Debug, Clone)]
pub struct CreateSpec {
    /// The image that its root file system is copied from.
    pub image: ImageName,
    /// Text kept with the container and shown in [`ContainerState::owner`](super::ContainerState::owner): the agent's
    /// id, 1 to 64 of `[A-Za-z0-9_-]`. It survives a rename.
    pub owner: String,
    /// Its memory limit, in bytes.
    pub memory_bytes: Option<u64>,
    /// Its processor limit, in whole processors.
    pub cpus: Option<u32>,
    /// Size of its root disk in bytes; a storage without quotas ignores it. Classic LXC refuses it.
    pub root_bytes: Option<u64>,
    /// The environment of its processes.
    pub env: Vec<(EnvKey, EnvValue)>,
    /// The host's folders that it sees.
    pub mounts: Vec<Mount>,
    /// The host's Unix socket behind the container's `127.0.0.1:6969`.
    pub proxy_socket: Option<PathBuf>,
    /// The machines of a cluster that may run it, in the cluster's own notation.
    pub group: Option<String>,
}

impl CreateSpec {
    /// Describes a container of this image for this owner, with no limits, environment or devices yet.
    #[must_use]
    pub fn new(image: ImageName, owner: &str) -> Self {
        Self {
            image,
            owner: owner.to_owned(),
            memory_bytes: None,
            cpus: None,
            root_bytes: None,
            env: Vec::new(),
            mounts: Vec::new(),
            proxy_socket: None,
            group: None,
        }
    }

    /// Checks the rules that every runtime has.
    pub(super) fn check(&self) -> Result<(), super::Error> {
        let owner_fits = (1..=64).contains(&self.owner.len())
            && self.owner.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !owner_fits {
            return Err(super::Error::refused("the owner is not a valid id"));
        }
        if self.cpus == Some(0) || self.memory_bytes == Some(0) {
            return Err(super::Error::refused("a limit must not be 0"));
        }
        self.mounts.iter().try_for_each(|mount| host_path(&mount.source).map(|_| ()))
    }
}

/// Checks a host path before it goes into a runtime's configuration: absolute, UTF-8, no control characters.
pub(super) fn host_path(path: &std::path::Path) -> Result<&str, super::Error> {
    let fits = |text: &&str| text.starts_with('/') && text.len() <= MAX_PATH && !text.contains(char::is_control);
    path.to_str().filter(fits).ok_or_else(|| super::Error::refused("a path on the host is not absolute plain text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_climbs_and_is_never_relative() {
        for text in ["", "/", "a", "/a/", "//a", "/a/../b", "/./a", "/a\nb", "/a\0", &format!("/{}", "a".repeat(1024))]
        {
            assert!(ContainerPath::parse(text).is_err(), "{text:?}");
        }
        let path = ContainerPath::parse("/run/taos/token").unwrap();
        assert_eq!(path.folders().collect::<Vec<_>>(), ["/run", "/run/taos"]);
        assert_eq!(path.split(), ("/run/taos", "token"));
        assert_eq!(ContainerPath::parse("/a").unwrap().split(), ("", "a"));
    }

    #[test]
    fn a_value_cannot_end_its_line() {
        for text in ["", " a", "a ", "a\nlxc.hook.start = /bin/sh", "a\0b", "a\r", &"a".repeat(8193)] {
            assert!(EnvValue::parse(text).is_err(), "{text:?}");
        }
        assert!(EnvValue::parse("a = \"b\" # c").is_ok());
        assert!(EnvKey::parse("A=B").is_err() && EnvKey::parse("1A").is_err() && EnvKey::parse("TAOS_TOKEN").is_ok());
    }

    #[test]
    fn nothing_that_may_be_secret_is_printed() {
        let value = EnvValue::parse("hunter2").unwrap();
        let file = FileSpec::secret(ContainerPath::parse("/t").unwrap(), b"hunter2");
        assert!(!format!("{value:?} {file:?}").contains("hunter2"));
    }
}
