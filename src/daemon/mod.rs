//! The life of the daemon: start, serve, stop. The binaries only parse their arguments and call this module.

pub mod cli;
mod compose;
mod error;
mod listeners;
pub mod logger;
mod reload;
mod watchdog;

pub use error::DaemonError;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::Mode;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::api::{App, Dispatcher};
use crate::config::Config;
use crate::http::edge;
use crate::jobs::operations::backups;
use crate::jobs::start_up;
use crate::jobs::upkeep::backup_scheduler;
use crate::say;

pub use compose::StartError;
use compose::{DataUpkeep, ServingUpkeep};

/// Serves until SIGTERM or SIGINT. Reads the settings again on SIGHUP.
///
/// # Errors
/// Any [`DaemonError`] of the start.
pub fn serve(config: Config) -> Result<(), DaemonError> {
    // Only the owner may use the files that this process makes. The socket gets its own mode.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(|e| DaemonError::Io("signals".into(), e))?;
    logger::set(&config.log);
    // This must run before the store opens: an open database always looks changed.
    let backup_is_fresh = backups::is_fresh(&config.data_dir);
    let app = Arc::new(compose::app(config)?);
    let config = app.config.now();
    let data_upkeep = DataUpkeep::start(&app, backup_is_fresh)?;
    let doors = listeners::open(&config)?;
    let addresses = doors.addresses.clone();
    let service = Arc::new(Dispatcher::new(Arc::clone(&app)));
    let running = edge::start(service, config.limits.clone(), doors.listeners)
        .map_err(|e| DaemonError::Io("the edge".into(), e))?;
    let _ = app.listening.set(addresses.clone());
    app.set_edge(running.handle());
    start_up::begin(&app.jobs, running.handle());
    app.sleeper.begin();
    let serving_upkeep = ServingUpkeep::start(&app, running.handle())?;
    announce(&config, &addresses);
    answer_signals(signals, running.handle(), &app)?;
    running.join();
    app.fetched.stop();
    app.sleeper.stop();
    drop(serving_upkeep);
    app.jobs.stop(Duration::from_secs(app.config.read(|now| now.limits.stop_timeout)));
    app.jobs.sockets.close_all();
    doors.socket.close();
    drop(data_upkeep);
    close(app, &config);
    log::info!("stopped");
    Ok(())
}

/// Starts a thread that handles signals: they stop the daemon or reload the settings. The thread never ends.
fn answer_signals(mut signals: Signals, handle: edge::Handle, app: &Arc<App>) -> Result<(), DaemonError> {
    // A strong reference in this thread would keep the store open.
    let app = Arc::downgrade(app);
    let answer = move || {
        let mut stopping = false;
        for signal in signals.forever() {
            match signal {
                SIGHUP if stopping => {}
                SIGHUP => {
                    if let Some(app) = app.upgrade() {
                        reload::reload(&app);
                    }
                }
                _ if stopping => handle.cut(),
                _ => {
                    stopping = true;
                    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
                    log::info!("stopping");
                    // This must run before the stop begins: this reference must not outlive the stop.
                    if let Some(app) = app.upgrade() {
                        app.streams.close();
                    }
                    handle.shutdown();
                }
            }
        }
    };
    let thread = std::thread::Builder::new().name("signals".into()).spawn(answer);
    thread.map(drop).map_err(|e| DaemonError::Io("the signal thread".into(), e))
}

/// Closes the store and brings the automatic backup up to date.
fn close(app: Arc<App>, config: &Config) {
    let keeps_a_copy = app.config.read(|now| now.limits.backup_interval > 0);
    let covered = app.backups.read().covered == Some(app.store.version());
    let store = Arc::downgrade(&app.store);
    drop(app);
    if store.strong_count() > 0 {
        log::warn!("the database is still in use; its WAL stays beside it");
    }
    if keeps_a_copy {
        backup_scheduler::refresh_at_stop(&config.data_dir, covered);
    }
}

/// The command that starts `taosctl` here: its name if it is in `PATH`, otherwise its path next to this program. Also
/// returns the command that builds it, if `cargo run` has built only this program.
fn taosctl() -> (String, Option<&'static str>) {
    const NAME: &str = "taosctl";
    let found =
        std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(NAME).is_file()));
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(NAME));
    let profile = beside.as_ref().and_then(|path| path.parent()?.file_name()?.to_str());
    let builds = match profile {
        Some("release") => Some("cargo build --release"),
        Some("debug") => Some("cargo build"),
        _ => None,
    };
    match beside {
        Some(path) if !found && path.is_file() => (path.display().to_string(), None),
        Some(path) if !found && builds.is_some() => (path.display().to_string(), builds),
        _ => (NAME.to_owned(), None),
    }
}

/// Prints the ready line and tells the service manager that the daemon is ready.
fn announce(config: &Config, addresses: &[SocketAddr]) {
    let address = addresses.first().map_or_else(|| "-".to_owned(), ToString::to_string);
    let (data, socket) = (config.data_dir.display(), config.socket.display());
    // The daemon also serves if nobody reads its output.
    let _ = say::out(&format!("taosd listening on http://{address} data={data} socket={socket}\n"));
    if io::stdout().is_terminal() {
        let (taosctl, builds) = taosctl();
        let first =
            builds.map_or_else(String::new, |builds| format!("  first         {builds}, which builds taosctl\n"));
        say::complain(&format!(
            "\n  your token    {data}/operator.token\n{first}  in a browser  http://{address}/, or the link that this prints:\n\
             \x20               {taosctl} open\n  in a shell    {taosctl} status\n  to read       http://{address}/docs, or \
             {taosctl} docs\n\n"
        ));
    }
    for more in addresses.iter().skip(1) {
        log::info!("also listening on http://{more}");
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}
