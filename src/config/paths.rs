//! Checks the paths in settings: they must be absolute. The daemon does not expand `~` or variables as a shell does. A
//! relative path would name another place if the working directory differs at the next start.

use std::path::{Path, PathBuf};

/// Accepts an absolute path.
///
/// # Errors
/// A sentence for the person who set it: what is wrong, and what to write instead.
pub fn whole(path: &Path) -> Result<PathBuf, String> {
    let text = path.to_string_lossy();
    let shown = super::source::shown(&text);
    if text.contains('\0') {
        return Err(format!("{shown} holds a NUL character"));
    }
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    if text.starts_with('~') {
        return Err(format!("{shown} begins with ~, which is not expanded here; write an absolute path"));
    }
    if text.starts_with('$') {
        return Err(format!("{shown} begins with a variable, which is not looked up here; write an absolute path"));
    }
    if text.is_empty() {
        return Err("the path is empty".to_owned());
    }
    let instead = std::path::absolute(path).map_or_else(|_| "/…".to_owned(), |path| path.display().to_string());
    Err(format!("{shown} depends on the working directory; write an absolute path, such as {instead}"))
}

/// Accepts an absolute path from an environment variable.
///
/// # Errors
/// The error of [`whole`], with the name of the variable.
pub fn of_variable(name: &str, path: &Path) -> Result<PathBuf, String> {
    whole(path).map_err(|why| format!("{name}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_whole_or_told_what_to_write() {
        assert_eq!(whole(Path::new("/var/lib/taosd")).unwrap(), Path::new("/var/lib/taosd"));
        for (path, says) in [
            ("~/taosd", "begins with ~"),
            ("~", "begins with ~"),
            ("~ann/taosd", "begins with ~"),
            ("$HOME/taosd", "begins with a variable"),
            ("${HOME}/taosd", "begins with a variable"),
            ("data", "such as /"),
            ("./data", "such as /"),
            ("", "empty"),
            ("/a\0b", "NUL"),
        ] {
            let why = whole(Path::new(path)).unwrap_err();
            assert!(why.contains(says), "{path}: {why}");
        }
    }
}
