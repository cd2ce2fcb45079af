//! Returns the free space of deleted rows in the database file to the disk: in quiet minutes, in steps so small that a
//! write in between hardly waits.

use std::sync::Arc;
use std::time::Duration;

use crate::store::{self, Store, space};

/// How long a step may take on the writer, without its commit.
const STEP: Duration = Duration::from_millis(10);
/// Pages of the first step, and of the largest one.
const FIRST: u64 = 16;
const MOST: u64 = 256;
/// The most steps of one turn, and the pause between two.
const STEPS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(20);
/// Free pages that are kept: new rows will need some, and less than a sixteenth of the file is not worth the wear.
const KEPT: u64 = 64;
const KEPT_PART: u64 = 16;

/// The state that is kept between turns.
pub struct IncrementalVacuum {
    store: Arc<Store>,
    /// The versions of the database at the last turn.
    seen: Option<(u64, u64)>,
    /// Pages of the next step.
    pages: u64,
}

impl IncrementalVacuum {
    /// A vacuum of this store.
    pub fn new(store: Arc<Store>) -> Self {
        Self { store, seen: None, pages: FIRST }
    }

    /// Returns free space, if there is some and nothing was written since the last turn.
    pub fn turn(&mut self) {
        let state = self.state();
        if self.seen.replace(state) != Some(state) {
            return;
        }
        let gave = self.give_back(state);
        match gave {
            Ok(0) => {}
            Ok(steps) => log::info!("returned the free space of deleted rows to the disk in {steps} steps"),
            Err(error) => log::warn!("the free space of deleted rows could not be returned to the disk: {error}"),
        }
    }

    fn state(&self) -> (u64, u64) {
        (self.store.version(), self.store.light_version())
    }

    /// Returns free space in steps. The result is the number of steps.
    fn give_back(&mut self, state: (u64, u64)) -> store::Result<u32> {
        let mut steps = 0;
        while steps < STEPS && self.state() == state {
            let pages = self.store.lookup(space::pages)?;
            if !pages.can_go || pages.free <= KEPT.max(pages.all / KEPT_PART) {
                break;
            }
            let now = self.pages;
            let took = self.store.write(move |conn| space::give_back(conn, now))?;
            self.pages = next(now, took);
            steps += 1;
            std::thread::sleep(PAUSE);
        }
        if steps > 0 {
            self.store.lookup(space::settle)?;
        }
        Ok(steps)
    }
}

/// The pages of the next step, after one of `pages` that took `took`.
fn next(pages: u64, took: Duration) -> u64 {
    match took {
        took if took > STEP / 2 => (pages / 2).max(1),
        took if took < STEP / 8 => (pages * 2).min(MOST),
        _ => pages,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_grow_and_shrink_with_the_time_they_take() {
        let millis = Duration::from_millis;
        assert_eq!(next(16, millis(0)), 32);
        assert_eq!(next(256, millis(0)), 256);
        assert_eq!(next(16, millis(3)), 16);
        assert_eq!(next(16, millis(6)), 8);
        assert_eq!(next(1, millis(100)), 1);
    }
}
