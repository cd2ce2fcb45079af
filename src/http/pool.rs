//! The pool: a fixed number of threads that run synchronous work for the runtime thread.
//!
//! Submitting never blocks: a full queue refuses. The pool does not know what the work is.
//!
//! Waking a thread costs more than most of the work. So the pool saves wake-ups in two ways. One awake worker drains
//! the queue alone, and another is woken only when work has waited for [`PATIENCE`]. Results are signalled to the
//! runtime thread when the queue is empty or enough results are ready, not one by one. [`Pool::watch`] makes sure that
//! slow work delays neither for longer than a few milliseconds.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::threads::lock;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

/// How long work waits for a busy worker before another one is woken.
const PATIENCE: Duration = Duration::from_millis(1);
/// The number of ready results that always wakes the runtime thread.
const BATCH: usize = 16;

/// The work panicked, with this message.
#[derive(Debug, PartialEq, Eq)]
pub struct Panicked(pub String);

/// The queue is full.
#[derive(Debug, PartialEq, Eq)]
pub struct PoolFull;

/// The result of a piece of work.
pub type PoolAnswer<T> = Result<T, Panicked>;

/// The state of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worker {
    /// It waits for work.
    Idle,
    /// It has worked on one piece of work for this long.
    Busy(Duration),
    /// Its thread has ended although the pool is open.
    Dead,
}

/// The threads and their queue.
pub struct Pool<T> {
    inner: Arc<Inner<T>>,
    threads: Vec<JoinHandle<()>>,
}

struct PoolJob<T> {
    queued: Instant,
    work: Box<dyn FnOnce() -> T + Send>,
    to: oneshot::Sender<PoolAnswer<T>>,
}

/// A result and its receiver.
type PendingAnswer<T> = (oneshot::Sender<PoolAnswer<T>>, PoolAnswer<T>);

struct PoolQueue<T> {
    jobs: VecDeque<PoolJob<T>>,
    /// Workers that wait on the condition.
    idle: usize,
    /// Workers that were woken and have not taken a job yet. One at a time is enough, since it wakes the next one.
    waking: usize,
    /// The time when a job was last taken.
    taken: Instant,
    open: bool,
}

struct Inner<T> {
    queue: Mutex<PoolQueue<T>>,
    work: Condvar,
    capacity: AtomicUsize,
    done: Mutex<Vec<PendingAnswer<T>>>,
    signalled: AtomicBool,
    deliver: Notify,
    watching: AtomicBool,
    watch: Notify,
    states: Arc<States>,
}

/// The states of the workers, readable from any thread.
#[derive(Debug)]
pub struct States {
    started: Instant,
    queued: AtomicU64,
    workers: Vec<PoolState>,
}

#[derive(Debug, Default)]
struct PoolState {
    /// Milliseconds after `started`, plus one; 0 while idle.
    busy_since: AtomicU64,
    dead: AtomicBool,
}

