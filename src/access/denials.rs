//! Frequent audit facts, aggregated so that nobody can wear out the disk with them. The first of a kind is recorded at
//! once; the others of its minute become one more row with their count (DESIGN D15). Such facts are denials, and also
//! exchanges, logins and the like that a principal repeats.
//!
//! A principal that has used up its rows of the hour shares one line a minute for all kinds.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use crate::limits::{AGGREGATES_PER_HOUR, THROTTLE_ENTRIES};
use crate::store::audit::AuditEntry;
use crate::threads::lock;
use crate::time::Micros;

const WINDOW: i64 = 60 * Micros::SECOND;
const HOUR: i64 = 60 * WINDOW;

/// What is counted together: a credential, peer or resource, and an action.
type DenialKind = (String, String);

/// The denials, or repeats, of the running minutes.
#[derive(Debug, Default)]
pub struct Denials(Mutex<DenialCounts>);

#[derive(Debug, Default)]
struct DenialCounts {
    running: HashMap<DenialKind, RunOfDenials>,
    /// By actor: the start of its hour, and how many kinds have begun since.
    begun: HashMap<String, (Micros, u64)>,
}

#[derive(Debug)]
struct RunOfDenials {
    since: Micros,
    last: AuditEntry,
    more: u64,
}

impl DenialCounts {
    fn runs(&self, kind: &DenialKind, now: Micros) -> bool {
        self.running.get(kind).is_some_and(|same| now.0 - same.since.0 < WINDOW)
    }

    /// The kind that this entry counts as: its own, or one line for everything that its actor does too often.
    fn kind(&mut self, key: &str, entry: &AuditEntry) -> DenialKind {
        let own = (key.to_owned(), entry.action.clone());
        if self.runs(&own, entry.at) {
            return own;
        }
        // When too many kinds are counted at once, the rest share one line.
        if self.running.len() >= THROTTLE_ENTRIES && !self.running.contains_key(&own) {
            return ("many".to_owned(), entry.action.clone());
        }
        let fresh = (entry.at, 0);
        if self.begun.len() >= THROTTLE_ENTRIES && !self.begun.contains_key(entry.actor.key()) {
            self.begun.retain(|_, (since, _)| (0..HOUR).contains(&(entry.at.0 - since.0)));
        }
        let begun = self.begun.entry(entry.actor.key().to_owned()).or_insert(fresh);
        if !(0..HOUR).contains(&(entry.at.0 - begun.0.0)) {
            *begun = fresh;
        }
        // Each kind makes two rows: the first, and the rest of its minute.
        if begun.1 >= AGGREGATES_PER_HOUR / 2 {
            return (entry.actor.key().to_owned(), "*".to_owned());
        }
        begun.1 += 1;
        own
    }
}

impl Denials {
    fn lock(&self) -> MutexGuard<'_, DenialCounts> {
        lock(&self.0)
    }

    /// Records a denial of an action; `key` is the credential, or the peer if there is none. Returns the entries to
    /// write now: this one if it is the first of its minute, and the rest of the minute before.
    pub fn note(&self, key: &str, entry: AuditEntry) -> Vec<AuditEntry> {
        let mut state = self.lock();
        let kind = state.kind(key, &entry);
        if state.runs(&kind, entry.at) {
            if let Some(same) = state.running.get_mut(&kind) {
                same.more += 1;
                same.last = entry;
            }
            return Vec::new();
        }
        let first = RunOfDenials { since: entry.at, last: entry.clone(), more: 0 };
        let mut entries: Vec<AuditEntry> = state.running.insert(kind, first).and_then(summary).into_iter().collect();
        entries.push(entry);
        entries
    }

    /// True if a fact of this kind was recorded in the running minute, so that the next one needs no row of its own.
    pub fn is_running(&self, key: &str, action: &str, now: Micros) -> bool {
        self.lock().runs(&(key.to_owned(), action.to_owned()), now)
    }

    /// Counts a fact that is on disk by now: `recorded` if it has a row of its own there. Returns the entry to write
    /// now: the rest of the minute before.
    pub fn settle(&self, key: &str, entry: AuditEntry, recorded: bool) -> Option<AuditEntry> {
        let mut state = self.lock();
        let kind = (key.to_owned(), entry.action.clone());
        if state.runs(&kind, entry.at) {
            // Two facts of the same commit may both have been the first.
            if let (Some(same), false) = (state.running.get_mut(&kind), recorded) {
                same.more += 1;
                same.last = entry;
            }
            return None;
        }
        // A kind for which there is no room gets its own rows.
        if state.running.len() >= THROTTLE_ENTRIES && !state.running.contains_key(&kind) {
            return (!recorded).then_some(entry);
        }
        let more = u64::from(!recorded);
        state.running.insert(kind, RunOfDenials { since: entry.at, last: entry, more }).and_then(summary)
    }

    /// Ends the minutes that are over, or all of them. Returns the rows to write.
    pub fn take(&self, now: Micros, all: bool) -> Vec<AuditEntry> {
        let mut state = self.lock();
        let mut ended = Vec::new();
        state.running.retain(|_, one| {
            let over = all || now.0 - one.since.0 >= WINDOW || now.0 < one.since.0;
            if over {
                ended.extend(summary(RunOfDenials { since: one.since, last: one.last.clone(), more: one.more }));
            }
            !over
        });
        state.begun.retain(|_, (since, _)| (0..HOUR).contains(&(now.0 - since.0)));
        ended
    }
}

