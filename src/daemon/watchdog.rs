//! The service manager's watchdog: told that the daemon works for as long as it does (systemd.service(5), WatchdogSec).

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::api::App;
use crate::http::edge::{self, Worker};

/// How long the edge may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// From when on a worker counts as stuck.
const STUCK: Duration = Duration::from_secs(60);

/// The thread, where the service manager asks for one; dropping it ends it.
pub struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts the thread if `WATCHDOG_USEC` asks for it: two signs of life in each of its periods.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn start(app: &Arc<App>, edge: edge::Handle) -> io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let Some(period) = sd_notify::watchdog_enabled() else { return Ok(Self { stop: None, thread: None }) };
        let app = Arc::downgrade(app);
        let thread = std::thread::Builder::new().name("watchdog".into()).spawn(move || {
            while stopped.recv_timeout(period / 2) == Err(RecvTimeoutError::Timeout) {
                match trouble(&app, &edge) {
                    None => drop(sd_notify::notify(&[sd_notify::NotifyState::Watchdog])),
                    Some(why) => log::error!("the watchdog is not notified: {why}"),
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a restart would mend. A full or failing disk is not among it: `/readyz` tells that.
fn trouble(app: &Weak<App>, edge: &edge::Handle) -> Option<&'static str> {
    // Once the application has gone the daemon is stopping.
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
