//! What `taosd` does beside serving, each a command that prints what it did: check, backup, restore, operator-token.

mod settings;

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::Mode;

use crate::api::StartError;
use crate::config::Config;
use crate::daemon::Failure;
use crate::jobs::start_up::{first_start, restore};
use crate::store::{self, FILE, OpenError, Options, Store, StoreError};

/// The database file of a data directory.
pub fn database(config: &Config) -> PathBuf {
    config.data_dir.join(FILE)
}

/// `taosd check`: looks at a database, in use or not, and prints what it finds. Writes nothing.
///
/// # Errors
/// [`Failure::Damaged`] if anything is wrong with the database; [`Failure::Failed`] if there is none, or no room for it
/// to grow.
pub fn check(path: &Path, min_free: u64) -> Result<(), Failure> {
    there_is(path)?;
    match store::recognise(path) {
        // What is wrong with it is told finding by finding.
        Ok(()) | Err(OpenError::Damaged(..)) => {}
        Err(error) => return Err(Failure::Start(error.into())),
    }
    let findings = store::check(path).map_err(|e| Failure::Damaged(format!("{}: {e}", path.display())))?;
    for finding in &findings {
        print(finding.name, &finding.result);
    }
    let room = room_beside(path, min_free);
    print("free space", &room);
    if findings.iter().any(|finding| finding.result.is_err()) {
        return Err(Failure::Damaged(format!("{} is damaged; restore a backup", path.display())));
    }
    room.map(drop).map_err(|why| Failure::Failed(format!("{}: {why}", path.display())))
}

fn print(name: &str, result: &Result<String, String>) {
    match result {
        Ok(found) => println!("ok    {name}: {found}"),
        Err(wrong) => println!("WRONG {name}: {wrong}"),
    }
}

fn room_beside(path: &Path, min_free: u64) -> Result<String, String> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let free = fs2::available_space(dir).map_err(|error| error.to_string())?;
    if free < min_free {
        return Err(format!("{free} bytes, less than the {min_free} of min_free_bytes"));
    }
    Ok(format!("{free} bytes"))
}

/// `taosd backup`: writes a checked copy of the database, in use or not, to a file of the caller's choice.
///
/// # Errors
/// There is no database, the file is something else, or the store's.
pub fn backup(config: &Config, file: &Path) -> Result<(), Failure> {
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let database = database(config);
    there_is(&database)?;
    is_free_for_a_backup(file, &database)?;
    store::copy_to(&database, file).map_err(|error| failed(file, error))?;
    let bytes = fs::metadata(file).map_err(|e| Failure::Io(file.display().to_string(), e))?.len();
    println!("{}: {bytes} bytes, checked", file.display());
    Ok(())
}

fn there_is(database: &Path) -> Result<(), Failure> {
    match fs::metadata(database) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Failure::Failed(format!(
            "there is no {}; name the daemon's data directory with --data-dir, or its file with --config",
            database.display()
        ))),
        Err(error) => Err(Failure::Io(database.display().to_string(), error)),
    }
}

/// A backup takes the place of an older one, and of nothing else.
fn is_free_for_a_backup(file: &Path, database: &Path) -> Result<(), Failure> {
    let io = |error: io::Error| Failure::Io(file.display().to_string(), error);
    let (found, own) = match fs::metadata(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => (found.map_err(io)?, fs::metadata(database).map_err(io)?),
    };
    let refused = |why: &str| Err(Failure::Failed(format!("{} {why}", file.display())));
    if !found.is_file() {
        return refused("is no file; name the file the backup shall be");
    }
    if (found.dev(), found.ino()) == (own.dev(), own.ino()) {
        return refused("is the database itself; name another file");
    }
    if found.len() > 0 && store::identify(file).is_err() {
        return refused("exists and is no taosd database; it stays as it is. Name another file");
    }
    Ok(())
}

fn failed(file: &Path, error: StoreError) -> Failure {
    match error {
        StoreError::Damaged(why) => Failure::Damaged(format!("the database is damaged: {why}; restore a backup")),
        other => Failure::Failed(format!("no backup was made at {}: {other}", file.display())),
    }
}

/// `taosd restore`: puts a backup in the place of the database, with the daemon stopped, and says what became of what.
///
/// # Errors
/// The directory is in use (exit code 3), the file is no sound database of this program (4), or it cannot be done (1);
/// nothing has changed then.
pub fn restore(config: &Config, file: &Path) -> Result<(), Failure> {
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let done = restore::restore(&config.data_dir, file).map_err(|error| match error {
        OpenError::Damaged(path, why) => Failure::Damaged(format!(
            "{} is damaged and was not restored: {why}; name another backup. Nothing has changed",
            path.display()
        )),
        OpenError::Foreign(path, why) => Failure::Damaged(format!(
            "{} is not a taosd database ({why}); name a backup. Nothing has changed",
            path.display()
        )),
        other => Failure::Start(other.into()),
    })?;
    println!("restored {} from {}", database(config).display(), file.display());
    if let Some(kept) = &done.kept {
        println!("the database of before is kept as {}", kept.display());
    }
    println!("ended {} web sessions, and every token that was exchanged for a key", done.changed.sessions);
    if done.changed.dead + done.changed.disabled > 0 {
        println!(
            "{} credentials that were revoked, replaced or deleted since the backup stay dead, {} users stay disabled",
            done.changed.dead, done.changed.disabled
        );
    }
    if let Some(why) = &done.unknown {
        println!(
            "warning: the database of before could not be read ({why}): what was revoked since the backup is live"
        );
        println!("again; look through `taosctl users token list` and `taosctl agents list`, and revoke it anew");
    }
    if done.new_token {
        println!("the operator has a new token: {}", config.data_dir.join(first_start::TOKEN_FILE).display());
    }
    println!("start the daemon: it delivers fresh tokens to the containers that need them");
    Ok(())
}

/// `taosd operator-token`: prints the operator's token, after replacing it if `rotate`.
///
/// # Errors
/// The data directory cannot be used, or is in use when rotating.
pub fn operator_token(config: &Config, rotate: bool) -> Result<(), Failure> {
    let path = config.data_dir.join(first_start::TOKEN_FILE);
    if rotate {
        rustix::process::umask(Mode::from_raw_mode(0o077));
        let options = Options { dir: config.data_dir.clone(), readers: 1, slow_query_ms: u64::MAX / 1000 };
        let store = Arc::new(Store::open(&options).map_err(StartError::from)?);
        first_start::prepare(&store).map_err(StartError::from)?;
        first_start::rotate(&store).map_err(StartError::from)?;
    }
    let token = fs::read_to_string(&path).map_err(|e| Failure::Io(path.display().to_string(), e))?;
    println!("{}", token.trim_end());
    Ok(())
}

/// `taosd config check`.
///
/// # Errors
/// stdout cannot be written.
pub fn check_config(config: Config) -> Result<(), Failure> {
    settings::check(&config).map_err(|e| Failure::Io("stdout".into(), e))
}

/// `taosd config show`.
///
/// # Errors
/// stdout cannot be written.
pub fn show_config(config: Config) -> Result<(), Failure> {
    settings::show(&config).map_err(|e| Failure::Io("stdout".into(), e))
}
