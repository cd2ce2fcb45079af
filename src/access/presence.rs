//! Which agents were seen lately: in memory only, so that saying "I am alive" writes nothing to the disk.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::threads::lock;
use crate::time::Micros;

/// Seconds for which an agent counts as online after it was last seen.
pub const ONLINE: i64 = 120;

/// Microseconds after a sighting in which the next one is not a new version.
const GRAIN: i64 = Micros::SECOND;

/// Up to this many agents are kept without a check whether they still exist.
const FEW: usize = 1024;

/// [`HOURS`] as an `i64`.
const DAY: i64 = HOURS as i64;

/// Microseconds of an hour.
const HOUR: i64 = 3_600 * Micros::SECOND;

/// The number of past hours whose calls are counted.
pub const HOURS: usize = 24;

/// When agents were last seen in this run of the daemon, to the second, and how often in each of the last hours.
#[derive(Debug, Default)]
pub struct Presence {
    seen: Mutex<SeenAgents>,
    version: AtomicU64,
}

#[derive(Debug, Default)]
struct SeenAgents {
    by_id: HashMap<String, AgentActivity>,
    /// How many agents were left after the last check for purged ones.
    kept: usize,
}

/// The activity of one agent.
#[derive(Debug, Clone, Copy)]
struct AgentActivity {
    last: Micros,
    /// The newest hour in which it called.
    newest: i64,
    /// The calls in that hour and in those before it, each at the index of its hour modulo [`HOURS`].
    calls: [u32; HOURS],
}

impl AgentActivity {
    fn hour(at: Micros) -> i64 {
        at.0.div_euclid(HOUR)
    }

    fn place(hour: i64) -> usize {
        usize::try_from(hour.rem_euclid(DAY)).unwrap_or(0)
    }

    /// Counts a call. After the clock went back, the call counts in the earlier hour if that hour is still kept.
    fn count(&mut self, at: Micros) {
        let hour = Self::hour(at);
        for passed in (self.newest + 1..=hour).rev().take(HOURS) {
            self.calls[Self::place(passed)] = 0;
        }
        self.newest = self.newest.max(hour);
        if self.newest - hour < DAY {
            let calls = &mut self.calls[Self::place(hour)];
            *calls = calls.saturating_add(1);
        }
    }

    /// The calls of each of the last hours, the oldest first, the running one last.
    fn hours(&self, now: Micros) -> [u32; HOURS] {
        let mut wanted = Self::hour(now) - DAY;
        std::array::from_fn(|_| {
            wanted += 1;
            let kept = (0..DAY).contains(&(self.newest - wanted));
            if kept { self.calls[Self::place(wanted)] } else { 0 }
        })
    }
}

impl Presence {
    /// Records that an agent was seen. Only agents with a live credential are recorded; purged ones are
    /// [forgotten](Presence::forget).
    pub fn note(&self, agent_id: &str, at: Micros) {
        let mut seen = lock(&self.seen);
        match seen.by_id.get_mut(agent_id) {
            Some(known) => {
                known.count(at);
                if (0..GRAIN).contains(&(at.0 - known.last.0)) {
                    return;
                }
                known.last = at;
            }
            None => {
                let mut first = AgentActivity { last: at, newest: AgentActivity::hour(at), calls: [0; HOURS] };
                first.count(at);
                seen.by_id.insert(agent_id.to_owned(), first);
            }
        }
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Returns a number that grows with every sighting that changes something. Data read after this call is at least
    /// this new.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Returns when an agent was last seen.
    pub fn last_seen(&self, agent_id: &str) -> Option<Micros> {
        lock(&self.seen).by_id.get(agent_id).map(|seen| seen.last)
    }

    /// Returns an agent's calls in each of the last hours of this run, the oldest first, the running one last.
    pub fn calls(&self, agent_id: &str, now: Micros) -> [u32; HOURS] {
        lock(&self.seen).by_id.get(agent_id).map_or([0; HOURS], |seen| seen.hours(now))
    }

    /// Returns the ids of all agents seen, if there are twice as many as after the last check: some of them may be
    /// purged.
    pub fn crowd(&self) -> Option<Vec<String>> {
        let seen = lock(&self.seen);
        (seen.by_id.len() >= (seen.kept * 2).max(FEW)).then(|| seen.by_id.keys().cloned().collect())
    }

    /// Forgets the agents in `gone`, and remembers that the others were checked. Ids are never used twice.
    pub fn forget(&self, gone: &[String]) {
        let mut seen = lock(&self.seen);
        for agent_id in gone {
            seen.by_id.remove(agent_id);
        }
        seen.by_id.shrink_to(FEW);
        seen.kept = seen.by_id.len();
    }

    /// True if an agent was seen within the last [`ONLINE`] seconds.
    pub fn is_online(&self, agent_id: &str, now: Micros) -> bool {
        self.last_seen(agent_id).is_some_and(|at| now.0 - at.0 <= ONLINE * Micros::SECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 500_000 * HOUR;

    fn hours(calls: &[i64], now: i64) -> Vec<u32> {
        let presence = Presence::default();
        calls.iter().for_each(|at| presence.note("a", Micros(START + at)));
        presence.calls("a", Micros(START + now)).to_vec()
    }

    #[test]
    fn agents_that_are_gone_are_looked_for_whenever_twice_as_many_were_seen() {
        let presence = Presence::default();
        let mut looks = 0;
        for n in 0..100_000 {
            presence.note(&format!("a{n}"), Micros(START));
            if let Some(crowd) = presence.crowd() {
                assert!(crowd.len() <= 2 * FEW + 20, "{}", crowd.len());
                // Every hundredth of them still exists.
                let gone: Vec<String> = crowd.into_iter().filter(|id| !id.ends_with("00")).collect();
                presence.forget(&gone);
                looks += 1;
            }
        }
        assert!(looks < 200, "{looks}");
        assert_eq!(presence.last_seen("a100"), Some(Micros(START)));
        assert_eq!(presence.last_seen("a101"), None);
    }

    #[test]
    fn calls_stand_in_their_hour_and_are_gone_after_a_day() {
        let last = |list: Vec<u32>, count: usize| list[HOURS - count..].to_vec();
        assert_eq!(last(hours(&[0, 1, 2], 3), 2), [0, 3]);
        assert_eq!(last(hours(&[0, HOUR, HOUR + 1, 3 * HOUR], 3 * HOUR), 4), [1, 2, 0, 1]);
        let old = hours(&[0, 5 * HOUR], 23 * HOUR);
        assert_eq!((old[0], old[5], old.iter().sum::<u32>()), (1, 1, 2));
        assert_eq!(hours(&[0, 5 * HOUR], 24 * HOUR).iter().sum::<u32>(), 1);
        assert_eq!(hours(&[0, 5 * HOUR], 500 * HOUR).iter().sum::<u32>(), 0);
        // After a day without calls, no old calls are left in the reused places.
        assert_eq!(hours(&[0, 0, 24 * HOUR], 24 * HOUR).iter().sum::<u32>(), 1);
        assert_eq!(hours(&[0, 0, 30 * HOUR], 30 * HOUR).iter().sum::<u32>(), 1);
        // The clock goes back.
        assert_eq!(hours(&[10 * HOUR, 9 * HOUR], 10 * HOUR)[22..], [1, 1]);
        assert_eq!(Presence::default().calls("a", Micros(START)), [0; HOURS]);
    }
}
