//! Joins that wait for a decision. They stay in memory for ten minutes, so a caller without a credential cannot make
//! the box store anything. A restart forgets them, and the caller must begin again.

use std::time::{Duration, Instant};

use crate::access::Throttle;
use crate::access::secret_map::{Full, Room, SecretMap};
use crate::limits::{JOIN_INTERVAL, JOIN_LIFE, JOINS_PENDING, JOINS_PER_MINUTE, JOINS_TOLD_PER_HOUR};
use crate::secret::SecretHash;
use crate::time::Micros;

/// A join that waits for a decision.
#[derive(Debug, Clone)]
pub struct WaitingJoin {
    /// The id of the join.
    pub id: String,
    /// The code that the caller and the deciding person both see.
    pub code: String,
    /// The requested name of the agent.
    pub name: String,
    /// The caller's description of itself.
    pub description: Option<String>,
    /// The caller's own hint about where it runs.
    pub origin_hint: Option<String>,
    /// The caller's reason.
    pub reason: String,
    /// The peer that the request came from.
    pub peer: String,
    /// The time of the request.
    pub created_at: Micros,
    /// The time until which it can be decided and its key fetched.
    pub expires_at: Micros,
    /// The earliest time of the next poll, and the minimum pause between polls.
    next: Instant,
    pause: Duration,
}

/// Whether a caller's poll came in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollPace {
    /// The poll came in time.
    InTime,
    /// The poll came too soon: from now on the caller has to wait longer.
    TooSoon,
}

/// The waiting joins, and the throttles for new ones.
#[derive(Debug)]
pub struct Joins {
    waiting: SecretMap<WaitingJoin>,
    peers: Throttle,
    told: Throttle,
}

impl Default for Joins {
    fn default() -> Self {
        let (most, of_owner) = JOINS_PENDING;
        Self {
            waiting: SecretMap::new(Room { life: JOIN_LIFE, most, of_owner }),
            peers: Throttle::new(JOINS_PER_MINUTE),
            told: Throttle::hourly(JOINS_TOLD_PER_HOUR),
        }
    }
}

impl WaitingJoin {
    /// Creates a join that starts now.
    pub fn new(id: String, code: String, name: String, reason: String, peer: String, now: Micros) -> Self {
        let life = i64::try_from(JOIN_LIFE.as_micros()).unwrap_or(0);
        Self {
            id,
            code,
            name,
            description: None,
            origin_hint: None,
            reason,
            peer,
            created_at: now,
            expires_at: now.plus(life),
            next: Instant::now(),
            pause: Duration::from_secs(JOIN_INTERVAL),
        }
    }

    /// True if the text is the id or the code of this join, in upper or lower case. Spaces and hyphens in a code do not
    /// matter.
    pub fn is(&self, text: &str) -> bool {
        self.id.eq_ignore_ascii_case(text) || plain_code(text) == plain_code(&self.code)
    }
}

fn plain_code(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '-' | ' ')).map(|c| c.to_ascii_uppercase()).collect()
}

impl Joins {
    /// Adds a join of this peer. It never replaces an older join of the same peer.
    ///
    /// # Errors
    /// The seconds after which the peer may try again.
    pub fn put(&self, device: SecretHash, peer: &str, join: WaitingJoin, now: Instant) -> Result<(), u64> {
        self.peers.take(peer, now)?;
        // Older joins stay because many clients may share one address.
        let own = self.waiting.list(now, |one| one.peer == join.peer);
        if own.len() >= JOINS_PENDING.1 {
            return Err(own.iter().map(|(.., left)| left.as_secs() + 1).min().unwrap_or(1));
        }
        self.waiting.put(device, peer, join, now).map_err(|Full| JOIN_LIFE.as_secs())
    }

    /// True if people may be notified of one more join; counts it.
    pub fn may_tell(&self, now: Instant) -> bool {
        self.told.take("box", now).is_ok()
    }

    /// Returns the join that a text names, with the hash of its device code.
    pub fn named(&self, text: &str, now: Instant) -> Option<(SecretHash, WaitingJoin)> {
        self.waiting.list(now, |one| one.is(text)).into_iter().next().map(|(hash, one, _)| (hash, one))
    }

    /// Returns all waiting joins, newest first.
    pub fn all(&self, now: Instant) -> Vec<WaitingJoin> {
        let mut all: Vec<_> = self.waiting.list(now, |_| true).into_iter().map(|(_, one, _)| one).collect();
        all.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        all
    }

    /// Records a poll by a join's caller; `None` if there is no such join.
    pub fn asked(&self, device: &SecretHash, now: Instant) -> Option<PollPace> {
        self.waiting.change(device, now, |one| {
            let too_soon = now < one.next;
            if too_soon {
                one.pause += Duration::from_secs(JOIN_INTERVAL);
            }
            // On a busy machine a poll may come up to 500 ms early.
            one.next = now + one.pause.saturating_sub(Duration::from_millis(500));
            if too_soon { PollPace::TooSoon } else { PollPace::InTime }
        })
    }

    /// Deletes a join that was decided.
    pub fn forget(&self, id: &str) {
        self.waiting.forget(|one| one.id == id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(n: u32, peer: &str) -> WaitingJoin {
        let code = format!("BBBB-{n:04}");
        WaitingJoin::new(n.to_string(), code, "atlas".into(), "r".into(), peer.into(), Micros(i64::from(n)))
    }

    fn hash(n: u32) -> SecretHash {
        SecretHash::of(&n.to_string())
    }

    #[test]
    fn a_flood_of_one_peer_leaves_what_waits_and_others_their_room() {
        let (joins, start) = (Joins::default(), Instant::now());
        joins.put(hash(0), "quiet", join(0, "quiet"), start).unwrap();
        let mut taken = 0;
        for n in 1..200 {
            // One join a second: past the throttle per minute, but within the ten minutes.
            let now = start + Duration::from_secs(u64::from(n));
            taken += u32::from(joins.put(hash(n), "loud", join(n, "loud"), now).is_ok());
        }
        assert_eq!(taken, 5, "the first five, and nothing after them");
        let now = start + Duration::from_secs(200);
        assert!(joins.named("bbbb 0000", now).is_some() && joins.named("1", now).is_some());
        assert_eq!(joins.all(now).len(), 6);
        assert!(joins.all(start + Duration::from_secs(900)).is_empty());
    }

    #[test]
    fn who_asks_too_often_waits_longer() {
        let (joins, start) = (Joins::default(), Instant::now());
        joins.put(hash(1), "a", join(1, "a"), start).unwrap();
        let at = |seconds| joins.asked(&hash(1), start + Duration::from_secs(seconds));
        assert_eq!(at(1), Some(PollPace::InTime));
        assert_eq!(at(2), Some(PollPace::TooSoon));
        assert_eq!(at(7), Some(PollPace::TooSoon), "ten seconds now");
        assert_eq!(at(30), Some(PollPace::InTime));
        assert_eq!(joins.asked(&hash(2), start), None);
        assert_eq!(at(700), None);
    }
}
