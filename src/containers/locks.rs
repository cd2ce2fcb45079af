//! One change at a time to each container: LXD fails an update that comes in during another one, and classic LXC's
//! files have no lock of their own.

use std::collections::HashSet;
use std::time::Instant;

use super::{ContainerName, Error, Runtime};
use crate::threads::Monitor;

/// The containers that a thread is changing now.
#[derive(Debug)]
pub(super) struct Locks {
    runtime: Runtime,
    held: Monitor<HashSet<ContainerName>>,
}

/// The right to change some containers, until it is dropped.
pub(super) struct LocksGuard<'a> {
    locks: &'a Locks,
    names: Vec<ContainerName>,
}

impl Locks {
    pub(super) fn new(runtime: Runtime) -> Self {
        Self { runtime, held: Monitor::default() }
    }

    /// Waits until no other thread changes any of these containers. All are locked at once, so there is no deadlock.
    pub(super) fn lock(&self, names: &[&ContainerName], deadline: Instant) -> Result<LocksGuard<'_>, Error> {
        let mut held = self.held.lock();
        while names.iter().any(|name| held.contains(name)) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Deadline(self.runtime));
            }
            held = self.held.wait_timeout(held, left);
        }
        let names: Vec<ContainerName> = names.iter().map(|name| (*name).clone()).collect();
        held.extend(names.iter().cloned());
        Ok(LocksGuard { locks: self, names })
    }
}

impl Drop for LocksGuard<'_> {
    fn drop(&mut self) {
        let mut held = self.locks.held.lock();
        for name in &self.names {
            held.remove(name);
        }
        self.locks.held.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_name_that_is_held_is_waited_for_until_the_deadline() {
        let locks = Locks::new(Runtime::Lxd);
        let [one, two] = ["one", "two"].map(|name| ContainerName::parse(name).unwrap());
        let soon = || Instant::now() + Duration::from_millis(30);
        let held = locks.lock(&[&one], soon()).unwrap();
        assert!(locks.lock(&[&two], soon()).is_ok());
        assert_eq!(locks.lock(&[&one, &two], soon()).err(), Some(Error::Deadline(Runtime::Lxd)));
        drop(held);
        assert!(locks.lock(&[&one, &two], soon()).is_ok());
    }
}
