//! Joins that wait for a decision, in memory for ten minutes: who has no credential can make the box store nothing. A
//! restart forgets them, and the caller begins again.

use std::time::{Duration, Instant};

use crate::access::Throttle;
use crate::access::secret_map::{Full, Room, SecretMap};
use crate::limits::{JOIN_INTERVAL, JOIN_LIFE, JOINS_PENDING, JOINS_PER_MINUTE, JOINS_TOLD_PER_HOUR};
use crate::secret::SecretHash;
use crate::time::Micros;

/// A join that nobody has decided.
#[derive(Debug, Clone)]
pub struct WaitingJoin {
    /// The id.
    pub id: String,
    /// The code that both sides see.
    pub code: String,
    /// What the agent is to be called.
    pub name: String,
    /// What its caller says of itself.
    pub description: Option<String>,
    /// Where its caller says that it is.
    pub origin_hint: Option<String>,
    /// Why.
    pub reason: String,
    /// Where it comes from.
    pub peer: String,
    /// When it was asked.
    pub created_at: Micros,
    /// Until when it can be decided, and its key fetched.
    pub expires_at: Micros,
    /// When its caller may ask again, and how far apart its questions have to be.
    next: Instant,
    pause: Duration,
}

/// How a caller asks whether it was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollPace {
    /// In time.
    InTime,
    /// Too soon: from now on it has to wait longer.
    TooSoon,
}

/// What waits, and how much of it may come.
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
    /// A join that begins now.
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

    /// True if a text names it: the id, or the code in whatever way people write it.
    pub fn is(&self, text: &str) -> bool {
        self.id.eq_ignore_ascii_case(text) || plain_code(text) == plain_code(&self.code)
    }
}

fn plain_code(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '-' | ' ')).map(|c| c.to_ascii_uppercase()).collect()
}

impl Joins {
    /// Holds a join of this peer, whose oldest keep their place.
    ///
    /// # Errors
    /// The seconds after which the peer may try again.
    pub fn put(&self, device: SecretHash, peer: &str, join: WaitingJoin, now: Instant) -> Result<(), u64> {
        self.peers.take(peer, now)?;
        // A new one never takes the place of one of the same peer: many may stand behind one address.
        let own = self.waiting.list(now, |one| one.peer == join.peer);
        if own.len() >= JOINS_PENDING.1 {
            return Err(own.iter().map(|(.., left)| left.as_secs() + 1).min().unwrap_or(1));
        }
        self.waiting.put(device, peer, join, now).map_err(|Full| JOIN_LIFE.as_secs())
    }

    /// Whether people are to be notified of one more.
    pub fn may_tell(&self, now: Instant) -> bool {
        self.told.take("box", now).is_ok()
    }

    /// The join that a text names, with the hash of its device code.
    pub fn named(&self, text: &str, now: Instant) -> Option<(SecretHash, WaitingJoin)> {
        self.waiting.list(now, |one| one.is(text)).into_iter().next().map(|(hash, one, _)| (hash, one))
    }

    /// All that wait, newest first.
    pub fn all(&self, now: Instant) -> Vec<WaitingJoin> {
        let mut all: Vec<_> = self.waiting.list(now, |_| true).into_iter().map(|(_, one, _)| one).collect();
        all.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        all
    }

    /// Notes that the caller of a join asks; `None` if there is no such join.
    pub fn asked(&self, device: &SecretHash, now: Instant) -> Option<PollPace> {
        self.waiting.change(device, now, |one| {
            let too_soon = now < one.next;
            if too_soon {
                one.pause += Duration::from_secs(JOIN_INTERVAL);
            }
            // A poll that comes a little early on a busy machine is none.
            one.next = now + one.pause.saturating_sub(Duration::from_millis(500));
            if too_soon { PollPace::TooSoon } else { PollPace::InTime }
        })
    }

    /// Forgets a join that was decided.
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
            // Past the throttle of a minute, within the ten minutes.
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
