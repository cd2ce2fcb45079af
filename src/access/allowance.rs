//! How much a principal may write: rows and bytes an hour and a day, counted in memory on the monotonic clock (DESIGN
//! D19).
//!
//! Every writing route is charged where its transaction commits, so each new route is limited from the start. An agent
//! has one share. A user has [`USER_SHARES`]. The agents of one owner have [`HOUSEHOLD_SHARES`] together, which do not
//! count against the owner's own. The operator's Unix socket has no limit: its user can fill the disk anyway.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::caller::{Caller, Principal};
use crate::config::Watched;
use crate::limits::{DAY_HOURS, HOUSEHOLD_SHARES, THROTTLE_ENTRIES, USER_SHARES, WRITE_ROW_BYTES};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::threads::lock;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A number of rows and bytes: written, or allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Rows inserted, changed or removed, those of triggers included.
    pub rows: u64,
    /// Bytes that this may have added to the file, rounded up.
    pub bytes: u64,
}

impl Amount {
    /// What a request wrote. `rows`: the rows it changed; `body`: the bytes of its body; `kept`: the bytes of its
    /// stored reply.
    pub fn of(rows: u64, body: usize, kept: usize) -> Self {
        let (body, kept) = (body as u64, kept as u64);
        let bytes = rows.saturating_mul(WRITE_ROW_BYTES).saturating_add(body).saturating_add(kept);
        Self { rows, bytes }
    }

    fn add(&mut self, other: Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// This amount times `factor`.
    #[must_use]
    pub fn times(self, factor: u64) -> Self {
        Self { rows: self.rows.saturating_mul(factor), bytes: self.bytes.saturating_mul(factor) }
    }

    /// True if the rows or the bytes are used up; a limit of 0 means none.
    fn is_reached_by(self, spent: Self) -> bool {
        (self.rows > 0 && spent.rows >= self.rows) || (self.bytes > 0 && spent.bytes >= self.bytes)
    }
}

/// Counts the rows and bytes that principals write.
#[derive(Debug)]
pub struct Allowance {
    /// One share of an hour.
    hourly: Watched<Amount>,
    spent: Mutex<HashMap<String, Spent>>,
}

#[derive(Debug, Clone, Copy)]
struct Spent {
    hour: Window,
    day: Window,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    since: Instant,
    spent: Amount,
}

impl Window {
    fn begin(since: Instant) -> Self {
        Self { since, spent: Amount::default() }
    }

    fn age(self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    fn at(self, now: Instant, length: Duration) -> Self {
        if self.age(now) < length { self } else { Self::begin(now) }
    }
}

/// A limit that has been reached.
#[derive(Debug, PartialEq, Eq)]
struct Reached {
    window: &'static str,
    spent: Amount,
    most: Amount,
    seconds: u64,
}

/// The accounts that a caller's writes are charged to, each with its number of shares.
fn accounts(caller: &Caller) -> Vec<(String, u64)> {
    if caller.credential_id().is_none() {
        return Vec::new();
    }
    match caller.principal() {
        Principal::User(_) => vec![(caller.principal_key(), USER_SHARES)],
        Principal::Agent { owner, .. } => {
            vec![(caller.principal_key(), 1), (format!("agents-of:{}", owner.id), HOUSEHOLD_SHARES)]
        }
    }
}

impl Allowance {
    /// An allowance of `hourly` for one share and hour, and of [`DAY_HOURS`] times as much a day; 0 means no limit.
    pub fn new(hourly: impl Into<Watched<Amount>>) -> Self {
        Self { hourly: hourly.into(), spent: Mutex::default() }
    }

    /// Checks that the caller may write more.
    ///
    /// # Errors
    /// `rate_limited`, with the used amount and the seconds until more is allowed.
    pub fn check(&self, caller: &Caller, now: Instant) -> Result<(), ApiError> {
        for (key, shares) in accounts(caller) {
            if let Some(reached) = self.reached(&key, shares, now) {
                return Err(refusal(&reached, key.starts_with("agents-of:")));
            }
        }
        Ok(())
    }

    /// Charges a caller for what it has written.
    pub fn charge(&self, caller: &Caller, amount: Amount, now: Instant) {
        if amount.rows == 0 {
            return;
        }
        for (key, _) in accounts(caller) {
            self.note(&key, amount, now);
        }
    }

