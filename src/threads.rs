//! Tools for threads: locks that ignore poisoning, states to wait for, and threads that run periodically or on events.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

/// Locks a mutex, even if a thread panicked while it held the lock: no code here leaves a state half changed.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A state that threads share, and the signal that it has changed.
#[derive(Debug, Default)]
pub struct Monitor<T> {
    state: Mutex<T>,
    changed: Condvar,
}

impl<T> Monitor<T> {
    /// Makes a monitor of this state.
    pub fn new(state: T) -> Self {
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Locks the state, like [`lock`].
    pub fn lock(&self) -> MutexGuard<'_, T> {
        lock(&self.state)
    }

    /// Wakes one waiting thread.
    pub fn notify_one(&self) {
        self.changed.notify_one();
    }

    /// Wakes all waiting threads.
    pub fn notify_all(&self) {
        self.changed.notify_all();
    }

    /// Waits until the thread is woken.
    pub fn wait<'a>(&self, state: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the thread is woken, at most for `timeout`.
    pub fn wait_timeout<'a>(&self, state: MutexGuard<'a, T>, timeout: Duration) -> MutexGuard<'a, T> {
        self.changed.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits while `holds` returns true, at most for `timeout`.
    pub fn wait_timeout_while<'a>(
        &self,
        state: MutexGuard<'a, T>,
        timeout: Duration,
        holds: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        self.changed.wait_timeout_while(state, timeout, holds).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The rest of a thread after a panic, before its work begins again.
const AFTER_PANIC: Duration = if cfg!(test) { Duration::from_millis(20) } else { Duration::from_secs(10) };

/// Runs the work of the thread `name` until it returns. A panic ends only what was being done: it is logged, and after a
/// rest the work begins again. `rests` returns false if the thread must end.
pub fn outlive_panics(name: &str, rests: impl Fn(Duration) -> bool, mut work: impl FnMut()) {
    while catch_unwind(AssertUnwindSafe(&mut work)).is_err() {
        log::error!("the thread {name} panicked; it goes on in {} s", AFTER_PANIC.as_secs());
        if !rests(AFTER_PANIC) {
            return;
        }
    }
}

/// A thread that sleeps between pieces of work. Dropping it wakes the thread and waits for its end.
#[derive(Debug, Default)]
pub struct Periodic {
    stop: Option<Sender<()>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The sleep of a [`Periodic`] thread.
#[derive(Debug)]
pub struct Pause {
    stopped: Receiver<()>,
    ends: Arc<AtomicBool>,
}

impl Periodic {
    /// Starts a thread with this name of at most 15 bytes (the kernel cuts the rest). `work` sleeps with
    /// [`Pause::lasts`] and returns when that returns false. After a panic it is called again.
    ///
    /// # Errors
    /// The operating system cannot start a thread.
    pub fn start(name: &str, mut work: impl FnMut(&Pause) + Send + 'static) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let ends = Arc::<AtomicBool>::default();
        let pause = Pause { stopped, ends: Arc::clone(&ends) };
        let own = name.to_owned();
        let run = move || outlive_panics(&own, |rest| pause.lasts(rest), || work(&pause));
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self { stop: Some(stop), ends, thread: Some(thread) })
    }
}

impl Drop for Periodic {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Pause {
    /// Sleeps for `period`. Returns false, at once, when the thread must end.
    pub fn lasts(&self, period: Duration) -> bool {
        self.stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout)
    }

    /// True when the thread must end.
    pub fn is_over(&self) -> bool {
        self.stopped.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// A flag that is set when the thread must end, for long work that checks it now and then.
    pub fn ends(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.ends)
    }
}

/// A thread that works when an event tells it to. Dropping it tells the thread to end and waits for its end.
pub struct EventThread {
    close: Box<dyn Fn() + Send + Sync>,
    ends: Arc<Monitor<bool>>,
    id: ThreadId,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl EventThread {
    /// Starts a thread with this name of at most 15 bytes. The thread ends when its channel is closed. So the owner
    /// declares the sender above the thread: the sender is then dropped first. A panic ends it: its owner has to look
    /// whether it [`is_alive`](Self::is_alive).
    ///
    /// # Errors
    /// The operating system cannot start a thread.
    pub fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        Self::closing(name, || {}, |_| work())
    }

    /// Like [`EventThread::start`], but after a panic `work` is called again.
    ///
    /// # Errors
    /// The operating system cannot start a thread.
    pub fn steady(name: &str, work: impl FnMut() + Send + 'static) -> io::Result<Self> {
        let own = name.to_owned();
        Self::closing(name, || {}, move |ends| outlive_panics(&own, |rest| rests(ends, rest), work))
    }

