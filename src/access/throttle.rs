//! Rate limits: fixed windows of 60 s or an hour, counted in memory (DESIGN D17).

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::config::Watched;
use crate::limits::THROTTLE_ENTRIES;
use crate::threads::lock;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Counts events by key and reports when a key has used up its share of the window.
#[derive(Debug)]
pub struct Throttle {
    per_window: Watched<u64>,
    window: Duration,
    counts: Mutex<HashMap<String, EventCount>>,
}

#[derive(Debug, Clone, Copy)]
struct EventCount {
    since: Instant,
    events: u64,
}

impl EventCount {
    /// Returns the seconds until the window ends, at least 1; `None` if it has ended.
    fn left(self, window: Duration, now: Instant) -> Option<u64> {
        let age = now.saturating_duration_since(self.since);
        (age < window).then(|| window.saturating_sub(age).as_secs().max(1))
    }
}

impl Throttle {
    /// A throttle of `per_minute` events for each key; 0 switches it off.
    pub fn new(per_minute: impl Into<Watched<u64>>) -> Self {
        Self { per_window: per_minute.into(), window: MINUTE, counts: Mutex::default() }
    }

    /// A throttle of `per_hour` events for each key; 0 switches it off.
    pub fn hourly(per_hour: impl Into<Watched<u64>>) -> Self {
        Self { per_window: per_hour.into(), window: HOUR, counts: Mutex::default() }
    }

    /// Checks that `key` has something left of its share, and counts nothing.
    ///
    /// # Errors
    /// The seconds until the window ends, at least 1, if the share is used up.
    pub fn check(&self, key: &str, now: Instant) -> Result<(), u64> {
        let most = self.per_window.now();
        match lock(&self.counts).get(key) {
            Some(count) if most > 0 && count.events >= most => count.left(self.window, now).map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }

    /// Counts one event of `key`.
    ///
    /// # Errors
    /// The seconds until the window ends, at least 1, if the share is used up; then nothing is counted.
    pub fn take(&self, key: &str, now: Instant) -> Result<(), u64> {
        let (most, window) = (self.per_window.now(), self.window);
        if most == 0 {
            return Ok(());
        }
        let mut counts = lock(&self.counts);
        match counts.get_mut(key) {
            Some(count) => match count.left(window, now) {
                Some(seconds) if count.events >= most => return Err(seconds),
                Some(_) => count.events += 1,
                None => *count = EventCount { since: now, events: 1 },
            },
            None => {
                if counts.len() >= THROTTLE_ENTRIES {
                    make_room(&mut counts, now, window);
                }
                counts.insert(key.to_owned(), EventCount { since: now, events: 1 });
            }
        }
        Ok(())
    }
}

/// Drops windows that have ended; if all still run, those with the fewest events.
fn make_room(counts: &mut HashMap<String, EventCount>, now: Instant, window: Duration) {
    counts.retain(|_, count| now.saturating_duration_since(count.since) < window);
    let mut least = 1;
    while counts.len() >= THROTTLE_ENTRIES {
        counts.retain(|_, count| count.events > least);
        least = least.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_used_up_its_minute_waits_for_the_next_and_others_go_on() {
        let throttle = Throttle::new(2);
        let start = Instant::now();
        assert_eq!(throttle.take("a", start), Ok(()));
        assert!((0..9).all(|_| throttle.check("a", start) == Ok(())), "a look is not counted");
        assert_eq!(throttle.take("a", start), Ok(()));
        assert_eq!(throttle.take("a", start + Duration::from_secs(20)), Err(40));
        assert_eq!(throttle.check("a", start + Duration::from_secs(20)), Err(40));
        assert_eq!(throttle.check("a", start + MINUTE), Ok(()));
        assert_eq!(throttle.take("b", start), Ok(()));
        assert_eq!(throttle.take("a", start + MINUTE), Ok(()));
    }

    #[test]
    fn zero_switches_it_off_and_the_table_stays_bounded() {
        let off = Throttle::new(0);
        assert!((0..1000).all(|_| off.take("a", Instant::now()).is_ok()));
        let throttle = Throttle::new(5);
        let start = Instant::now();
        for n in 0..THROTTLE_ENTRIES * 2 {
            let _ = throttle.take(&n.to_string(), start);
        }
        assert!(throttle.counts.lock().unwrap().len() <= THROTTLE_ENTRIES);
    }
}
