//! `taosd compact`: shrinks the database to the size of its content, while the daemon is stopped.

use std::fs;

use rustix::fs::Mode;

use super::{database, say, there_is};
use crate::config::Config;
use crate::daemon::DaemonError;
use crate::jobs::start_up::restore;
use crate::store::OpenError;

/// Writes a new database without the deleted rows next to the old one, and replaces the old one in one step. From then
/// on the database releases free space itself.
///
/// # Errors
/// The directory is in use (exit code 3), the database is damaged (4), or there is no room (1). In each case nothing
/// has changed.
pub fn compact(config: &Config) -> Result<(), DaemonError> {
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let path = database(config);
    there_is(&path)?;
    let bytes =
        || fs::metadata(&path).map(|meta| meta.len()).map_err(|e| DaemonError::Io(path.display().to_string(), e));
    let before = bytes()?;
    restore::compact(&config.data_dir).map_err(|error| match error {
        OpenError::Damaged(path, why) => {
            DaemonError::Damaged(format!("{} is damaged: {why}; restore a backup. Nothing has changed", path.display()))
        }
        other => DaemonError::Start(other.into()),
    })?;
    say(format!("{}: {} bytes, {before} before\n", path.display(), bytes()?), "the database was compacted; ")
}
