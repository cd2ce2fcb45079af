//! The deadline of a call, and the caller's way to cancel it earlier.

use std::fmt;
use std::time::{Duration, Instant};

/// A deadline, and optionally a function that is called from time to time to ask if the call is still wanted.
#[derive(Clone, Copy)]
pub struct Until<'a> {
    /// The latest time at which the call ends.
    pub deadline: Instant,
    unwanted: Option<&'a (dyn Fn() -> bool + Sync)>,
}

impl<'a> Until<'a> {
    /// The longest time between two of these questions.
    pub(super) const LOOK: Duration = Duration::from_secs(1);

    /// The same deadline, but the call ends as soon as `unwanted` returns true. It is called about once a second, on
    /// the calling thread.
    #[must_use]
    pub fn unless(self, unwanted: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self { unwanted: Some(unwanted), ..self }
    }

    /// Whether the caller has cancelled the call.
    pub(super) fn is_cancelled(&self) -> bool {
        self.unwanted.is_some_and(|unwanted| unwanted())
    }
}

impl From<Instant> for Until<'_> {
    fn from(deadline: Instant) -> Self {
        Self { deadline, unwanted: None }
    }
}

impl fmt::Debug for Until<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Until").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// The moment when half of the time is over: the other half is for a simpler request.
pub(super) fn half(deadline: Instant) -> Instant {
    deadline - deadline.saturating_duration_since(Instant::now()) / 2
}
