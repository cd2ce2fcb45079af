//! SIGHUP: reads the settings again. A reload applies the settings that can change while the daemon runs, and logs
//! which ones need a restart. If there is any error, all settings stay as they were.

use std::sync::Arc;

use crate::api::App;
use crate::config::Difference;
use crate::daemon::logger;
use crate::jobs::events::channels::configure as configure_channels;
use crate::store::audit::AuditEntry;
use crate::time::Micros;

/// The most characters of the changed keys' names in the audit.
const NAMES: usize = 256;

/// Reads the settings again and reports the result to the service manager, the log and the audit.
pub fn reload(app: &App) {
    let mut begin = vec![sd_notify::NotifyState::Reloading];
    begin.extend(sd_notify::NotifyState::monotonic_usec_now().ok());
    let _ = sd_notify::notify(&begin);
    let status = read_again(app);
    log::info!("{status}");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status(&status)]);
}

fn read_again(app: &App) -> String {
    let old = app.config.now();
    let new = match old.read_again() {
        Ok(new) => new,
        Err(error) => {
            error.problems().iter().for_each(|problem| log::error!("reload: {problem}"));
            return format!("reload refused, the settings stay unchanged: {} cannot be used", error.count());
        }
    };
    let (taken, waiting): (Vec<_>, Vec<_>) = old.differences(&new).into_iter().partition(|change| change.reloads);
    for change in &waiting {
        log::warn!("reload: {}: {}: needs a restart", change.key, change.text);
    }
    for change in &taken {
        log::info!("reload: {}: {}", change.key, change.text);
    }
    app.apply(old.adopt(new));
    logger::set(&app.config.now().log);
    channels(app);
    keys(app);
    if !taken.is_empty() {
        record(app, &taken);
    }
    match waiting.len() {
        0 => format!("reloaded, {} changed", taken.len()),
        left => format!("reloaded, {} changed, {left} need a restart", taken.len()),
    }
}

/// Applies the operator's channels of the file.
fn channels(app: &App) {
    let channels = Arc::clone(&app.config.now().channels);
    let (all, sender) = (Arc::clone(&channels), Arc::clone(&app.channels));
    app.store.submit(
        move |conn| configure_channels(conn, &channels),
        move |written| match written {
            // A changed file of a token or a certificate does not show in the database.
            Ok(()) => all.iter().for_each(|channel| sender.changed(&channel.id)),
            Err(error) => log::error!("the channels could not be set: {error}"),
        },
    );
}

/// Makes ES256 keys if a service needs them now. They are published before one signs.
fn keys(app: &App) {
    let needed = app.config.read(|now| now.oauth.needs_es256());
    if let Err(error) = if needed { app.gate.keys.need_es256(Micros::now().0 / Micros::SECOND) } else { Ok(()) } {
        log::error!("keys for ES256 could not be made: {error}");
    }
}

/// Writes an audit row with the names of the settings only. Their values are in the log.
fn record(app: &App, taken: &[Difference]) {
    let names = taken.iter().map(|change| change.key.as_str()).collect::<Vec<_>>().join(",");
    let entry = AuditEntry::new(
        "system",
        "settings.reload",
        format!("settings:{}", names.chars().take(NAMES).collect::<String>()),
        "-",
    );
    // Does not wait for the write: a hanging disk must not delay the next signal.
    app.store.submit(
        move |conn| crate::store::audit::append(conn, &entry),
        |written| {
            if let Err(error) = written {
                log::error!("the reload could not be recorded: {error}");
            }
        },
    );
}
