//! The commands of `taosd` other than `serve`: check, backup, restore, compact, operator-token, config. Each prints its
//! result.

mod audit_head;
mod compact;
mod progress;
mod restore;
mod settings;

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::Mode;

use crate::config::Config;
use crate::daemon::{DaemonError, StartError};
use crate::jobs::start_up::first_start;
use crate::say;
use crate::store::{self, FILE, OpenError, Store, StoreError, StoreOptions};

pub use compact::compact;
pub use restore::{RestoreMode, restore};

/// The database file of a data directory.
pub fn database(config: &Config) -> PathBuf {
    config.data_dir.join(FILE)
}

/// `taosd check`: checks a database, even while it is in use, and prints the result. Does not change the database.
///
/// # Errors
/// [`DaemonError::Damaged`] if the database is damaged; [`DaemonError::Failed`] if there is none, or too little free
/// space for it to grow.
pub fn check(config: &Config, file: Option<PathBuf>, head: Option<&str>) -> Result<(), DaemonError> {
    let path = &file.unwrap_or_else(|| database(config));
    there_is(path)?;
    let head = head.map(audit_head::asked).transpose()?;
    match store::recognise(path) {
        // The check below lists each kind of damage.
        Ok(()) | Err(OpenError::Damaged(..)) => {}
        Err(error) => return Err(DaemonError::Start(error.into())),
    }
    let mut findings = store::check(path).map_err(|e| DaemonError::Damaged(format!("{}: {e}", path.display())))?;
    if let Some(head) = &head
        && findings.iter().all(|finding| finding.result.is_ok())
    {
        findings.extend(audit_head::look(path, &config.data_dir, head));
    }
    let room = room_beside(path, config.limits.min_free_bytes);
    let found = findings.iter().map(|finding| line(finding.name, &finding.result));
    let said = say(found.chain([line("free space", &room)]).collect::<String>(), "");
    if findings.iter().any(|finding| finding.result.is_err()) {
        return Err(DaemonError::Damaged(format!("{} is damaged; restore a backup", path.display())));
    }
    room.map_err(|why| DaemonError::Failed(format!("{}: {why}", path.display())))?;
    said
}

fn line(name: &str, result: &Result<String, String>) -> String {
    match result {
        Ok(found) => format!("ok    {name}: {found}\n"),
        Err(wrong) => format!("WRONG {name}: {wrong}\n"),
    }
}

/// Prints the result of a command. If printing fails, the error contains `done`, which says what the command has done.
fn say(text: String, done: &str) -> Result<(), DaemonError> {
    say::out(&text).map(drop).map_err(|error| DaemonError::Output(done.to_owned(), error))
}

fn room_beside(path: &Path, min_free: u64) -> Result<String, String> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let free = fs2::available_space(dir).map_err(|error| error.to_string())?;
    if free < min_free {
        return Err(format!("{free} bytes, less than the {min_free} of min_free_bytes"));
    }
    Ok(format!("{free} bytes"))
}

/// `taosd backup`: writes a checked copy of the database, even while it is in use, to the given file.
///
/// # Errors
/// There is no database, `file` is something other than a backup, or the copy failed.
pub fn backup(config: &Config, file: &Path) -> Result<(), DaemonError> {
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let database = database(config);
    there_is(&database)?;
    is_free_for_a_backup(file, &database)?;
    let shown = progress::Copying::of(&database, progress::dir_of(file));
    let copied = store::copy_to(&database, file, &store::StillWanted::always());
    drop(shown);
    copied.map_err(|error| failed(file, error))?;
    own_inside(&config.data_dir, file).map_err(|e| DaemonError::Io(file.display().to_string(), e))?;
    let bytes = fs::metadata(file).map_err(|e| DaemonError::Io(file.display().to_string(), e))?.len();
    let done = format!("{}: {bytes} bytes, checked", file.display());
    say(format!("{done}\n"), &format!("{done}; "))
}

/// Gives a file that root wrote into the data directory to the owner of the directory.
fn own_inside(data_dir: &Path, file: &Path) -> io::Result<()> {
    let (dir, file) = (data_dir.canonicalize()?, file.canonicalize()?);
    if file.starts_with(&dir) { store::own(&dir, &file) } else { Ok(()) }
}

fn there_is(database: &Path) -> Result<(), DaemonError> {
    match fs::metadata(database) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(DaemonError::Failed(format!(
            "{} does not exist; name the daemon's data directory with --data-dir, or its file with --config",
            database.display()
        ))),
        Err(error) => Err(DaemonError::Io(database.display().to_string(), error)),
    }
}

/// A backup replaces only an older backup, never another file.
fn is_free_for_a_backup(file: &Path, database: &Path) -> Result<(), DaemonError> {
    let io = |error: io::Error| DaemonError::Io(file.display().to_string(), error);
    let (found, own) = match fs::metadata(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => (found.map_err(io)?, fs::metadata(database).map_err(io)?),
    };
    let refused = |why: &str| Err(DaemonError::Failed(format!("{} {why}", file.display())));
    if !found.is_file() {
        return refused("is not a file; name a file for the backup");
    }
    if (found.dev(), found.ino()) == (own.dev(), own.ino()) {
        return refused("is the database itself; name another file");
    }
    if found.len() > 0 && store::identify(file).is_err() {
        return refused("exists and is not a taosd database. Name another file");
    }
    Ok(())
}

fn failed(file: &Path, error: StoreError) -> DaemonError {
    match error {
        StoreError::Damaged(why) => DaemonError::Damaged(format!("the database is damaged: {why}; restore a backup")),
        other => DaemonError::Failed(format!("no backup was made at {}: {other}", file.display())),
    }
}

/// `taosd operator-token`: prints the operator's token, after replacing it if `rotate`.
///
/// # Errors
/// The data directory cannot be used, or is in use when rotating.
pub fn operator_token(config: &Config, rotate: bool) -> Result<(), DaemonError> {
    let path = config.data_dir.join(first_start::TOKEN_FILE);
    if rotate {
        rustix::process::umask(Mode::from_raw_mode(0o077));
        let options =
            StoreOptions { dir: config.data_dir.clone(), readers: 1, slow_query_ms: u64::MAX / 1000, new_box: false };
        let store = Arc::new(Store::open(&options).map_err(StartError::from)?);
        first_start::prepare(&store).map_err(StartError::from)?;
        first_start::rotate(&store).map_err(StartError::from)?;
    }
    let token = fs::read_to_string(&path).map_err(|e| DaemonError::Io(path.display().to_string(), e))?;
    let token = crate::rest::text::without_bom_str(&token).trim_end();
    let done =
        if rotate { format!("the token was replaced, the new one is in {}; ", path.display()) } else { String::new() };
    say(format!("{token}\n"), &done)
}

/// `taosd config check`.
///
/// # Errors
/// stdout cannot be written.
pub fn check_config(config: Config) -> Result<(), DaemonError> {
    say(settings::check(&config), "")
}

/// `taosd config show`.
///
/// # Errors
/// stdout cannot be written.
pub fn show_config(config: Config) -> Result<(), DaemonError> {
    say(settings::show(&config), "")
}
