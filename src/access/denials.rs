//! Denials for the audit, aggregated so that nobody can wear out the disk with them: the first of a kind is recorded
//! at once, the others of its minute become one more row with their count (DESIGN D15).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::limits::THROTTLE_ENTRIES;
use crate::store::audit::Entry;
use crate::time::Micros;

const WINDOW: i64 = 60 * Micros::SECOND;

/// The denials of the running minutes.
#[derive(Debug, Default)]
pub struct Denials(Mutex<HashMap<(String, String), Running>>);

#[derive(Debug)]
struct Running {
    since: Micros,
    last: Entry,
    more: u64,
}

impl Denials {
    /// Notes a denial at an action of what `key` names: a credential, or a peer that has none. The entries to record
    /// now: itself if it is the first of its minute, and the rest of the minute before.
    pub fn note(&self, key: &str, entry: Entry) -> Vec<Entry> {
        let now = entry.at;
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (key.to_owned(), entry.action.clone());
        if let Some(same) = running.get_mut(&key)
            && now.0 - same.since.0 < WINDOW
        {
            same.more += 1;
            same.last = entry;
            return Vec::new();
        }
        // When too many are watched at once, the rest share one line.
        let key = if running.len() >= THROTTLE_ENTRIES { ("many".to_owned(), entry.action.clone()) } else { key };
        let first = Running { since: now, last: entry.clone(), more: 0 };
        let mut entries: Vec<Entry> = running.insert(key, first).and_then(summary).into_iter().collect();
        entries.push(entry);
        entries
    }

    /// Ends the minutes that are over, or all of them: the rows to record.
    pub fn take(&self, now: Micros, all: bool) -> Vec<Entry> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ended = Vec::new();
        running.retain(|_, one| {
            let over = all || now.0 - one.since.0 >= WINDOW || now.0 < one.since.0;
            if over {
                ended.extend(summary(Running { since: one.since, last: one.last.clone(), more: one.more }));
            }
            !over
        });
        ended
    }
}

fn summary(one: Running) -> Option<Entry> {
    (one.more > 0).then_some(Entry { count: one.more, ..one.last })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::audit::Outcome;

    fn note_of(denials: &Denials, key: &str, at: i64) -> Vec<u64> {
        let entry = Entry {
            at: Micros(at * Micros::SECOND),
            actor: "agent:1".into(),
            action: "agents.read".into(),
            resource: "r".into(),
            outcome: Outcome::Denied,
            count: 1,
            request_id: "q".into(),
        };
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
}