impl States {
    fn at(&self, moment: Instant) -> u64 {
        u64::try_from(moment.duration_since(self.started).as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// Returns one state per worker.
    pub fn workers(&self) -> Vec<Worker> {
        let now = self.at(Instant::now());
        let state = |w: &PoolState| match (w.dead.load(Ordering::Relaxed), w.busy_since.load(Ordering::Relaxed)) {
            (true, _) => Worker::Dead,
            (false, 0) => Worker::Idle,
            (false, since) => Worker::Busy(Duration::from_millis(now.saturating_sub(since))),
        };
        self.workers.iter().map(state).collect()
    }

    /// Returns the number of jobs that wait for a worker.
    pub fn queued(&self) -> u64 {
        self.queued.load(Ordering::Relaxed)
    }
}

impl<T: Send + 'static> Pool<T> {
    /// Starts all threads.
    ///
    /// # Errors
    /// An I/O error if the system refuses a thread; the threads that exist already end.
    pub fn start(workers: usize, capacity: usize) -> io::Result<Self> {
        let states = Arc::new(States {
            started: Instant::now(),
            queued: AtomicU64::new(0),
            workers: (0..workers).map(|_| PoolState::default()).collect(),
        });
        let inner = Arc::new(Inner {
            queue: Mutex::new(PoolQueue {
                jobs: VecDeque::new(),
                idle: 0,
                waking: 0,
                taken: Instant::now(),
                open: true,
            }),
            work: Condvar::new(),
            capacity: AtomicUsize::new(capacity),
            done: Mutex::new(Vec::new()),
            signalled: AtomicBool::new(false),
            deliver: Notify::new(),
            watching: AtomicBool::new(false),
            watch: Notify::new(),
            states,
        });
        let mut pool = Self { inner, threads: Vec::with_capacity(workers) };
        for index in 0..workers {
            let inner = Arc::clone(&pool.inner);
            let thread = std::thread::Builder::new().name(format!("worker-{index}"));
            pool.threads.push(thread.spawn(move || inner.work_until_closed(index))?);
        }
        Ok(pool)
    }

    /// The number of threads.
    pub fn workers(&self) -> usize {
        self.threads.len()
    }

    /// Sets how many jobs may wait.
    pub fn set_capacity(&self, capacity: usize) {
        self.inner.capacity.store(capacity, Ordering::Relaxed);
    }

    /// Queues work. The result comes through the receiver while [`Pool::deliver`] runs. If the receiver is dropped
    /// before a worker takes the work, it never starts.
    ///
    /// # Errors
    /// [`PoolFull`] if the queue is full.
    pub fn submit(&self, work: Box<dyn FnOnce() -> T + Send>) -> Result<oneshot::Receiver<PoolAnswer<T>>, PoolFull> {
        let mut queue = lock(&self.inner.queue);
        let capacity = self.inner.capacity.load(Ordering::Relaxed);
        if queue.jobs.len() >= capacity {
            // Jobs whose client has gone must not keep others out.
            queue.jobs.retain(|job| !job.to.is_closed());
            if queue.jobs.len() >= capacity {
                return Err(PoolFull);
            }
        }
        Ok(self.push(queue, work))
    }

    /// Queues the rest of work that has started, however many jobs wait. A connection has at most one.
    pub fn resume(&self, work: Box<dyn FnOnce() -> T + Send>) -> oneshot::Receiver<PoolAnswer<T>> {
        self.push(lock(&self.inner.queue), work)
    }

    /// Like [`Pool::resume`], if a receiver waits for the result already. From any thread.
    pub fn resume_for(&self, to: oneshot::Sender<PoolAnswer<T>>, work: Box<dyn FnOnce() -> T + Send>) {
        self.push_for(to, lock(&self.inner.queue), work);
    }

    fn push(
        &self,
        queue: MutexGuard<'_, PoolQueue<T>>,
        work: Box<dyn FnOnce() -> T + Send>,
    ) -> oneshot::Receiver<PoolAnswer<T>> {
        let (to, answer) = oneshot::channel();
        self.push_for(to, queue, work);
        answer
    }

    fn push_for(
        &self,
        to: oneshot::Sender<PoolAnswer<T>>,
        mut queue: MutexGuard<'_, PoolQueue<T>>,
        work: Box<dyn FnOnce() -> T + Send>,
    ) {
        let now = Instant::now();
        queue.jobs.push_back(PoolJob { queued: now, work, to });
        self.inner.states.queued.store(queue.jobs.len() as u64, Ordering::Relaxed);
        let nobody = queue.idle == self.threads.len() || now.duration_since(queue.taken) >= PATIENCE;
        self.inner.wake_one(queue, nobody);
        if !self.inner.watching.swap(true, Ordering::SeqCst) {
            self.inner.watch.notify_one();
        }
    }

    /// Passes results to their receivers. Runs forever on the runtime thread.
    pub async fn deliver(&self) {
        let mut batch = Vec::new();
        loop {
            self.inner.deliver.notified().await;
            self.inner.signalled.store(false, Ordering::SeqCst);
            std::mem::swap(&mut batch, &mut *lock(&self.inner.done));
            for (to, answer) in batch.drain(..) {
                let _ = to.send(answer);
            }
        }
    }

    /// Handles work that waits behind slow work. Runs forever on the runtime thread. Costs nothing while no work waits.
    pub async fn watch(&self) {
        loop {
            self.inner.watch.notified().await;
            loop {
                tokio::time::sleep(PATIENCE).await;
                if !self.inner.look() {
                    self.inner.watching.store(false, Ordering::SeqCst);
                    // This covers work that another thread queued in between.
                    if !self.inner.look() {
                        break;
                    }
                    self.inner.watching.store(true, Ordering::SeqCst);
                }
            }
        }
    }

    /// Returns the states of the workers.
    pub fn states(&self) -> Arc<States> {
        Arc::clone(&self.inner.states)
    }

    /// Drops work that has not started, and waits for running work until `until`, but long enough for idle threads to
    /// end. Returns false if any work still runs.
    pub fn close(&self, until: Instant) -> bool {
        self.end();
        let until = until.max(Instant::now() + Duration::from_millis(100));
        while self.threads.iter().any(|t| !t.is_finished()) {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }
}

impl<T> Pool<T> {
    fn end(&self) {
        let mut queue = lock(&self.inner.queue);
        queue.open = false;
        queue.jobs.clear();
        drop(queue);
        self.inner.work.notify_all();
    }
}

impl<T> Drop for Pool<T> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T> Inner<T> {
    /// Wakes a worker if one is `needed` and none is waking up already.
    fn wake_one(&self, mut queue: MutexGuard<'_, PoolQueue<T>>, needed: bool) {
        let wake = needed && !queue.jobs.is_empty() && queue.idle > 0 && queue.waking == 0;
        queue.waking += usize::from(wake);
        drop(queue);
        if wake {
            self.work.notify_one();
        }
    }

    /// Returns the next job and the time it was taken; `None` when the pool is closed. `untold` is the number of this
    /// worker's results that are not signalled yet.
    fn next(&self, untold: &mut usize) -> Option<(PoolJob<T>, Instant)> {
        let mut queue = lock(&self.queue);
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                let now = Instant::now();
                queue.taken = now;
                self.states.queued.store(queue.jobs.len() as u64, Ordering::Relaxed);
                let overdue = queue.jobs.front().is_some_and(|next| now.duration_since(next.queued) >= PATIENCE);
                self.wake_one(queue, overdue);
                return Some((job, now));
            }
            if std::mem::take(untold) > 0 {
                drop(queue);
                self.signal();
                queue = lock(&self.queue);
                continue;
            }
            if !queue.open {
                return None;
            }
            queue.idle += 1;
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
            queue.waking = queue.waking.saturating_sub(1);
        }
    }

