//! The pool: a fixed number of threads that run synchronous work for the runtime thread.
//!
//! Submitting never blocks: a full queue refuses. Answers go back in batches, with one wake-up of the runtime thread
//! for all that are ready. What the work is, the pool does not know.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

/// The work panicked, with this message.
#[derive(Debug, PartialEq, Eq)]
pub struct Panicked(pub String);

/// The queue is full.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// What came of a piece of work.
pub type Answer<T> = Result<T, Panicked>;

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worker {
    /// Waits for work.
    Idle,
    /// Has been at one piece of work for this long.
    Busy(Duration),
    /// Its thread has ended although the pool has not.
    Dead,
}

/// The threads and their queue.
pub struct Pool<T> {
    inner: Arc<Inner<T>>,
    threads: Vec<JoinHandle<()>>,
}

struct Job<T> {
    work: Box<dyn FnOnce() -> T + Send>,
    to: oneshot::Sender<Answer<T>>,
}

/// An answer and who waits for it.
type Done<T> = (oneshot::Sender<Answer<T>>, Answer<T>);

struct Queue<T> {
    jobs: VecDeque<Job<T>>,
    /// Workers that wait on the condition.
    idle: usize,
    /// Workers that were woken and have not taken a job yet; one at a time is enough, it wakes the next.
    waking: usize,
    open: bool,
}

struct Inner<T> {
    queue: Mutex<Queue<T>>,
    work: Condvar,
    capacity: usize,
    done: Mutex<Vec<Done<T>>>,
    signalled: AtomicBool,
    deliver: Notify,
    states: Arc<States>,
}

/// What the workers are doing, readable from any thread.
#[derive(Debug)]
pub struct States {
    started: Instant,
    queued: AtomicU64,
    workers: Vec<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Milliseconds after `started` plus one; 0 while idle.
    busy_since: AtomicU64,
    dead: AtomicBool,
}

impl States {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// One entry a worker.
    pub fn workers(&self) -> Vec<Worker> {
        let now = self.now();
        let state = |w: &State| match (w.dead.load(Ordering::Relaxed), w.busy_since.load(Ordering::Relaxed)) {
            (true, _) => Worker::Dead,
            (false, 0) => Worker::Idle,
            (false, since) => Worker::Busy(Duration::from_millis(now.saturating_sub(since))),
        };
        self.workers.iter().map(state).collect()
    }

    /// Jobs that wait for a worker.
    pub fn queued(&self) -> u64 {
        self.queued.load(Ordering::Relaxed)
    }
}

impl<T: Send + 'static> Pool<T> {
    /// Starts all threads.
    ///
    /// # Errors
    /// The system gives no thread; those already made end.
    pub fn start(workers: usize, capacity: usize) -> io::Result<Self> {
        let states = Arc::new(States {
            started: Instant::now(),
            queued: AtomicU64::new(0),
            workers: (0..workers).map(|_| State::default()).collect(),
        });
        let inner = Arc::new(Inner {
            queue: Mutex::new(Queue { jobs: VecDeque::new(), idle: 0, waking: 0, open: true }),
            work: Condvar::new(),
            capacity,
            done: Mutex::new(Vec::new()),
            signalled: AtomicBool::new(false),
            deliver: Notify::new(),
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

    /// Queues work; the answer comes through the receiver once [`Pool::deliver`] runs. Work whose receiver is
    /// dropped before a worker takes it is never started.
    ///
    /// # Errors
    /// [`Full`], at once.
    pub fn submit(&self, work: Box<dyn FnOnce() -> T + Send>) -> Result<oneshot::Receiver<Answer<T>>, Full> {
        let (to, answer) = oneshot::channel();
        let mut queue = lock(&self.inner.queue);
        if queue.jobs.len() >= self.inner.capacity {
            // Those whose client has gone need not keep others out.
            queue.jobs.retain(|job| !job.to.is_closed());
            if queue.jobs.len() >= self.inner.capacity {
                return Err(Full);
            }
        }
        queue.jobs.push_back(Job { work, to });
        self.inner.wake_one(queue);
        Ok(answer)
    }

    /// Hands answers to those who wait for them; runs for ever on the runtime thread.
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

    /// What the workers are doing.
    pub fn states(&self) -> Arc<States> {
        Arc::clone(&self.inner.states)
    }

    /// Drops what has not started and waits until `until` for what has; false if something still runs.
    pub fn close(&self, until: Instant) -> bool {
        self.end();
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
    fn wake_one(&self, mut queue: MutexGuard<'_, Queue<T>>) {
        self.states.queued.store(queue.jobs.len() as u64, Ordering::Relaxed);
        let wake = !queue.jobs.is_empty() && queue.idle > queue.waking && queue.waking == 0;
        queue.waking += usize::from(wake);
        drop(queue);
        if wake {
            self.work.notify_one();
        }
    }

    fn next(&self) -> Option<Job<T>> {
        let mut queue = lock(&self.queue);
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                self.wake_one(queue);
                return Some(job);
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
        while let Some(job) = self.next() {
            if job.to.is_closed() {
                continue;
            }
            state.busy_since.store(self.states.now(), Ordering::Relaxed);
            let answer = catch_unwind(AssertUnwindSafe(job.work)).map_err(|cause| Panicked(message(&*cause)));
            state.busy_since.store(0, Ordering::Relaxed);
            self.finish(job.to, answer);
        }
    }

    fn finish(&self, to: oneshot::Sender<Answer<T>>, answer: Answer<T>) {
        lock(&self.done).push((to, answer));
        if !self.signalled.swap(true, Ordering::SeqCst) {
            self.deliver.notify_one();
        }
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

/// Nothing that can panic runs under these locks; a poisoned one is as good as new.
fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn run<F: Future<Output = ()>>(future: F) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future);
    }

    /// Polls the delivery beside the answer.
    async fn answer<T: Send + 'static>(pool: &Pool<T>, mut rx: oneshot::Receiver<Answer<T>>) -> Answer<T> {
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
            assert_eq!(pool.submit(Box::new(|| 3)).unwrap_err(), Full);
            drop(second);
            let third = pool.submit(Box::new(|| 3)).unwrap();
            assert!(matches!(pool.states().workers()[0], Worker::Busy(_)));
            go.send(()).unwrap();
            assert_eq!(answer(&pool, first.unwrap()).await, Ok(1));
            assert_eq!(answer(&pool, third).await, Ok(3));
        });
    }
}
