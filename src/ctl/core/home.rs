//! The configuration directory: the files that taosctl keeps between commands (aX contract, section 13). Only their
//! owner may read or write the directory and everything in it.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::failure::Failure;
use super::private;
use crate::config::paths;

/// The saved login.
pub const CREDENTIALS: &str = "credentials";
/// The name of the active profile.
pub const ACTIVE: &str = "active";
/// Short-lived tokens that are still valid.
pub const JWT_CACHE: &str = "cache/jwt.json";
/// The folder of the profiles.
pub const PROFILES: &str = "profiles";

/// The configuration directory; it need not exist yet.
#[derive(Debug, Clone)]
pub struct Home(PathBuf);

impl Home {
    /// Finds the directory from the environment. Returns `None` if no variable names a base directory. A base directory
    /// that is not absolute is ignored, as the XDG specification requires.
    ///
    /// # Errors
    /// [`Failure::Usage`] if `TAOS_CONFIG_DIR` is not an absolute path.
    pub fn find(env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, Failure> {
        if let Some(dir) = env("TAOS_CONFIG_DIR") {
            return paths::of_variable("TAOS_CONFIG_DIR", Path::new(&dir)).map(|dir| Some(Self(dir))).map_err(|why| {
                Failure::usage(
                    format!("{why}."),
                    "Set TAOS_CONFIG_DIR to the absolute path of a directory, or unset it.",
                )
            });
        }
        let absolute = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let xdg = absolute("XDG_CONFIG_HOME").map(|dir| dir.join("taos"));
        Ok(xdg.or_else(|| absolute("HOME").map(|home| home.join(".config/taos"))).map(Self))
    }

    /// True if files can be written there, or into the nearest existing directory above.
    pub fn can_be_written(&self) -> bool {
        let nearest = self.0.ancestors().find(|dir| dir.exists());
        nearest.is_some_and(|dir| dir.is_dir() && access(dir, Access::WRITE_OK | Access::EXEC_OK).is_ok())
    }

    /// Checks that only its owner has access to the directory, if it exists.
    ///
    /// # Errors
    /// [`Failure::Login`] if others have access.
    pub fn check(&self) -> Result<(), Failure> {
        if self.0.exists() { private::check_dir(&self.0) } else { Ok(()) }
    }

    /// The path of the directory.
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// The path of a file in the directory.
    pub fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    /// Reads a file in the directory. Returns `None` if there is none.
    ///
    /// # Errors
    /// [`Failure::Login`] if others can read or write the file or a directory on its path.
    pub fn read(&self, file: &str) -> Result<Option<Vec<u8>>, Failure> {
        let bytes = private::read(&self.path(file))?;
        if bytes.is_some() {
            self.directories(file).iter().try_for_each(|dir| private::check_dir(dir))?;
        }
        Ok(bytes)
    }

    /// Writes or replaces a file. Returns its path.
    ///
    /// # Errors
    /// [`Failure::Login`] if the file cannot be written safely.
    pub fn write(&self, file: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
        for dir in self.directories(file) {
            private::make_dir(&dir)?;
        }
        let path = self.path(file);
        private::write(&path, bytes)?;
        Ok(path)
    }

    /// Removes a file. Returns false if there was none.
    ///
    /// # Errors
    /// [`Failure::Login`] if the file cannot be removed.
    pub fn remove(&self, file: &str) -> Result<bool, Failure> {
        private::remove(&self.path(file))
    }

    /// The sorted names of the files in a folder of the directory. Names that are not UTF-8 are left out: taosctl
    /// writes none.
    pub fn list(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// The directories on a file's path, from the configuration directory to the file's own.
    fn directories(&self, file: &str) -> Vec<PathBuf> {
        let mut dirs = vec![self.0.clone()];
        dirs.extend(Path::new(file).parent().filter(|dir| !dir.as_os_str().is_empty()).map(|dir| self.0.join(dir)));
        dirs
    }
}

/// True if a text can name a profile or an agent's file. Such a name cannot lead out of its folder.
pub fn is_name(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    (1..=64).contains(&text.len())
        && text.bytes().all(word)
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_directory_is_the_callers_then_xdgs_then_homes() {
        let at = |pairs: &[(&str, &str)]| {
            let env = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            Home::find(&env).unwrap().map(|home| home.path(CREDENTIALS))
        };
        let (home, xdg) = (("HOME", "/h"), ("XDG_CONFIG_HOME", "/x"));
        assert_eq!(at(&[home, xdg, ("TAOS_CONFIG_DIR", "/t")]).unwrap(), Path::new("/t/credentials"));
        assert_eq!(at(&[home, xdg]).unwrap(), Path::new("/x/taos/credentials"));
        assert_eq!(at(&[home, ("XDG_CONFIG_HOME", "relative")]).unwrap(), Path::new("/h/.config/taos/credentials"));
        assert_eq!(at(&[]), None);
        for bad in ["~/taos", "taos", "$HOME/taos"] {
            assert!(Home::find(&|name: &str| (name == "TAOS_CONFIG_DIR").then(|| bad.to_owned())).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_name_stays_in_its_folder(text in "\\PC{0,70}|[A-Za-z0-9_./-]{0,70}") {
            if is_name(&text) {
                let path = Path::new("/d").join(format!("{text}.toml"));
                prop_assert_eq!(path.parent(), Some(Path::new("/d")));
                prop_assert!(path.components().count() == 3);
            }
        }
    }
}