    fn reached(&self, key: &str, shares: u64, now: Instant) -> Option<Reached> {
        let most = self.hourly.now().times(shares);
        let spent = *lock(&self.spent).get(key)?;
        let windows = [("hour", spent.hour, HOUR, most), ("day", spent.day, DAY, most.times(DAY_HOURS))];
        windows.into_iter().rev().find_map(|(window, running, length, most)| {
            let running = running.at(now, length);
            let seconds = length.saturating_sub(running.age(now)).as_secs().max(1);
            most.is_reached_by(running.spent).then_some(Reached { window, spent: running.spent, most, seconds })
        })
    }

    fn note(&self, key: &str, amount: Amount, now: Instant) {
        let mut all = lock(&self.spent);
        if all.len() >= THROTTLE_ENTRIES && !all.contains_key(key) {
            make_room(&mut all, now);
        }
        let fresh = Spent { hour: Window::begin(now), day: Window::begin(now) };
        let spent = all.entry(key.to_owned()).or_insert(fresh);
        *spent = Spent { hour: spent.hour.at(now, HOUR), day: spent.day.at(now, DAY) };
        spent.hour.spent.add(amount);
        spent.day.spent.add(amount);
    }
}

/// Drops days that have ended. If all still run, it drops those with the fewest rows, so that who wrote much stays
/// known.
fn make_room(all: &mut HashMap<String, Spent>, now: Instant) {
    all.retain(|_, spent| spent.day.age(now) < DAY);
    let mut least = 1;
    while all.len() >= THROTTLE_ENTRIES {
        all.retain(|_, spent| spent.day.spent.rows > least);
        least = least.saturating_mul(2);
    }
}

fn refusal(reached: &Reached, household: bool) -> ApiError {
    let who = if household { "The agents of this owner have" } else { "This principal has" };
    let told = |amount: Amount| serde_json::json!({"rows": amount.rows, "bytes": amount.bytes});
    ApiError::new(codes::RATE_LIMITED)
        .detail(format!(
            "{who} written what is allowed in one {}: {} of {} rows, {} of {} bytes.",
            reached.window, reached.spent.rows, reached.most.rows, reached.spent.bytes, reached.most.bytes
        ))
        .with("window", reached.window)
        .with("used", told(reached.spent))
        .with("allowed", told(reached.most))
        .retry_after(reached.seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Amount = Amount { rows: 10, bytes: 100_000 };

    fn rows(rows: u64) -> Amount {
        Amount { rows, bytes: rows }
    }

    #[test]
    fn an_hour_and_a_day_have_their_bounds_and_others_go_on() {
        let all = Allowance::new(SHARE);
        let start = Instant::now();
        all.note("a", rows(9), start);
        assert_eq!(all.reached("a", 1, start), None);
        all.note("a", rows(1), start);
        let reached = all.reached("a", 1, start + Duration::from_secs(600)).unwrap();
        assert_eq!((reached.window, reached.seconds, reached.spent.rows), ("hour", 3000, 10));
        assert_eq!(all.reached("a", 2, start), None);
        assert_eq!(all.reached("b", 1, start), None);
        for hour in 1..=3 {
            let now = start + HOUR * hour;
            assert_eq!(all.reached("a", 1, now), None, "hour {hour}");
            all.note("a", rows(10), now);
        }
        assert_eq!(all.reached("a", 1, start + HOUR * 5).unwrap().window, "day");
        assert_eq!(all.reached("a", 1, start + DAY), None);
    }

    #[test]
    fn bytes_are_bounded_like_rows_and_zero_is_no_bound() {
        let all = Allowance::new(SHARE);
        let now = Instant::now();
        all.note("a", Amount { rows: 1, bytes: 100_000 }, now);
        assert!(all.reached("a", 1, now).is_some());
        let off = Allowance::new(Amount::default());
        off.note("a", rows(u64::MAX), now);
        assert_eq!(off.reached("a", 1, now), None);
    }

    #[test]
    fn the_table_stays_bounded_and_keeps_who_wrote_most() {
        let all = Allowance::new(SHARE);
        let now = Instant::now();
        all.note("hostile", rows(1_000_000), now);
        for n in 0..THROTTLE_ENTRIES * 2 {
            all.note(&n.to_string(), rows(1), now);
        }
        assert!(all.spent.lock().unwrap().len() <= THROTTLE_ENTRIES);
        assert!(all.reached("hostile", 1, now).is_some());
    }
}
