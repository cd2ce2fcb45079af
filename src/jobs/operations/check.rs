//! A requested check of the database: one at a time, on a thread for read-only work. It reads beside the daemon's own
//! work and writes nothing, so its findings are only in memory and are lost when the daemon ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::error::OperationError;
use super::jobs::Jobs;
use crate::closed_set::closed_set;
use crate::limits::DATABASE_CHECK_TIME;
use crate::rest::stream::Signal;
use crate::store::{CheckFinding, StillWanted, StoreError};
use crate::threads::lock;
use crate::time::Micros;

closed_set! {
    /// The state of the database check.
    pub enum CheckState {
        Never "never" "Nobody has asked for one since the daemon started.";
        Running "running" "It is at work.";
        Sound "sound" "It found nothing wrong.";
        Damaged "damaged" "It found damage.";
        Stopped "stopped" "Somebody stopped it, or it took longer than it may.";
        Failed "failed" "The file could not be read.";
    }
}

/// A check and its results so far.
#[derive(Debug, Clone)]
pub struct Check {
    /// Its state.
    pub state: CheckState,
    /// The part that it checks now.
    pub step: Option<&'static str>,
    /// The results so far, in the order of the checks.
    pub findings: Vec<CheckFinding>,
    /// When it began.
    pub started_at: Option<Micros>,
    /// When it ended.
    pub finished_at: Option<Micros>,
}

impl Check {
    const NEVER: Self =
        Self { state: CheckState::Never, step: None, findings: Vec::new(), started_at: None, finished_at: None };
}

/// The newest check, and the flag that stops it.
#[derive(Debug)]
pub struct DatabaseCheck {
    newest: Mutex<(Check, Arc<AtomicBool>)>,
    /// Raised whenever the check has made progress.
    pub changed: Signal,
}

impl Default for DatabaseCheck {
    fn default() -> Self {
        Self { newest: Mutex::new((Check::NEVER, Arc::default())), changed: Signal::new() }
    }
}

impl DatabaseCheck {
    /// Returns the newest check.
    pub fn newest(&self) -> Check {
        lock(&self.newest).0.clone()
    }

    /// True while a check is running.
    pub fn is_running(&self) -> bool {
        lock(&self.newest).0.state == CheckState::Running
    }

    /// Stops the running check, which ends within about a second.
    pub fn stop(&self) {
        lock(&self.newest).1.store(true, Ordering::Relaxed);
    }

    /// Replaces the newest check unless it is running. Returns the flag that stops the new one.
    fn begin(&self) -> Option<Arc<AtomicBool>> {
        let mut newest = lock(&self.newest);
        if newest.0.state == CheckState::Running {
            return None;
        }
        let stop = Arc::<AtomicBool>::default();
        let check = Check { state: CheckState::Running, started_at: Some(Micros::now()), ..Check::NEVER };
        *newest = (check, Arc::clone(&stop));
        Some(stop)
    }

    fn come_to(&self, step: &'static str, so_far: &[CheckFinding]) {
        let check = &mut lock(&self.newest).0;
        (check.step, check.findings) = (Some(step), so_far.to_vec());
        self.changed.raise();
    }

    /// Ends the running check.
    fn end(&self, state: CheckState, findings: Option<Vec<CheckFinding>>) {
        let check = &mut lock(&self.newest).0;
        (check.state, check.step, check.finished_at) = (state, None, Some(Micros::now()));
        if let Some(findings) = findings {
            check.findings = findings;
        }
        self.changed.raise();
    }
}

/// Begins a check if none is running.
///
/// # Errors
/// `busy` if too much is waiting; the check is then marked as failed.
pub fn begin(jobs: &Arc<Jobs>) -> Result<(), OperationError> {
    let Some(stop) = jobs.check.begin() else { return Ok(()) };
    jobs.look(Some("check"), move |jobs| carry_out(jobs, stop))
        .inspect_err(|_| jobs.check.end(CheckState::Failed, None))
}

/// Marks a check as failed if its thread panics.
struct CheckGuard<'a>(&'a DatabaseCheck);

impl Drop for CheckGuard<'_> {
    fn drop(&mut self) {
        if self.0.is_running() {
            self.0.end(CheckState::Failed, None);
        }
    }
}

fn carry_out(jobs: &Arc<Jobs>, stop: Arc<AtomicBool>) {
    let (_guard, ends, until) = (CheckGuard(&jobs.check), jobs.ends(), Instant::now() + DATABASE_CHECK_TIME);
    let wanted = StillWanted::as_long_as(move || {
        !stop.load(Ordering::Relaxed) && !ends.load(Ordering::Relaxed) && Instant::now() < until
    });
    let told = |step, so_far: &[CheckFinding]| jobs.check.come_to(step, so_far);
    match jobs.store.check_gently(&wanted, told) {
        Ok(mut findings) if !wanted.now() => {
            // The last part was interrupted, so its missing result says nothing about the file.
            findings.retain(|finding| finding.result.is_ok());
            jobs.check.end(CheckState::Stopped, Some(findings));
        }
        Ok(findings) => jobs.check.end(judged(&findings), Some(findings)),
        Err(error) => {
            log::error!("the database could not be checked: {error}");
            let state = if matches!(error, StoreError::Damaged(_)) { CheckState::Damaged } else { CheckState::Failed };
            jobs.check.end(state, None);
        }
    }
}

fn judged(findings: &[CheckFinding]) -> CheckState {
    let mut state = CheckState::Sound;
    for finding in findings {
        if let Err(wrong) = &finding.result {
            log::error!("the check of the database found damage in its {}: {wrong}", finding.name);
            state = CheckState::Damaged;
        }
    }
    state
}
