//! Limits how many workers one principal may use at once, so that others are always served.
//!
//! A principal uses at most half of the workers, and more than one only while another worker stays free: the last one
//! is for principals that use none. A request that waits for a place uses no worker and blocks no other principal.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::threads::lock;

use tokio::sync::oneshot;

/// The places of all principals.
#[derive(Debug)]
pub struct WorkerShares {
    workers: usize,
    keys: RandomState,
    places: Mutex<WorkerPlaces>,
}

#[derive(Debug, Default)]
struct WorkerPlaces {
    /// The number of places of each principal; principals without a place are not in the map.
    held: HashMap<u64, usize>,
    total: usize,
    waiting: VecDeque<(u64, Waiter)>,
}

/// A request that waits for a place.
enum Waiter {
    /// The receiver gets the place.
    Told(oneshot::Sender<WorkerPlace>),
    /// The work is queued with its place. The sender is closed when nobody wants it any more.
    Queued(oneshot::Sender<()>, QueueWork),
}

/// Queues work with its place. Must be quick; from any thread.
pub type QueueWork = Box<dyn FnOnce(WorkerPlace) + Send>;

impl Waiter {
    fn is_gone(&self) -> bool {
        match self {
            Self::Told(give) => give.is_closed(),
            Self::Queued(wanted, _) => wanted.is_closed(),
        }
    }

    fn give(self, place: WorkerPlace) {
        match self {
            Self::Told(give) => drop(give.send(place)),
            Self::Queued(_, queue) => queue(place),
        }
    }
}

impl std::fmt::Debug for Waiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiter")
    }
}

/// A place on the pool, released on drop.
#[derive(Debug)]
pub struct WorkerPlace {
    shares: Arc<WorkerShares>,
    principal: u64,
}

impl WorkerShares {
    /// The number for a principal, or for a peer without one.
    pub fn key(&self, name: &str) -> u64 {
        self.keys.hash_one(name)
    }

    /// The shares of a pool with this number of workers.
    pub fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self { workers, keys: RandomState::new(), places: Mutex::default() })
    }

    /// Takes a place; `None` if the principal may not have one now.
    pub fn enter(self: &Arc<Self>, principal: u64) -> Option<WorkerPlace> {
        let mut places = self.places();
        places.take(principal, self.workers).then(|| self.place(principal))
    }

    /// Takes a place, or waits for one. Dropping the receiver ends the wait.
    ///
    /// # Errors
    /// The receiver of a later place, if the principal may not have one now.
    pub fn enter_or_wait(self: &Arc<Self>, principal: u64) -> Result<WorkerPlace, oneshot::Receiver<WorkerPlace>> {
        let mut places = self.places();
        if places.take(principal, self.workers) {
            return Ok(self.place(principal));
        }
        let (give, wait) = oneshot::channel();
        places.waiting.push_back((principal, Waiter::Told(give)));
        Err(wait)
    }

    /// Queues work as soon as the principal may have a place, directly on the thread that releases one, without waking
    /// another thread. Keep the returned receiver as long as the work is wanted.
    pub fn enter_later(self: &Arc<Self>, principal: u64, queue: QueueWork) -> oneshot::Receiver<()> {
        let (wanted, keep) = oneshot::channel();
        let mut places = self.places();
        if places.take(principal, self.workers) {
            drop(places);
            queue(self.place(principal));
        } else {
            places.waiting.push_back((principal, Waiter::Queued(wanted, queue)));
        }
        keep
    }

    fn place(self: &Arc<Self>, principal: u64) -> WorkerPlace {
        WorkerPlace { shares: Arc::clone(self), principal }
    }

    /// No code that can panic runs under this lock.
    fn places(&self) -> MutexGuard<'_, WorkerPlaces> {
        lock(&self.places)
    }
}

impl WorkerPlaces {
    /// Takes a place, if the principal may have one. Returns whether it did.
    fn take(&mut self, principal: u64, workers: usize) -> bool {
        let may = self.may(principal, workers);
        if may {
            *self.held.entry(principal).or_insert(0) += 1;
            self.total += 1;
        }
        may
    }

