//! The service manager's watchdog: the daemon reports to it for as long as it works (systemd.service(5), WatchdogSec).

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::api::App;
use crate::http::edge::{self, Worker};
use crate::threads::Periodic;

/// How long the edge may take to reply.
const PATIENCE: Duration = Duration::from_secs(5);
/// A worker that is busy for at least this long counts as stuck.
const STUCK: Duration = Duration::from_secs(60);

/// Starts the thread if `WATCHDOG_USEC` is set. It sends two heartbeats in each watchdog period.
///
/// # Errors
/// The operating system cannot start a thread.
pub fn start(app: &Arc<App>, edge: edge::Handle) -> io::Result<Periodic> {
    let Some(period) = sd_notify::watchdog_enabled() else { return Ok(Periodic::default()) };
    let app = Arc::downgrade(app);
    Periodic::start("watchdog", move |pause| {
        while pause.lasts(period / 2) {
            match trouble(&app, &edge) {
                None => drop(sd_notify::notify(&[sd_notify::NotifyState::Watchdog])),
                Some(why) => log::error!("no sign of life for the watchdog: {why}"),
            }
        }
    })
}

/// Returns a problem that a restart would solve. A full or failing disk is not one: `/readyz` reports that.
fn trouble(app: &Weak<App>, edge: &edge::Handle) -> Option<&'static str> {
    // If the application is gone, the daemon is stopping.
    let app = app.upgrade()?;
    if !app.store.writer_is_alive() {
        return Some("the writer has ended");
    }
    if !edge.workers().iter().any(works) {
        return Some("no worker is left");
    }
    (!edge.answers(PATIENCE)).then_some("the edge does not answer")
}

fn works(worker: &Worker) -> bool {
    match worker {
        Worker::Dead => false,
        Worker::Busy(since) => *since < STUCK,
        _ => true,
    }
}
