//! Keeps agents' status true to what their containers do: one list every few seconds, a write only for a change.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Jobs, start_up, within};
use crate::containers::{Detail, Runtime};
use crate::http::error::ApiError;
use crate::store::{agents, operations};

const PERIOD: Duration = Duration::from_secs(10);
const CALL: u64 = 5;

/// The thread; dropping it ends it.
pub struct Reconciler {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Reconciler {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn start(jobs: &Arc<Jobs>) -> std::io::Result<Self> {
        let jobs: Weak<Jobs> = Arc::downgrade(jobs);
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("reconciler".into()).spawn(move || {
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                let Some(jobs) = jobs.upgrade() else { return };
                if let Err(error) = look(&jobs) {
                    log::debug!("containers could not be looked at: {error}");
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Reconciler {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn look(jobs: &Arc<Jobs>) -> Result<(), ApiError> {
    let agents = jobs.store.lookup(agents::with_containers)?;
    if agents.is_empty() {
        return Ok(());
    }
    let driver = jobs.any_driver()?;
    if driver.runtime() == Runtime::None {
        return Ok(());
    }
    let containers = driver.list(Detail::Brief, within(CALL))?;
    for agent in agents {
        // What an operation is at, it will note itself.
        if jobs.store.lookup(|conn| operations::open_of_agent(conn, &agent.id))?.is_some() {
            continue;
        }
        if let Some(state) = containers.iter().find(|c| Some(c.name.as_str()) == agent.container_name.as_deref()) {
            start_up::note_status(jobs, &agent, state.status)?;
        }
    }
    Ok(())
}
