//! Places for calls into containers' file systems. A file system may be a program of the container, so any call may
//! hang. The number of those that hang is bounded, and one container has only a few of the places.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use crate::containers::{ContainerName, Error};
use crate::threads::Monitor;

/// The most calls into all containers that may hang at once.
const MAX: usize = 16;
/// The most calls into one container that may hang at once. More of them wait.
const MAX_EACH: usize = 2;

/// The number of calls in each container.
#[derive(Default)]
pub(super) struct CallPlaces(Arc<Monitor<HashMap<ContainerName, usize>>>);

/// The place of one call, until it is dropped.
pub(super) struct CallPlace {
    taken: Arc<Monitor<HashMap<ContainerName, usize>>>,
    name: ContainerName,
}

impl CallPlaces {
    /// Takes a place. Waits until the deadline if this container has all of its own.
    pub(super) fn take(&self, name: &ContainerName, deadline: Instant) -> Result<CallPlace, Error> {
        let mut taken = self.0.lock();
        while taken.get(name).is_some_and(|calls| *calls >= MAX_EACH) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::failed("the container's file system hangs"));
            }
            taken = self.0.wait_timeout(taken, left);
        }
        if taken.values().sum::<usize>() >= MAX {
            return Err(Error::failed("too many containers' file systems hang"));
        }
        *taken.entry(name.clone()).or_default() += 1;
        Ok(CallPlace { taken: Arc::clone(&self.0), name: name.clone() })
    }
}

impl Drop for CallPlace {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        if let Some(calls) = taken.get_mut(&self.name) {
            *calls -= 1;
            if *calls == 0 {
                taken.remove(&self.name);
            }
        }
        self.taken.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn soon(ms: u64) -> Instant {
        Instant::now() + Duration::from_millis(ms)
    }

    fn named(nth: usize) -> ContainerName {
        ContainerName::parse(&format!("c{nth}")).unwrap()
    }

    /// Takes places for calls into one container until there are no more.
    fn all_of(places: &CallPlaces, nth: usize) -> Vec<CallPlace> {
        (0..=MAX).map_while(|_| places.take(&named(nth), soon(20)).ok()).collect()
    }

    #[test]
    fn a_container_whose_calls_hang_leaves_places_for_the_others() {
        let places = CallPlaces::default();
        let hanging = all_of(&places, 0);
        assert!(places.take(&named(1), soon(20)).is_ok());
        let others: Vec<CallPlace> = (1..=MAX).flat_map(|nth| all_of(&places, nth)).collect();
        assert_eq!(hanging.len() + others.len(), MAX, "all together are bounded too");
        drop(hanging);
        assert!(places.take(&named(99), soon(20)).is_ok());
        drop(others);
        assert!(places.0.lock().is_empty());
    }

    #[test]
    fn a_call_waits_for_a_place_of_its_container() {
        let places = CallPlaces::default();
        let held: Vec<CallPlace> = (0..MAX_EACH).map(|_| places.take(&named(0), soon(20)).unwrap()).collect();
        let freed = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            drop(held);
        });
        assert!(places.take(&named(0), soon(10_000)).is_ok());
        freed.join().unwrap();
    }
}
