//! The check of the database that somebody asks for: one at a time, on a thread that only looks. It reads beside the
//! daemon's own work and writes nothing, so what it finds is kept in memory and ends with the daemon.

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
    /// Where the check of the database stands.
    pub enum CheckState {
        Never "never" "Nobody has asked for one since the daemon started.";
        Running "running" "It is at work.";
        Sound "sound" "It found nothing wrong.";
        Damaged "damaged" "It found damage.";
        Stopped "stopped" "Somebody stopped it, or it took longer than it may.";
        Failed "failed" "The file could not be read.";
    }
}

/// A check as far as it has come.
#[derive(Debug, Clone)]
pub struct Check {
    /// Where it stands.
    pub state: CheckState,
    /// What it looks at now.
    pub step: Option<&'static str>,
    /// What it has looked at so far, in this order.
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

/// The newest check, and what stops it.
#[derive(Debug)]
pub struct DatabaseCheck {
    newest: Mutex<(Check, Arc<AtomicBool>)>,
    /// Raised whenever it has come further.
    pub changed: Signal,
}

impl Default for DatabaseCheck {
    fn default() -> Self {
        Self { newest: Mutex::new((Check::NEVER, Arc::default())), changed: Signal::new() }
    }
}

impl DatabaseCheck {
    /// The newest.
    pub fn newest(&self) -> Check {
        lock(&self.newest).0.clone()
    }

    /// True while one is at work.
    pub fn is_running(&self) -> bool {
        lock(&self.newest).0.state == CheckState::Running
    }

    /// Stops the one that is at work. It ends within a second or so.
    pub fn stop(&self) {
        lock(&self.newest).1.store(true, Ordering::Relaxed);
    }

    /// Takes the place of the newest if that is not at work: what stops the new one.
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

    /// Ends the one that is at work.
    fn end(&self, state: CheckState, findings: Option<Vec<CheckFinding>>) {
        let check = &mut lock(&self.newest).0;
        (check.state, check.step, check.finished_at) = (state, None, Some(Micros::now()));
        if let Some(findings) = findings {
            check.findings = findings;
        }
        self.changed.raise();
    }
}

/// Begins a check, if none is at work.
///
/// # Errors
/// `busy` if too much is waiting; then there is none.
pub fn begin(jobs: &Arc<Jobs>) -> Result<(), OperationError> {
    let Some(stop) = jobs.check.begin() else { return Ok(()) };
    jobs.look(Some("check"), move |jobs| carry_out(jobs, stop))
        .inspect_err(|_| jobs.check.end(CheckState::Failed, None))
}

/// Ends a check whose thread has panicked.
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
            // The last was cut short: that it has no result says nothing of the file.
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
