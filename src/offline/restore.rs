//! `taosd restore`: puts a backup in the place of the database and says what became of what.

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

/// How a restore is made and told.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestoreMode {
    /// Nothing is changed.
    pub dry: bool,
    /// Told as one JSON object.
    pub json: bool,
}

/// Puts a backup in the place of the database, with the daemon stopped. Nothing that was taken since the backup comes
/// back: of two states of a right the lesser holds.
///
/// # Errors
/// The directory is in use (exit code 3), the file is no sound database of this program (4), or it cannot be done (1);
/// nothing has changed then.
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

/// A text from a backup as it may stand in a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
