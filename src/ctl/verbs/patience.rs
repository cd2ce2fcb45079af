//! Waits for an unreachable daemon: repeats a request with growing pauses until there is a reply.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::ctl::core::failure::Failure;
use crate::say::complain;

/// The first and the longest pause.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Repeats the request until there is a reply, or until `end`. Waits while the daemon is unreachable, stopping or
/// overloaded.
///
/// # Errors
/// A refusal, or the last failure when `end` is reached.
pub fn patiently<T>(end: Option<Instant>, mut ask: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut pause = PAUSES.0;
    let mut told = false;
    loop {
        let failure = match ask() {
            Err(failure) if is_passing(&failure) => failure,
            result => return result,
        };
        if end.is_some_and(|end| Instant::now() + pause >= end) {
            return Err(failure);
        }
        if !told {
            complain(&format!("note: {failure} Waiting until the daemon answers again.\n"));
            told = true;
        }
        sleep(pause);
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// True for a failure that may pass by itself.
fn is_passing(failure: &Failure) -> bool {
    match failure {
        Failure::Unreachable(_) => true,
        Failure::Refused(refusal) => matches!(refusal.status, 429 | 503),
        _ => false,
    }
}
