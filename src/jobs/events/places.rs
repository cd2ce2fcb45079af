//! Limited places: a maximum in total and one for each principal. They are in memory only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::threads::lock;

/// The places of one kind.
#[derive(Debug)]
pub struct Places {
    most: usize,
    each: usize,
    taken: Mutex<HashMap<String, usize>>,
}

/// A taken place, which is given back on drop.
#[derive(Debug)]
pub struct PlaceGuard {
    places: Arc<Places>,
    key: String,
}

impl Places {
    /// `most` places in total and `each` for one principal.
    pub fn new((most, each): (usize, usize)) -> Arc<Self> {
        Arc::new(Self { most, each, taken: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        lock(&self.taken)
    }

    /// Takes a place; `None` if all are taken, or this principal has its share.
    pub fn take(self: &Arc<Self>, key: &str) -> Option<PlaceGuard> {
        let mut taken = self.lock();
        let own = taken.get(key).copied().unwrap_or(0);
        if own >= self.each || taken.values().sum::<usize>() >= self.most {
            return None;
        }
        taken.insert(key.to_owned(), own + 1);
        Some(PlaceGuard { places: Arc::clone(self), key: key.to_owned() })
    }

    /// The number of taken places.
    pub fn count(&self) -> usize {
        self.lock().values().sum()
    }
}

impl Drop for PlaceGuard {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        match taken.get_mut(&self.key) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_run_out_for_one_and_for_all_and_come_back() {
        let places = Places::new((3, 2));
        let a = (places.take("a"), places.take("a"));
        assert!(places.take("a").is_none());
        let b = places.take("b");
        assert!(b.is_some() && places.take("b").is_none() && places.count() == 3);
        drop(a);
        assert!(places.take("b").is_some());
        drop(b);
        assert_eq!(places.count(), 0);
    }
}
