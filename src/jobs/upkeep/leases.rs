//! Ends leases: one thread ends each lease when its time is up by the monotonic clock, so that a jump of the host's
//! clock neither ends nor lengthens one (DESIGN D20). After a restart each lease has the time that it had left, and
//! never more than its original length.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::jobs::events::notifier::{Notice, Notifier};
use crate::store::notifications::Level;
use crate::store::tasks::{self, BLOCKED, Lease, Task};
use crate::store::{self, Store};
use crate::threads::{EventThread, Monitor, lock};
use crate::time::Micros;

/// Leases that end in one transaction.
const BATCH: usize = 128;
/// How long to wait after a failed transaction.
const AGAIN: Duration = Duration::from_secs(1);

/// A lease that ran out, with the present state of its task.
#[derive(Debug)]
pub struct EndedLease {
    /// The task.
    pub task: Task,
    /// The ids of the tasks that it depends on.
    pub depends_on: Vec<String>,
}

#[derive(Default)]
struct LeaseState {
    by_task: HashMap<String, (Lease, Instant)>,
    by_end: BTreeSet<(Instant, String)>,
    closed: bool,
}

impl LeaseState {
    /// Puts a lease, unless it is known or one with a newer fence is: reports of commits may come in another order.
    fn note(&mut self, lease: Lease, ends: Instant) {
        let known = |held: &Lease| held.fence > lease.fence || (held.fence == lease.fence && held.until == lease.until);
        if !self.by_task.get(&lease.task_id).is_some_and(|(held, _)| known(held)) {
            self.put(lease, ends);
        }
    }

    /// Puts the lease that the database has in place of one that was due, unless its own report has come.
    fn resume(&mut self, lease: Lease, ends: Instant) {
        if !self.by_task.contains_key(&lease.task_id) {
            self.put(lease, ends);
        }
    }

    /// Removes the lease with this fence or an older one.
    fn forget(&mut self, task_id: &str, fence: i64) {
        if self.by_task.get(task_id).is_some_and(|(held, _)| held.fence <= fence) {
            self.remove(task_id);
        }
    }

    fn put(&mut self, lease: Lease, ends: Instant) {
        self.remove(&lease.task_id);
        self.by_end.insert((ends, lease.task_id.clone()));
        self.by_task.insert(lease.task_id.clone(), (lease, ends));
    }

    fn remove(&mut self, task_id: &str) {
        if let Some((lease, ends)) = self.by_task.remove(task_id) {
            self.by_end.remove(&(ends, lease.task_id));
        }
    }

    fn due(&self, now: Instant) -> Vec<Lease> {
        let due = self.by_end.iter().take_while(|(ends, _)| *ends <= now).take(BATCH);
        due.filter_map(|(_, task_id)| self.by_task.get(task_id)).map(|(lease, _)| lease.clone()).collect()
    }

    /// Removes leases that were ended, except those that were given again in the meantime.
    fn settle(&mut self, ended: &[Lease]) {
        for lease in ended {
            let same = |(held, _): &(Lease, Instant)| held.fence == lease.fence && held.until == lease.until;
            if self.by_task.get(&lease.task_id).is_some_and(same) {
                self.remove(&lease.task_id);
            }
        }
    }
}

/// All current leases, and the thread that ends them.
pub struct Leases {
    shared: Arc<Monitor<LeaseState>>,
    _thread: EventThread,
}

/// Why the thread cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LeasesError {
    /// The leases of the last run cannot be read.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// A thread cannot be started.
    #[error(transparent)]
    Thread(#[from] std::io::Error),
}

impl Leases {
    /// Reads the leases of the last run and starts the thread, which calls `ended` for each lease that runs out, after
    /// the commit.
    ///
    /// # Errors
    /// A [`LeasesError`].
    pub fn start(
        store: &Store,
        notifier: Notifier,
        ended: impl Fn(&EndedLease) + Send + 'static,
    ) -> Result<Self, LeasesError> {
        let (now, clock) = (Micros::now(), Instant::now());
        let mut state = LeaseState::default();
        for lease in store.lookup(tasks::held_leases)? {
            let ends = clock + left(&lease, now);
            state.put(lease, ends);
        }
        let shared = Arc::new(Monitor::new(state));
        let work = move |shared: &Monitor<LeaseState>| serve(shared, &notifier, &ended);
        let thread = EventThread::on("leases", &shared, |state| state.closed = true, work)?;
        Ok(Self { shared, _thread: thread })
    }

    /// Notes a lease that begins or is renewed now. Fast; may be called from any thread.
    pub fn note(&self, lease: Lease) {
        let ends = Instant::now() + Duration::from_secs(u64::try_from(lease.seconds).unwrap_or(0));
        let mut state = self.shared.lock();
        let sooner = state.by_end.first().is_none_or(|(first, _)| ends < *first);
        state.note(lease, ends);
        drop(state);
        if sooner {
            self.shared.notify_one();
        }
    }

    /// Forgets the lease with this fence, or an older one: nobody holds the task by it any more. Fast; may be called from
    /// any thread.
    pub fn forget(&self, task_id: &str, fence: i64) {
        self.shared.lock().forget(task_id, fence);
    }

    /// The number of current leases.
    pub fn count(&self) -> usize {
        self.shared.lock().by_task.len()
    }
}

/// The time left of a lease of the last run, as far as the host's clock can tell.
fn left(lease: &Lease, now: Micros) -> Duration {
    let given = lease.seconds.saturating_mul(Micros::SECOND);
    let left = lease.until.0.saturating_sub(now.0).clamp(0, given.max(0));
    Duration::from_micros(u64::try_from(left).unwrap_or(0))
}

