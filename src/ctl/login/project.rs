//! A project's identity: the nearest `.taos/config.toml`, in the working directory or above. A checkout may contain
//! such a file from anybody. So it counts only if nobody but its user can read or write it, and it can only name a
//! token file beside it.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::connection::{SavedLogin, checked};
use crate::ctl::core::failure::Failure;
use crate::ctl::core::home::is_name;
use crate::ctl::core::private;
use crate::ctl::core::server::Server;
use crate::ctl::show::texts;

/// The folder in a project's directory.
pub const FOLDER: &str = ".taos";
/// The file with server, token file and space.
pub const CONFIG: &str = "config.toml";

/// The login of the working directory's project.
///
/// # Errors
/// [`Failure::Login`] if others can read or write its files, or their content is not valid.
pub fn here() -> Result<Option<SavedLogin>, Failure> {
    // Without a working directory there is no project.
    let Ok(start) = env::current_dir() else { return Ok(None) };
    let Some(folder) = nearest(&start) else { return Ok(None) };
    load(&folder).map(Some)
}

/// The nearest folder that belongs to the user. Folders of other users are ignored.
fn nearest(start: &Path) -> Option<PathBuf> {
    let own = |path: &Path| fs::symlink_metadata(path).is_ok_and(|meta| meta.uid() == geteuid().as_raw());
    start.ancestors().map(|dir| dir.join(FOLDER)).find(|folder| own(folder) && own(&folder.join(CONFIG)))
}

fn load(folder: &Path) -> Result<SavedLogin, Failure> {
    let file = folder.join(CONFIG);
    private::check_dir(folder)?;
    let wrong = |what: &str| {
        let fix = "Write it again with taosctl token mint … --save-to, or remove it.";
        Failure::login(format!("{}: {what}.", file.display()), fix)
    };
    let bytes = private::read(&file)?.ok_or_else(|| wrong("the file does not exist"))?;
    let texts = texts::parse(&bytes).ok_or_else(|| wrong("it is not a TOML file of strings"))?;
    let text = |name: &str| texts.get(name).map(String::as_str).ok_or_else(|| wrong(&format!("{name} is missing")));
    let server = Server::parse(text("url")?).map_err(|_| wrong("url is not one of a taosd"))?;
    let name = text("token_file")?;
    if !name.strip_suffix(".token").is_some_and(is_name) {
        return Err(wrong("token_file is not the name of a .token file beside it"));
    }
    let token = private::read(&folder.join(name))?.ok_or_else(|| wrong("the token file is not there"))?;
    let token = checked(&String::from_utf8_lossy(&token))?;
    Ok(SavedLogin { server, token, source: file.display().to_string(), space_id: texts.get("space_id").cloned() })
}
