//! A few threads for work that may take long. Jobs with the same key run one after the other, in their order; jobs with
//! other keys may overtake them.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::threads::Monitor;
use std::time::{Duration, Instant};

/// The queue is full, or closed.
#[derive(Debug)]
pub struct RunnerFull;

type OperationWork = Box<dyn FnOnce() + Send>;

struct OperationJob {
    key: Option<String>,
    work: OperationWork,
}

#[derive(Default)]
struct RunnerState {
    queue: VecDeque<OperationJob>,
    running: HashSet<String>,
    busy: usize,
    closed: bool,
}

struct Shared {
    state: Monitor<RunnerState>,
    capacity: usize,
}

/// A queue and the threads that work on it.
pub struct Runner(Arc<Shared>);

impl Runner {
    /// Starts the threads; up to `capacity` jobs may wait.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(threads: usize, capacity: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { state: Monitor::default(), capacity });
        for nth in 0..threads {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name(format!("runner-{nth}")).spawn(move || shared.serve())?;
        }
        Ok(Self(shared))
    }

    /// Queues a job.
    ///
    /// # Errors
    /// [`RunnerFull`].
    pub fn submit(&self, key: Option<String>, work: OperationWork) -> Result<(), RunnerFull> {
        let mut state = self.0.state.lock();
        if state.closed || state.queue.len() >= self.0.capacity {
            return Err(RunnerFull);
        }
        state.queue.push_back(OperationJob { key, work });
        drop(state);
        self.0.state.notify_one();
        Ok(())
    }

    /// Drops waiting jobs and waits, at most `patience`, for running ones.
    pub fn stop(&self, patience: Duration) {
        let end = Instant::now() + patience;
        let mut state = self.0.state.lock();
        state.closed = true;
        // Dropped outside the lock: a job may own something that submits jobs.
        let dropped = std::mem::take(&mut state.queue);
        drop(state);
        drop(dropped);
        self.0.state.notify_all();
        let mut state = self.0.state.lock();
        while state.busy > 0 {
            let Some(left) = end.checked_duration_since(Instant::now()) else { return };
            state = self.0.state.wait_timeout(state, left);
        }
    }
}

impl RunnerState {
    /// Takes the first job whose key is free.
    fn take(&mut self) -> Option<OperationJob> {
        let free = |job: &OperationJob| job.key.as_ref().is_none_or(|key| !self.running.contains(key));
        let at = self.queue.iter().position(free)?;
        self.queue.remove(at)
    }
}

impl Shared {
    fn serve(&self) {
        let mut state = self.state.lock();
        loop {
            let Some(OperationJob { key, work }) = state.take() else {
                if state.closed {
                    return;
                }
                state = self.state.wait(state);
                continue;
            };
            state.busy += 1;
            state.running.extend(key.clone());
            drop(state);
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                log::error!("a job panicked");
            }
            state = self.state.lock();
            state.busy -= 1;
            if let Some(key) = key {
                state.running.remove(&key);
            }
            self.state.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn jobs_of_one_key_keep_their_order_and_others_pass_them_by() {
        let runner = Runner::start(2, 100).unwrap();
        let (sender, receiver) = channel();
        let (go, wait) = channel::<()>();
        let told = |name: &'static str| {
            let sender = sender.clone();
            Box::new(move || sender.send(name).unwrap())
        };
        runner.submit(Some("a".into()), Box::new(move || wait.recv().unwrap())).unwrap();
        runner.submit(Some("a".into()), told("a1")).unwrap();
        runner.submit(Some("a".into()), told("a2")).unwrap();
        runner.submit(Some("b".into()), told("b")).unwrap();
        assert_eq!(receiver.recv().unwrap(), "b");
        go.send(()).unwrap();
        assert_eq!([receiver.recv().unwrap(), receiver.recv().unwrap()], ["a1", "a2"]);
    }

    #[test]
    fn a_panicking_job_frees_its_key_and_a_full_queue_refuses() {
        let runner = Runner::start(1, 1).unwrap();
        let (sender, receiver) = channel();
        runner.submit(Some("a".into()), Box::new(|| panic!("on purpose"))).unwrap();
        while runner
            .submit(Some("a".into()), {
                let s = sender.clone();
                Box::new(move || s.send(()).unwrap())
            })
            .is_err()
        {
            std::thread::yield_now();
        }
        receiver.recv().unwrap();
        runner.stop(Duration::from_secs(1));
        assert!(runner.submit(None, Box::new(|| {})).is_err());
    }
}
