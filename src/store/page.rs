//! Keyset pages: a list goes on after the (time, id) of the last row of the page before, so that no row is skipped or
//! seen twice while others come and go.

use crate::time::Micros;

/// Where a page starts and how long it is.
#[derive(Debug, Clone)]
pub struct Page {
    /// Rows at the most.
    pub limit: u64,
    /// The last row of the page before.
    pub after: Option<(Micros, String)>,
}

impl Page {
    /// The time to start after, for a list whose oldest rows come first.
    pub(super) fn oldest_first(&self) -> (Micros, &str) {
        self.after.as_ref().map_or((Micros(i64::MIN), ""), |(at, id)| (*at, id))
    }

    /// The time to start before, for a list whose newest rows come first. No id sorts after `~`.
    pub(super) fn newest_first(&self) -> (Micros, &str) {
        self.after.as_ref().map_or((Micros(i64::MAX), "~"), |(at, id)| (*at, id))
    }

    /// One row more than asked tells whether there is another page.
    pub(super) fn fetch(&self) -> u64 {
        self.limit + 1
    }
}