fn serve(shared: &Monitor<LeaseState>, notifier: &Notifier, ended: &dyn Fn(&EndedLease)) {
    let mut state = shared.lock();
    let mut pause = Duration::ZERO;
    while !state.closed {
        let now = Instant::now();
        let due = if pause.is_zero() { state.due(now) } else { Vec::new() };
        if due.is_empty() {
            let next = state.by_end.first().map(|(ends, _)| ends.saturating_duration_since(now));
            let wait = next.unwrap_or(Duration::from_secs(3600)).max(pause);
            state = shared.wait_timeout(state, wait);
            pause = Duration::ZERO;
            continue;
        }
        drop(state);
        let done = end_all(notifier, due.clone());
        state = shared.lock();
        match done {
            Ok(done) => {
                state.settle(&due);
                for lease in done.held {
                    let ends = Instant::now() + left(&lease, Micros::now());
                    state.resume(lease, ends);
                }
                drop(state);
                done.ended.iter().for_each(ended);
                state = shared.lock();
            }
            Err(error) => {
                log::warn!("leases that have run out could not be ended, trying again: {error}");
                pause = AGAIN;
            }
        }
    }
}

/// What became of leases that were due.
#[derive(Default)]
struct DueLeases {
    ended: Vec<EndedLease>,
    /// The leases that their tasks have instead: they were given in the meantime.
    held: Vec<Lease>,
}

/// Ends leases in one transaction, and notifies the people whose tasks are blocked by that.
fn end_all(notifier: &Notifier, leases: Vec<Lease>) -> store::Result<DueLeases> {
    let told: Arc<Mutex<DueLeases>> = Arc::default();
    let telling = Arc::clone(&told);
    notifier.tell(move |conn| {
        let mut notices = Vec::new();
        let mut done = DueLeases::default();
        for lease in &leases {
            let Some(task) = tasks::end_lease(conn, lease, Micros::now())? else {
                done.held.extend(tasks::lease_of(conn, &lease.task_id)?);
                continue;
            };
            if task.status == BLOCKED {
                notices.push((task.owner_user_id.clone(), notice(&task)));
            }
            let depends_on = tasks::dependencies_of(conn, task.seq)?;
            done.ended.push(EndedLease { task, depends_on });
        }
        *lock(&telling) = done;
        Ok(notices)
    })?;
    Ok(std::mem::take(&mut *lock(&told)))
}

/// The notice about a blocked task, for its creator or the creator's owner.
fn notice(task: &Task) -> Notice {
    Notice {
        level: Level::Normal,
        title: "A task is blocked".to_owned(),
        message: format!(
            "\"{}\" ({}) was begun {} times and never finished: it is not offered any more. Made by {}.",
            task.title, task.id, task.attempts, task.creator_name
        ),
        page: "/docs/agents/recipes/working-off-a-queue#attempts".into(),
        topic: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(until: i64, seconds: i64) -> Lease {
        Lease { task_id: "t".into(), fence: 1, seconds, until: Micros(until * Micros::SECOND) }
    }

    #[test]
    fn a_clock_that_jumped_ends_no_lease_later_than_it_was_given_for() {
        let now = Micros(1000 * Micros::SECOND);
        assert_eq!(left(&lease(1100, 300), now), Duration::from_secs(100));
        assert_eq!(left(&lease(900, 300), now), Duration::ZERO);
        assert_eq!(left(&lease(1_000_000, 300), now), Duration::from_secs(300));
        assert_eq!(left(&lease(i64::MAX / Micros::SECOND, 300), Micros(i64::MIN)), Duration::from_secs(300));
    }

    #[test]
    fn reports_in_the_wrong_order_keep_the_newest_lease_and_its_end() {
        let (mut state, now) = (LeaseState::default(), Instant::now());
        let later = |seconds| now + Duration::from_secs(seconds);
        let next = || Lease { fence: 2, ..lease(9, 9) };
        let end = |state: &LeaseState| state.by_end.first().map(|(ends, _)| *ends);
        state.note(lease(10, 10), later(10));
        state.note(lease(10, 10), later(15));
        assert_eq!(end(&state), Some(later(10)), "known already");
        state.note(lease(8, 2), later(8));
        assert_eq!(end(&state), Some(later(8)), "renewed for a shorter time");
        state.note(next(), later(9));
        state.note(lease(20, 20), later(20));
        state.resume(lease(20, 20), later(20));
        state.forget("t", 1);
        assert_eq!(end(&state), Some(later(9)), "another worker claimed it, and the rest is older");
        state.forget("t", 2);
        assert_eq!((state.by_task.len(), state.by_end.len()), (0, 0));
        state.resume(next(), later(9));
        assert_eq!(end(&state), Some(later(9)));
    }

    #[test]
    fn a_lease_that_was_given_anew_is_not_settled_by_the_end_of_the_old_one() {
        let (mut state, now) = (LeaseState::default(), Instant::now());
        state.put(lease(1, 10), now);
        assert_eq!(state.due(now).len(), 1);
        state.put(lease(2, 10), now + Duration::from_secs(5));
        assert!(state.due(now).is_empty());
        state.settle(&[lease(1, 10)]);
        assert_eq!((state.by_task.len(), state.by_end.len()), (1, 1));
        state.settle(&[lease(2, 10)]);
        assert_eq!((state.by_task.len(), state.by_end.len()), (0, 0));
    }
}
