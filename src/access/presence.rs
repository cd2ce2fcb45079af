//! Which agents were seen lately: in memory only, so that saying "I am alive" writes nothing to the disk.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::threads::lock;
use crate::time::Micros;

/// Seconds for which an agent counts as online after it was seen.
pub const ONLINE: i64 = 120;

/// A sighting within this of the one before says nothing new.
const GRAIN: i64 = Micros::SECOND;

/// When agents were last seen in this run of the daemon, to the second.
#[derive(Debug, Default)]
pub struct Presence {
    seen: Mutex<HashMap<String, Micros>>,
    version: AtomicU64,
}

impl Presence {
    /// Notes that an agent was seen. Only agents with a live credential are, so the map is as large as the registry.
    pub fn note(&self, agent_id: &str, at: Micros) {
        let mut seen = lock(&self.seen);
        match seen.get_mut(agent_id) {
            Some(last) if (0..GRAIN).contains(&(at.0 - last.0)) => return,
            Some(last) => *last = at,
            None => {
                seen.insert(agent_id.to_owned(), at);
            }
        }
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Grows with every sighting that says something new. What is read after this call is at least this new.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// When an agent was last seen.
    pub fn last_seen(&self, agent_id: &str) -> Option<Micros> {
        lock(&self.seen).get(agent_id).copied()
    }

    /// True if an agent was seen within [`ONLINE`] seconds.
    pub fn is_online(&self, agent_id: &str, now: Micros) -> bool {
        self.last_seen(agent_id).is_some_and(|at| now.0 - at.0 <= ONLINE * Micros::SECOND)
    }
}
