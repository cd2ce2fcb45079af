//! One change at a time to each container.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use crate::containers::{ContainerName, Error, Runtime};

/// The containers that somebody is changing.
#[derive(Default)]
pub(super) struct Locks {
    held: Mutex<HashSet<ContainerName>>,
    released: Condvar,
}

/// The right to change some containers, until it is dropped.
pub(super) struct Guard<'a> {
    locks: &'a Locks,
    names: Vec<ContainerName>,
}

impl Locks {
    /// Waits until nobody else changes any of these. All are taken at once, so two callers never wait for each other.
    pub(super) fn lock(&self, names: &[&ContainerName], deadline: Instant) -> Result<Guard<'_>, Error> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        while names.iter().any(|name| held.contains(name)) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Deadline(Runtime::Lxc));
            }
            held = self.released.wait_timeout(held, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let names: Vec<ContainerName> = names.iter().map(|name| (*name).clone()).collect();
        held.extend(names.iter().cloned());
        Ok(Guard { locks: self, names })
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let mut held = self.locks.held.lock().unwrap_or_else(PoisonError::into_inner);
        for name in &self.names {
            held.remove(name);
        }
        self.locks.released.notify_all();
    }
}