    fn work_until_closed(&self, index: usize) {
        let state = &self.states.workers[index];
        let _guard = DeadOnDrop(&state.dead);
        let mut untold = 0;
        while let Some((job, now)) = self.next(&mut untold) {
            if job.to.is_closed() {
                continue;
            }
            state.busy_since.store(self.states.at(now), Ordering::Relaxed);
            let answer = catch_unwind(AssertUnwindSafe(job.work)).map_err(|cause| Panicked(message(&*cause)));
            state.busy_since.store(0, Ordering::Relaxed);
            lock(&self.done).push((job.to, answer));
            untold += 1;
            if untold >= BATCH {
                untold = 0;
                self.signal();
            }
        }
    }

    /// Wakes the runtime thread because results are ready.
    fn signal(&self) {
        if !self.signalled.swap(true, Ordering::SeqCst) {
            self.deliver.notify_one();
        }
    }

    /// Wakes a worker for overdue work, and signals results that a busy worker has not signalled. True if another look
    /// is needed.
    fn look(&self) -> bool {
        let queue = lock(&self.queue);
        let overdue = queue.jobs.front().is_some_and(|next| next.queued.elapsed() >= PATIENCE);
        let mut more = !queue.jobs.is_empty();
        self.wake_one(queue, overdue);
        if !lock(&self.done).is_empty() {
            more = true;
            self.signal();
        }
        more
    }
}

struct DeadOnDrop<'a>(&'a AtomicBool);

impl Drop for DeadOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn message(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().copied().or_else(|| cause.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn run<F: Future<Output = ()>>(future: F) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future);
    }

    /// Polls the delivery together with the result.
    async fn answer<T: Send + 'static>(pool: &Pool<T>, mut rx: oneshot::Receiver<PoolAnswer<T>>) -> PoolAnswer<T> {
        let mut deliver = std::pin::pin!(pool.deliver());
        std::future::poll_fn(|cx| {
            let _ = deliver.as_mut().poll(cx);
            std::pin::Pin::new(&mut rx).poll(cx)
        })
        .await
        .unwrap()
    }

    #[test]
    fn a_panic_is_an_answer_and_the_worker_goes_on() {
        run(async {
            let pool = Pool::start(1, 4).unwrap();
            let rx = pool.submit(Box::new(|| panic!("oh"))).unwrap();
            assert_eq!(answer::<u8>(&pool, rx).await, Err(Panicked("oh".to_owned())));
            let rx = pool.submit(Box::new(|| 7)).unwrap();
            assert_eq!(answer(&pool, rx).await, Ok(7));
            assert!(pool.close(Instant::now() + Duration::from_secs(5)));
        });
    }

    #[test]
    fn a_full_queue_refuses_and_abandoned_work_makes_room_and_never_starts() {
        run(async {
            let pool = Pool::start(1, 1).unwrap();
            let (go, wait) = mpsc::channel::<()>();
            let (started, running) = mpsc::channel();
            let first = pool.submit(Box::new(move || {
                started.send(()).unwrap();
                wait.recv().unwrap();
                1
            }));
            running.recv().unwrap();
            let second = pool.submit(Box::new(|| panic!("must not start"))).unwrap();
            assert_eq!(pool.submit(Box::new(|| 3)).unwrap_err(), PoolFull);
            drop(second);
            let third = pool.submit(Box::new(|| 3)).unwrap();
            assert!(matches!(pool.states().workers()[0], Worker::Busy(_)));
            go.send(()).unwrap();
            assert_eq!(answer(&pool, first.unwrap()).await, Ok(1));
            assert_eq!(answer(&pool, third).await, Ok(3));
        });
    }
}