    fn may(&self, principal: u64, workers: usize) -> bool {
        match self.held.get(&principal) {
            None => true,
            Some(held) => *held < workers / 2 && self.total + 1 < workers,
        }
    }

    fn give_back(&mut self, principal: u64) {
        self.total -= 1;
        if let Some(held) = self.held.get_mut(&principal) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&principal);
            }
        }
    }

    /// Takes a place for the first waiter that may have one now, and removes it from the queue.
    fn next(&mut self, workers: usize) -> Option<(u64, Waiter)> {
        self.waiting.retain(|(_, waiter)| !waiter.is_gone());
        let at = self.waiting.iter().position(|(principal, _)| self.may(*principal, workers))?;
        let next = self.waiting.remove(at)?;
        self.take(next.0, workers);
        Some(next)
    }
}

impl Drop for WorkerPlace {
    fn drop(&mut self) {
        let mut places = self.shares.places();
        places.give_back(self.principal);
        while let Some((principal, waiter)) = places.next(self.shares.workers) {
            // The lock is released first: a place that nobody takes comes back to this function.
            drop(places);
            waiter.give(self.shares.place(principal));
            places = self.shares.places();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_holds_half_and_the_last_worker_is_for_those_who_hold_none() {
        let shares = WorkerShares::new(4);
        let (one, two) = (shares.enter(1).unwrap(), shares.enter(1).unwrap());
        assert!(shares.enter(1).is_none(), "half of four");
        let other = shares.enter(2).unwrap();
        assert!(shares.enter(2).is_none(), "one worker is left");
        assert!(shares.enter(3).is_some(), "who holds none always gets one");
        drop((one, two));
        assert!(shares.enter(2).is_some());
        drop(other);
        assert_eq!(shares.places().total, 0);
        assert!(shares.places().held.is_empty());
    }

    #[test]
    fn one_worker_serves_each_principal_in_turn() {
        let shares = WorkerShares::new(1);
        let held = shares.enter(1).unwrap();
        assert!(shares.enter(1).is_none());
        assert!(shares.enter(2).is_some());
        drop(held);
        assert!(shares.enter(1).is_some());
    }

    #[test]
    fn a_place_goes_to_the_first_who_still_waits_and_may_have_it() {
        let shares = WorkerShares::new(4);
        let held = [shares.enter(1).unwrap(), shares.enter(1).unwrap()];
        let (gone, mut second, mut third) = (
            shares.enter_or_wait(1).unwrap_err(),
            shares.enter_or_wait(1).unwrap_err(),
            shares.enter_or_wait(1).unwrap_err(),
        );
        drop(gone);
        let [first, _still] = held;
        drop(first);
        let place = second.try_recv().unwrap();
        assert!(third.try_recv().is_err());
        drop(place);
        assert!(third.try_recv().is_ok());
    }

    #[test]
    fn work_is_queued_by_who_gives_a_place_back_while_it_is_wanted() {
        let shares = WorkerShares::new(2);
        let (told, queued) = std::sync::mpsc::channel();
        let work = |number: u32| -> QueueWork {
            let told = told.clone();
            Box::new(move |place| told.send((number, place)).unwrap())
        };
        let _first = shares.enter_later(1, work(1));
        let (_, place) = queued.try_recv().unwrap();
        let (gone, _third) = (shares.enter_later(1, work(2)), shares.enter_later(1, work(3)));
        drop(gone);
        assert!(queued.try_recv().is_err());
        drop(place);
        assert_eq!(queued.try_recv().unwrap().0, 3);
        assert!(queued.try_recv().is_err());
    }

    #[test]
    fn a_place_that_nobody_takes_goes_on() {
        let shares = WorkerShares::new(2);
        let held = shares.enter(1).unwrap();
        let waits: Vec<_> = (0..1000).map(|_| shares.enter_or_wait(1).unwrap_err()).collect();
        drop(waits);
        drop(held);
        assert_eq!(shares.places().total, 0);
    }
}
