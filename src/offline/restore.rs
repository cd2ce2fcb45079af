//! `taosd restore`: replaces the database with a backup and prints what has changed.

use std::path::Path;

use rustix::fs::Mode;
use serde_json::json;

use super::progress::Copying;
use super::{database, say};
use crate::config::Config;
use crate::daemon::DaemonError;
use crate::jobs::start_up::first_start;
use crate::jobs::start_up::restore::{self, Restored};
use crate::store::OpenError;
use crate::store::rights::TakenRight;

/// How a restore runs and what it prints.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestoreMode {
    /// Change nothing, only print what would change.
    pub dry: bool,
    /// Print one JSON object.
    pub json: bool,
}

/// Replaces the database with a backup, while the daemon is stopped. A right that was taken since the backup stays
/// taken: of two states of a right the lesser holds.
///
/// # Errors
/// The directory is in use (exit code 3), the file is damaged or not a database of this program (4), or the restore
/// cannot be done (1). In each case nothing has changed.
pub fn restore(config: &Config, file: &Path, way: RestoreMode) -> Result<(), DaemonError> {
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let shown = Copying::of(file, &config.data_dir);
    let done = restore::restore(&config.data_dir, file, way.dry);
    drop(shown);
    let done = done.map_err(|error| match error {
        OpenError::Damaged(path, why) => DaemonError::Damaged(format!(
            "{} is damaged and was not restored: {why}; name another backup. Nothing has changed",
            path.display()
        )),
        OpenError::Foreign(path, why) => DaemonError::Damaged(format!(
            "{} is not a taosd database ({why}); name a backup. Nothing has changed",
            path.display()
        )),
        other => DaemonError::Start(other.into()),
    })?;
    let text = if way.json { format!("{}\n", record(&done, way.dry)) } else { tell(config, file, &done, way.dry) };
    let done = if way.dry { String::new() } else { format!("{} was restored; ", database(config).display()) };
    say(text, &done)
}

fn record(done: &Restored, dry: bool) -> serde_json::Value {
    json!({
        "restored": !dry,
        "kept": done.kept,
        "sessions_ended": done.changed.sessions,
        "credentials_dead": done.changed.dead,
        "rights": done.changed.taken,
        "unknown": done.unknown,
        "new_token": done.new_token,
    })
}

fn tell(config: &Config, file: &Path, done: &Restored, dry: bool) -> String {
    let mut text = String::new();
    let mut add = |line: String| text.extend([line.as_str(), "\n"]);
    let (database, will) = (database(config), if dry { "would be " } else { "" });
    add(format!("{} {will}restored from {}", database.display(), file.display()));
    if let Some(kept) = &done.kept {
        add(format!("the previous database is kept as {}", kept.display()));
    }
    add(format!("{} web sessions {will}ended, and every token that was exchanged for a key", done.changed.sessions));
    if done.changed.dead > 0 {
        add(format!(
            "{} credentials that were revoked, replaced or deleted since the backup stay invalid",
            done.changed.dead
        ));
    }
    if !done.changed.taken.is_empty() {
        add(format!("{} rights that were taken since the backup stay taken:", done.changed.taken.len()));
        for TakenRight { right, backup, restored } in &done.changed.taken {
            add(format!("  {}: {} -> {}", plain(right), plain(backup), plain(restored)));
        }
    }
    if let Some(why) = &done.unknown {
        add(format!(
            "warning: the previous database could not be read ({why}): rights that were revoked since the backup are valid"
        ));
        add("again; check `taosctl users list`, `users token list`, `agents list` and `grants`, and revoke them again"
            .to_owned());
    }
    if done.new_token {
        add(format!("the operator has a new token: {}", config.data_dir.join(first_start::TOKEN_FILE).display()));
    }
    if !dry {
        add("start the daemon: it delivers fresh tokens to the containers that need them".to_owned());
    }
    text
}

/// A text from a backup, safe to print on a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
