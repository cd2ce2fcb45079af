//! Ends temporary rights: pending requests, what approved requests give, and grants with an end. Every check compares
//! the time itself and does not wait for this thread. The thread stores and records each end and reports it, so that
//! what has ended stays ended when a clock goes back (DESIGN D20). By the monotonic clock, nothing lasts longer than it
//! was given for. While the host's clock is in doubt it ends nothing.
//!
//! It also records and reports requests that ended together with something they depend on: the triggers of the schema
//! end those.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::store::audit::{self, AuditEntry};
use crate::store::requests::{self, End, Ending};
use crate::store::{self, Store, StoreError, grants};
use crate::threads::{EventThread, Monitor};
use crate::time::{Clock, Micros};

/// Ends in one transaction.
const BATCH: usize = 64;
/// Commits within this time are handled together.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the host's clock is checked while something has an end.
const LOOK: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(24 * 3600);

#[derive(Default)]
struct EndingsState {
    look: bool,
    closed: bool,
}

/// The thread that ends temporary rights.
pub struct Endings {
    shared: Arc<Monitor<EndingsState>>,
    _thread: EventThread,
}

impl Endings {
    /// Starts the thread, which first handles what the last run left. It calls `ended` with the id of each request that
    /// ends, after the commit.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(store: Arc<Store>, clock: Arc<Clock>, ended: impl Fn(&str) + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Monitor::new(EndingsState { look: true, closed: false }));
        let work = move |shared: &Monitor<EndingsState>| serve(shared, &store, &clock, &ended);
        let thread = EventThread::on("endings", &shared, |state| state.closed = true, work)?;
        Ok(Self { shared, _thread: thread })
    }

    /// Returns the function that announces a commit. It is fast and may be called from any thread.
    pub fn nudge(&self) -> impl Fn() + Send + Sync + 'static {
        let shared = Arc::downgrade(&self.shared);
        move || {
            if let Some(shared) = shared.upgrade() {
                let mut state = shared.lock();
                if !state.look {
                    state.look = true;
                    shared.notify_one();
                }
            }
        }
    }
}

/// The current temporary rights, each with its end by the monotonic clock.
#[derive(Default)]
struct Ends(HashMap<(Ending, String), (End, Instant)>);

impl Ends {
    /// Takes the ends from the database. A known right keeps its monotonic end, unless its end was set anew.
    fn take(&mut self, ends: Vec<End>, now: Micros, clock: Instant) {
        let mut fresh = HashMap::new();
        for end in ends {
            let key = (end.what, end.id.clone());
            let known = self.0.remove(&key).filter(|(known, _)| *known == end);
            let by = known.map_or_else(|| clock + left(&end, now), |(_, by)| by);
            fresh.insert(key, (end, by));
        }
        self.0 = fresh;
    }

    /// The rights that are over by the monotonic clock, or by the host's clock if that can be trusted.
    fn due(&self, clock: Instant, settled: impl FnOnce() -> Option<Micros>) -> Vec<End> {
        let now = Micros::now();
        let believed = if self.0.values().any(|(end, _)| end.at <= now) { settled() } else { None };
        let is_due = |(end, by): &&(End, Instant)| *by <= clock || believed.is_some_and(|now| end.at <= now);
        self.0.values().filter(is_due).take(BATCH).map(|(end, _)| end.clone()).collect()
    }

    fn next(&self, clock: Instant) -> Duration {
        let next = self.0.values().map(|(_, by)| by.saturating_duration_since(clock)).min();
        next.map_or(LONG, |next| next.min(LOOK))
    }
}

/// The time left, never more than the right was given for.
fn left(end: &End, now: Micros) -> Duration {
    let given = end.at.0.saturating_sub(end.since.0).max(0);
    let left = end.at.0.saturating_sub(now.0).clamp(0, given);
    Duration::from_micros(u64::try_from(left).unwrap_or(0))
}