fn summary(one: RunOfDenials) -> Option<AuditEntry> {
    (one.more > 0).then_some(AuditEntry { count: one.more, ..one.last })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::audit::AuditOutcome;

    fn note_of(denials: &Denials, key: &str, at: i64) -> Vec<u64> {
        let entry = AuditEntry::new("agent:1", "agents.read", "r", "q")
            .at(Micros(at * Micros::SECOND))
            .ended(AuditOutcome::Denied);
        denials.note(key, entry).iter().map(|entry| entry.count).collect()
    }

    fn note(denials: &Denials, at: i64) -> Vec<u64> {
        note_of(denials, "credential", at)
    }

    #[test]
    fn each_credential_has_minutes_of_its_own() {
        let denials = Denials::default();
        assert_eq!(note_of(&denials, "one", 0), [1]);
        assert_eq!(note_of(&denials, "other", 0), [1]);
        assert_eq!(note_of(&denials, "one", 1), Vec::<u64>::new());
    }

    #[test]
    fn the_first_is_told_at_once_and_the_rest_of_its_minute_as_one() {
        let denials = Denials::default();
        assert_eq!(note(&denials, 0), [1]);
        assert_eq!(note(&denials, 1), Vec::<u64>::new());
        assert_eq!(note(&denials, 59), Vec::<u64>::new());
        assert!(denials.take(Micros(59 * Micros::SECOND), false).is_empty());
        assert_eq!(note(&denials, 61), [2, 1]);
        assert!(denials.take(Micros(200 * Micros::SECOND), false).is_empty());
        assert_eq!(note(&denials, 300), [1]);
    }

    #[test]
    fn nothing_is_lost_at_the_end() {
        let denials = Denials::default();
        note(&denials, 0);
        note(&denials, 1);
        let rows = denials.take(Micros(2), true);
        assert_eq!(rows.iter().map(|row| row.count).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn who_is_denied_everywhere_has_so_many_rows_an_hour_and_then_one_line_a_minute() {
        let denials = Denials::default();
        let mut rows = 0;
        for second in 0..3600 {
            // A hundred kinds in turn, each seen in every minute.
            rows += note_of(&denials, &format!("credential {}", second % 100), second).len();
            rows += denials.take(Micros(second * Micros::SECOND), false).len();
        }
        rows += denials.take(Micros(3600 * Micros::SECOND), true).len();
        assert!(rows as u64 <= AGGREGATES_PER_HOUR + 2 * 61, "{rows}");
        assert_eq!(note_of(&denials, "credential 1", 3700).len(), 1, "the next hour has rows of its own");
    }

    #[test]
    fn a_repeated_fact_is_counted_once_it_is_on_disk() {
        let repeats = Denials::default();
        let settle = |at: i64, recorded| {
            let mut entries = Vec::new();
            let entry = AuditEntry::new("agent:1", "auth.exchange", "r", "q").at(Micros(at * Micros::SECOND));
            entries.extend(repeats.settle("k", entry, recorded));
            entries.iter().map(|entry| entry.count).collect::<Vec<_>>()
        };
        let running = |at: i64| repeats.is_running("k", "auth.exchange", Micros(at * Micros::SECOND));
        assert!(!running(0));
        assert_eq!(settle(0, true), [0; 0]);
        assert!(running(1));
        assert_eq!(settle(1, false), [0; 0]);
        assert_eq!(settle(1, true), [0; 0], "two of one commit were both recorded: none is counted twice");
        assert!(!running(61));
        assert_eq!(settle(61, true), [1]);
    }
}
