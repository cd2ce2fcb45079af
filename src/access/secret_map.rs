//! Values that are held in memory for minutes and found by a secret: login links, codes, login requests. Only the
//! secret's hash is held. A restart forgets everything: the person clicks again.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::secret::SecretHash;
use crate::threads::lock;

/// The limits of a [`SecretMap`].
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// How long a value is held.
    pub life: Duration,
    /// The most values in the map.
    pub most: usize,
    /// The most values of one owner; one more removes its oldest.
    pub of_owner: usize,
}

/// Values by the hash of their secret. The owner is who had the value made: a principal, or a peer without a
/// credential.
#[derive(Debug)]
pub struct SecretMap<T> {
    room: Room,
    all: Mutex<HashMap<SecretHash, SecretEntry<T>>>,
}

#[derive(Debug)]
struct SecretEntry<T> {
    value: T,
    owner: String,
    made: Instant,
}

/// A value that was taken out of its map.
#[derive(Debug)]
pub struct Taken<T> {
    hash: SecretHash,
    entry: SecretEntry<T>,
}

/// The map is full, and no owner has more values than the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl<T: Clone> SecretMap<T> {
    /// An empty map.
    pub fn new(room: Room) -> Self {
        Self { room, all: Mutex::default() }
    }

    /// Adds a value. If there is no room, the owner's oldest value is removed, or the oldest of the owner that has the
    /// most.
    ///
    /// # Errors
    /// [`Full`] if no owner has more values than this one.
    pub fn put(&self, hash: SecretHash, owner: &str, value: T, now: Instant) -> Result<(), Full> {
        let mut all = lock(&self.all);
        all.retain(|_, entry| now.saturating_duration_since(entry.made) < self.room.life);
        let count = |all: &HashMap<_, SecretEntry<T>>, owner: &str| all.values().filter(|e| e.owner == owner).count();
        let own = count(&all, owner);
        if own >= self.room.of_owner {
            end_oldest(&mut all, owner);
        } else if all.len() >= self.room.most {
            let greedy = all.values().map(|e| (count(&all, &e.owner), e.owner.clone())).max();
            match greedy {
                Some((most, whose)) if most > own => end_oldest(&mut all, &whose),
                _ => return Err(Full),
            }
        }
        all.insert(hash, SecretEntry { value, owner: owner.to_owned(), made: now });
        Ok(())
    }

    /// Returns the value and keeps it.
    pub fn look(&self, hash: &SecretHash, now: Instant) -> Option<T> {
        let all = lock(&self.all);
        all.get(hash).filter(|e| now.saturating_duration_since(e.made) < self.room.life).map(|e| e.value.clone())
    }

    /// Returns the value and removes it, so that a second caller gets nothing.
    pub fn take(&self, hash: &SecretHash, now: Instant) -> Option<T> {
        self.take_out(hash, now).map(|taken| taken.entry.value)
    }

    /// Removes the value like [`SecretMap::take`], so that it can be put back.
    pub fn take_out(&self, hash: &SecretHash, now: Instant) -> Option<Taken<T>> {
        let entry = lock(&self.all).remove(hash)?;
        let is_held = now.saturating_duration_since(entry.made) < self.room.life;
        is_held.then_some(Taken { hash: *hash, entry })
    }

    /// Puts a value back that turned out not to be used. It lives no longer than without the detour.
    pub fn put_back(&self, taken: Taken<T>) {
        let mut all = lock(&self.all);
        if all.len() < self.room.most {
            all.insert(taken.hash, taken.entry);
        }
    }

    /// Changes the value in place. Returns the result of `change`; `None` if there is no such value.
    pub fn change<R>(&self, hash: &SecretHash, now: Instant, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut all = lock(&self.all);
        let entry = all.get_mut(hash)?;
        (now.saturating_duration_since(entry.made) < self.room.life).then(|| change(&mut entry.value))
    }

    /// Returns the values that match `like`, each with its hash and the time it has left.
    pub fn list(&self, now: Instant, like: impl Fn(&T) -> bool) -> Vec<(SecretHash, T, Duration)> {
        let all = lock(&self.all);
        let left = |e: &SecretEntry<T>| self.room.life.checked_sub(now.saturating_duration_since(e.made));
        let good = all.iter().filter(|(_, e)| like(&e.value));
        good.filter_map(|(hash, e)| Some((*hash, e.value.clone(), left(e).filter(|l| !l.is_zero())?))).collect()
    }

    /// Removes the values that match `like`.
    pub fn forget(&self, like: impl Fn(&T) -> bool) {
        lock(&self.all).retain(|_, entry| !like(&entry.value));
    }

    /// The number of values held.
    pub fn len(&self) -> usize {
        lock(&self.all).len()
    }

    /// True if no values are held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn end_oldest<T>(all: &mut HashMap<SecretHash, SecretEntry<T>>, owner: &str) {
    let oldest = all.iter().filter(|(_, e)| e.owner == owner).min_by_key(|(_, e)| e.made).map(|(hash, _)| *hash);
    if let Some(hash) = oldest {
        all.remove(&hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(most: usize, of_owner: usize) -> SecretMap<u32> {
        SecretMap::new(Room { life: Duration::from_secs(60), most, of_owner })
    }

    fn hash(of: u32) -> SecretHash {
        SecretHash::of(&of.to_string())
    }

    #[test]
    fn a_value_is_taken_once_and_ends_with_its_time() {
        let (held, now) = (held(8, 8), Instant::now());
        held.put(hash(1), "a", 1, now).unwrap();
        held.put(hash(2), "a", 2, now).unwrap();
        assert_eq!(held.look(&hash(1), now), Some(1));
        assert_eq!((held.take(&hash(1), now), held.take(&hash(1), now)), (Some(1), None));
        let taken = held.take_out(&hash(2), now + Duration::from_secs(59)).unwrap();
        assert_eq!(held.look(&hash(2), now), None);
        held.put_back(taken);
        assert_eq!(held.look(&hash(2), now), Some(2));
        let late = now + Duration::from_secs(60);
        assert_eq!((held.look(&hash(2), late), held.take(&hash(2), late)), (None, None));
    }

    #[test]
    fn who_fills_the_room_loses_its_own_and_others_keep_theirs() {
        let (held, now) = (held(5, 4), Instant::now());
        held.put(hash(100), "quiet", 100, now).unwrap();
        for n in 0..50 {
            held.put(hash(n), "loud", n, now + Duration::from_millis(u64::from(n))).unwrap();
        }
        assert_eq!(held.len(), 5);
        let later = now + Duration::from_secs(1);
        assert_eq!(held.look(&hash(100), later), Some(100));
        // The map is full: the new value replaces one of the owner that has the most.
        held.put(hash(200), "new", 200, later).unwrap();
        assert_eq!((held.len(), held.look(&hash(46), later), held.look(&hash(100), later)), (5, None, Some(100)));
    }

    #[test]
    fn where_all_have_as_much_there_is_no_more() {
        let (held, now) = (held(2, 4), Instant::now());
        held.put(hash(1), "a", 1, now).unwrap();
        held.put(hash(2), "b", 2, now).unwrap();
        assert_eq!(held.put(hash(3), "a", 3, now), Err(Full));
    }
}