fn serve(shared: &Monitor<EndingsState>, store: &Store, clock: &Clock, ended: &dyn Fn(&str)) {
    let mut given = Ends::default();
    let mut wait = Duration::ZERO;
    // Also after a panic: the ends are not known any more.
    shared.lock().look = true;
    loop {
        let mut state = shared.lock();
        if !state.look && !state.closed {
            state = shared.wait_timeout(state, wait);
        }
        if state.closed {
            return;
        }
        if state.look {
            state = shared.wait_timeout(state, PAUSE);
        }
        state.look = false;
        drop(state);
        wait = match turn(&mut given, store, clock) {
            Ok(told) => {
                let more = told.len() >= BATCH;
                told.iter().for_each(|id| ended(id));
                if more { Duration::ZERO } else { given.next(Instant::now()) }
            }
            Err(error) => {
                log::warn!("ended requests and grants could not be recorded, trying again: {error}");
                Duration::from_secs(1)
            }
        };
    }
}

/// Stores what is over. Returns the ids of the requests to report.
fn turn(given: &mut Ends, store: &Store, clock: &Clock) -> store::Result<Vec<String>> {
    let (ends, any) =
        store.read(|conn| Ok::<_, StoreError>((requests::ends(conn)?, !requests::untold(conn, 1)?.is_empty())))?;
    given.take(ends, Micros::now(), Instant::now());
    let due = given.due(Instant::now(), || clock.settled());
    if due.is_empty() && !any {
        return Ok(Vec::new());
    }
    store.write(move |conn| {
        due.iter().try_for_each(|end| over(conn, end))?;
        record(conn)
    })
}

fn over(conn: &Connection, end: &End) -> store::Result<()> {
    match end.what {
        Ending::Pending => requests::expire(conn, &end.id).map(|_| ()),
        Ending::InForce => requests::end(conn, &end.id).map(|_| ()),
        // A grant that was given again in the meantime has another end.
        Ending::Grant => match grants::by_id(conn, &end.id)?.filter(|grant| grant.expires_at == Some(end.at)) {
            None => Ok(()),
            Some(grant) => {
                grants::delete(conn, &grant.id)?;
                audit::append(conn, &AuditEntry::new("system", "grants.end", grant.on.to_string(), "-"))
            }
        },
    }
}

/// Records ends that are not recorded yet. Returns the ids of their requests.
fn record(conn: &Connection) -> store::Result<Vec<String>> {
    let mut told = Vec::new();
    for end in requests::untold(conn, BATCH as u64)? {
        requests::told(conn, &end.id)?;
        audit::append(conn, &AuditEntry::new("system", "requests.end", format!("request:{}", end.id), "-"))?;
        told.push(end.id);
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(at: i64, since: i64) -> End {
        End {
            what: Ending::InForce,
            id: "r".into(),
            at: Micros(at * Micros::SECOND),
            since: Micros(since * Micros::SECOND),
        }
    }

    #[test]
    fn nothing_lasts_longer_than_it_was_given_for_whatever_the_clock_says() {
        let now = Micros(1000 * Micros::SECOND);
        assert_eq!(left(&end(1100, 900), now), Duration::from_secs(100));
        assert_eq!(left(&end(900, 800), now), Duration::ZERO);
        // The clock goes back by a day.
        assert_eq!(left(&end(90_000, 89_880), now), Duration::from_secs(120));
        assert_eq!(left(&end(10, 20), Micros(0)), Duration::ZERO);
    }

    #[test]
    fn what_is_known_keeps_its_end_until_that_is_set_anew() {
        let (mut given, clock) = (Ends::default(), Instant::now());
        let now = Micros(1000 * Micros::SECOND);
        given.take(vec![end(1010, 1000)], now, clock);
        // The host's clock goes back: the end stays the same.
        given.take(vec![end(1010, 1000)], Micros(0), clock + Duration::from_secs(5));
        assert!(given.due(clock + Duration::from_secs(9), || None).is_empty());
        assert_eq!(given.due(clock + Duration::from_secs(10), || None).len(), 1);
        given.take(vec![end(1020, 1000)], now, clock + Duration::from_secs(5));
        assert!(given.due(clock + Duration::from_secs(10), || None).is_empty());
    }

    #[test]
    fn a_clock_in_doubt_ends_nothing_and_one_that_is_believed_does() {
        let (mut given, clock) = (Ends::default(), Instant::now());
        // It is long over by the host's clock, but not by the monotonic clock.
        given.take(vec![end(1010, 1000)], Micros(1000 * Micros::SECOND), clock);
        assert!(given.due(clock, || None).is_empty());
        assert_eq!(given.due(clock, || Some(Micros(1010 * Micros::SECOND))).len(), 1);
    }
}
