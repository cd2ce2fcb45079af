//! Waiting for a daemon that is away: a request is repeated, with growing pauses, until there is an answer.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::ctl::core::failure::Failure;
use crate::say::complain;

/// The first pause after nobody answered, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Asks until there is an answer, or until `end`. A daemon that is away, stopping or overloaded is waited for.
///
/// # Errors
/// A refusal; or that nobody answers once `end` has come.
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

/// True for a failure that time may mend.
fn is_passing(failure: &Failure) -> bool {
    match failure {
        Failure::Unreachable(_) => true,
        Failure::Refused(refusal) => matches!(refusal.status, 429 | 503),
        _ => false,
    }
}
