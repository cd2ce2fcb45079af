//! How long a call may take, and who may call it off before it is done.

use std::fmt;
use std::time::{Duration, Instant};

/// A deadline, and a question that is asked from time to time: is this still wanted?
#[derive(Clone, Copy)]
pub struct Until<'a> {
    /// When the call ends at the latest.
    pub deadline: Instant,
    unwanted: Option<&'a (dyn Fn() -> bool + Sync)>,
}

impl<'a> Until<'a> {
    /// The longest time between two questions.
    pub(super) const LOOK: Duration = Duration::from_secs(1);

    /// The same deadline, and an end as soon as `unwanted` says true. It is asked about once a second, on the calling
    /// thread.
    #[must_use]
    pub fn unless(self, unwanted: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self { unwanted: Some(unwanted), ..self }
    }

    /// Asks.
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