    /// Starts a thread with this name that waits for changes of a state. `close` marks in the state that the thread
    /// must end. After a panic `work` is called again, with the state as it was left.
    ///
    /// # Errors
    /// The operating system cannot start a thread.
    pub fn on<T: Send + 'static>(
        name: &str,
        shared: &Arc<Monitor<T>>,
        close: fn(&mut T),
        mut work: impl FnMut(&Monitor<T>) + Send + 'static,
    ) -> io::Result<Self> {
        let own = name.to_owned();
        let (closing, serving) = (Arc::clone(shared), Arc::clone(shared));
        let close = move || {
            close(&mut closing.lock());
            closing.notify_all();
        };
        Self::closing(name, close, move |ends| outlive_panics(&own, |rest| rests(ends, rest), || work(&serving)))
    }

    fn closing(
        name: &str,
        close: impl Fn() + Send + Sync + 'static,
        work: impl FnOnce(&Monitor<bool>) + Send + 'static,
    ) -> io::Result<Self> {
        let ends = Arc::<Monitor<bool>>::default();
        let seen = Arc::clone(&ends);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || work(&seen))?;
        Ok(Self { close: Box::new(close), ends, id: thread.thread().id(), thread: Mutex::new(Some(thread)) })
    }

    /// Tells the thread to end and waits for its end.
    pub fn stop(&self) {
        *self.ends.lock() = true;
        self.ends.notify_all();
        (self.close)();
        let thread = lock(&self.thread).take();
        // The thread may hold the last reference to its owner. Then this code runs on the thread itself, which is about
        // to end and must not wait for itself.
        if let Some(thread) = thread.filter(|_| !self.is_current()) {
            let _ = thread.join();
        }
    }

    /// True if the caller runs on this thread.
    pub fn is_current(&self) -> bool {
        thread::current().id() == self.id
    }

    /// False once the thread has ended.
    pub fn is_alive(&self) -> bool {
        lock(&self.thread).as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

/// Rests; false, at once, when the thread must end.
fn rests(ends: &Monitor<bool>, rest: Duration) -> bool {
    !*ends.wait_timeout_while(ends.lock(), rest, |ends| !*ends)
}

impl Drop for EventThread {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_waits_for_events_ends_with_its_handle() {
        let (tell, told) = channel();
        let shared = Arc::new(Monitor::new((0, false)));
        let thread = EventThread::on(
            "events",
            &shared,
            |state| state.1 = true,
            move |shared| {
                let mut state = shared.lock();
                while !state.1 {
                    if state.0 > 0 {
                        let _ = tell.send(std::mem::take(&mut state.0));
                    }
                    state = shared.wait_timeout(state, Duration::from_millis(1));
                }
            },
        )
        .unwrap();
        shared.lock().0 = 7;
        assert_eq!(told.recv(), Ok(7));
        assert!(thread.is_alive());
        drop(thread);
        assert!(told.recv().is_err() && shared.lock().1);
    }

    #[test]
    fn a_thread_ends_with_its_channel_even_where_it_holds_its_owner() {
        struct ThreadOwner {
            _sender: Sender<()>,
            _thread: EventThread,
        }
        let (sender, receiver) = channel::<()>();
        let (give, given) = channel::<ThreadOwner>();
        let thread = EventThread::start("events", move || {
            let owner = given.recv();
            drop(owner);
            assert!(receiver.recv().is_err());
        })
        .unwrap();
        give.send(ThreadOwner { _sender: sender, _thread: thread }).unwrap();
    }

    #[test]
    fn a_thread_works_between_pauses_and_ends_with_its_handle() {
        let (tell, told) = channel();
        let periodic = Periodic::start("periodic", move |pause| {
            while pause.lasts(Duration::from_millis(1)) {
                let _ = tell.send("worked");
            }
            assert!(pause.is_over() && pause.ends().load(Ordering::Relaxed));
            let _ = tell.send("ended");
        })
        .unwrap();
        assert_eq!(told.recv(), Ok("worked"));
        drop(periodic);
        assert_eq!(told.iter().last(), Some("ended"));
    }

    #[test]
    fn a_long_pause_does_not_hold_up_the_end() {
        let periodic = Periodic::start("periodic", |pause| while pause.lasts(Duration::from_secs(3600)) {}).unwrap();
        drop(periodic);
    }

    #[test]
    fn a_panic_does_not_end_a_periodic_thread() {
        let (tell, told) = channel();
        let mut rounds = 0;
        let periodic = Periodic::start("periodic", move |pause| {
            while pause.lasts(Duration::from_millis(1)) {
                rounds += 1;
                tell.send(rounds).unwrap();
                assert!(rounds != 2, "on purpose");
            }
        })
        .unwrap();
        assert_eq!(told.iter().take(4).collect::<Vec<_>>(), [1, 2, 3, 4]);
        drop(periodic);
    }

    #[test]
    fn a_panic_does_not_end_a_thread_that_waits_for_events() {
        let shared = Arc::new(Monitor::new((0, false)));
        let thread = EventThread::on(
            "events",
            &shared,
            |state| state.1 = true,
            |shared| {
                let mut state = shared.lock();
                while !state.1 {
                    let event = std::mem::take(&mut state.0);
                    assert!(event != 1, "on purpose");
                    state.0 = if event == 2 { 3 } else { event };
                    state = shared.wait_timeout(state, Duration::from_millis(1));
                }
            },
        )
        .unwrap();
        for (event, becomes) in [(1, 0), (2, 3)] {
            shared.lock().0 = event;
            while shared.lock().0 != becomes {
                assert!(thread.is_alive());
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    #[test]
    fn a_thread_that_panics_again_and_again_ends_with_its_handle() {
        for _ in 0..3 {
            drop(EventThread::steady("events", || panic!("on purpose")).unwrap());
            drop(Periodic::start("periodic", |_| panic!("on purpose")).unwrap());
        }
    }

    #[test]
    fn a_panic_of_its_holder_does_not_lock_a_mutex_for_ever() {
        let shared = Arc::new(Mutex::new(1));
        let other = Arc::clone(&shared);
        let panicked = thread::spawn(move || {
            let _held = lock(&other);
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(*lock(&shared), 1);
    }
}
