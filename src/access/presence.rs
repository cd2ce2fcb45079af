//! Which agents were seen lately: in memory only, so that saying "I am alive" writes nothing to the disk.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::threads::lock;
use crate::time::Micros;

/// Seconds for which an agent counts as online after it was seen.
pub const ONLINE: i64 = 120;

/// When agents were last seen in this run of the daemon.
#[derive(Debug, Default)]
pub struct Presence(Mutex<HashMap<String, Micros>>);

impl Presence {
    /// Notes that an agent was seen. Only agents with a live credential are, so the map is as large as the registry.
    pub fn note(&self, agent_id: &str, at: Micros) {
        let mut seen = lock(&self.0);
        match seen.get_mut(agent_id) {
            Some(last) => *last = at,
            None => {
                seen.insert(agent_id.to_owned(), at);
            }
        }
    }

    /// When an agent was last seen.
    pub fn last_seen(&self, agent_id: &str) -> Option<Micros> {
        lock(&self.0).get(agent_id).copied()
    }

    /// True if an agent was seen within [`ONLINE`] seconds.
    pub fn is_online(&self, agent_id: &str, now: Micros) -> bool {
        self.last_seen(agent_id).is_some_and(|at| now.0 - at.0 <= ONLINE * Micros::SECOND)
    }
}
