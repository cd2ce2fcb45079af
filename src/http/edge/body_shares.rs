//! The memory that request bodies hold together, and each caller's share of it. A caller is the principal once its
//! credential has been verified, else the peer: an unverified credential counts for nothing.
//! Memory is counted as bytes arrive, not by the announced length. When all memory is used, the caller that uses most
//! loses its largest unfinished body, and the other callers continue.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

use super::meters::{Gauge, Meters};

/// The divisor for one caller's share of the memory: a quarter.
const SHARE: u64 = 4;

/// The limits of the memory for bodies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// The limit of all callers together, in bytes.
    pub(super) together: u64,
    /// The limit of one caller, in bytes.
    pub(super) each: u64,
}

impl Bounds {
    /// Computes the limits: one caller gets its share of the whole, but at least room for the largest body of a route.
    pub(super) fn new(together: u64, largest: u64) -> Self {
        Self { together, each: (together / SHARE).max(largest).min(together) }
    }
}

/// The bodies of all connections.
#[derive(Default)]
pub(super) struct BodyShares {
    total: Cell<u64>,
    callers: RefCell<HashMap<String, CallerBodies>>,
}

#[derive(Default)]
struct CallerBodies {
    bytes: u64,
    bodies: Vec<Rc<BodyProgress>>,
}

/// A body that is being read.
#[derive(Default)]
struct BodyProgress {
    bytes: Cell<u64>,
    /// Set if the body has to give way.
    cut: Cell<bool>,
    /// Set if the body is complete and a handler has it or will get it.
    whole: Cell<bool>,
    task: RefCell<Option<Waker>>,
}

/// The memory of one body, released on drop.
pub(super) struct HeldBytes {
    shares: Rc<BodyShares>,
    caller: String,
    reading: Rc<BodyProgress>,
    gauge: Gauge,
}

impl BodyShares {
    /// Registers a body that holds no memory yet.
    pub(super) fn open(self: &Rc<Self>, caller: String, meters: &Arc<Meters>) -> HeldBytes {
        let reading = Rc::<BodyProgress>::default();
        self.callers.borrow_mut().entry(caller.clone()).or_default().bodies.push(reading.clone());
        HeldBytes { shares: self.clone(), caller, reading, gauge: Gauge::empty(meters.clone(), |m| &m.body_bytes) }
    }

    /// Cuts a body of the caller that holds most, if that is more than `than` bytes; false if there is none.
    fn cut_another(&self, than: u64) -> bool {
        let mut callers = self.callers.borrow_mut();
        let largest = |caller: &CallerBodies| {
            let reading = caller.bodies.iter().filter(|body| !body.whole.get() && body.bytes.get() > 0);
            reading.max_by_key(|body| body.bytes.get()).cloned()
        };
        let found = callers
            .values_mut()
            .filter(|caller| caller.bytes > than)
            .filter_map(|caller| largest(caller).map(|body| (caller, body)))
            .max_by_key(|(caller, _)| caller.bytes);
        let Some((caller, body)) = found else { return false };
        let bytes = body.bytes.replace(0);
        caller.bytes -= bytes;
        self.total.set(self.total.get() - bytes);
        body.cut.set(true);
        if let Some(task) = body.task.take() {
            task.wake();
        }
        true
    }
}

impl HeldBytes {
    /// Counts bytes that have arrived. Returns false, and counts nothing, if there is no room for them.
    pub(super) fn more(&mut self, by: u64, bounds: Bounds) -> bool {
        let own = self.shares.callers.borrow().get(&self.caller).map_or(0, |caller| caller.bytes);
        if own.saturating_add(by) > bounds.each {
            return false;
        }
        while self.shares.total.get().saturating_add(by) > bounds.together {
            if !self.shares.cut_another(own + by) {
                return false;
            }
        }
        self.gauge.more(by, u64::MAX);
        self.reading.bytes.set(self.reading.bytes.get() + by);
        self.shares.total.set(self.shares.total.get() + by);
        if let Some(caller) = self.shares.callers.borrow_mut().get_mut(&self.caller) {
            caller.bytes += by;
        }
        true
    }

    /// Moves the body to the account of this caller.
    pub(super) fn belongs_to(&mut self, caller: String) {
        let body = self.leave();
        self.caller = caller;
        let mut callers = self.shares.callers.borrow_mut();
        let entry = callers.entry(self.caller.clone()).or_default();
        entry.bytes += body.bytes.get();
        entry.bodies.push(body);
    }

    /// Marks the body as complete, so that it is no longer cut.
    pub(super) fn is_whole(&self) {
        self.reading.whole.set(true);
    }

    /// True if this body has to give way. Otherwise the task is woken when it has to.
    pub(super) fn poll_cut(&self, cx: &Context<'_>) -> bool {
        if self.reading.cut.get() {
            return true;
        }
        let mut task = self.reading.task.borrow_mut();
        if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
        false
    }

    /// Removes this body from its caller's account.
    fn leave(&self) -> Rc<BodyProgress> {
        let mut callers = self.shares.callers.borrow_mut();
        if let Some(caller) = callers.get_mut(&self.caller) {
            caller.bytes -= self.reading.bytes.get();
            caller.bodies.retain(|body| !Rc::ptr_eq(body, &self.reading));
            if caller.bodies.is_empty() {
                callers.remove(&self.caller);
            }
        }
        self.reading.clone()
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        let bytes = self.leave().bytes.get();
        self.shares.total.set(self.shares.total.get() - bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(shares: &Rc<BodyShares>, caller: &str) -> HeldBytes {
        shares.open(caller.to_owned(), &Arc::default())
    }

    #[test]
    fn a_caller_has_its_share_and_no_more() {
        let (shares, bounds) = (Rc::<BodyShares>::default(), Bounds::new(100, 10));
        let (mut a, mut more, mut b) = (open(&shares, "a"), open(&shares, "a"), open(&shares, "b"));
        assert!(a.more(20, bounds) && !more.more(6, bounds) && more.more(5, bounds));
        assert!(b.more(25, bounds));
        drop(a);
        assert!(more.more(20, bounds));
    }

    #[test]
    fn who_holds_most_gives_way_and_nobody_else() {
        let (shares, bounds) = (Rc::<BodyShares>::default(), Bounds { together: 30, each: 30 });
        let (mut a, mut a2, mut b, mut c) =
            (open(&shares, "a"), open(&shares, "a"), open(&shares, "b"), open(&shares, "c"));
        assert!(a.more(8, bounds) && a2.more(10, bounds) && b.more(12, bounds));
        assert!(c.more(5, bounds));
        assert!(a2.reading.cut.get() && !a.reading.cut.get() && !b.reading.cut.get());
        assert!(!b.more(9, bounds), "nobody holds more");
        b.is_whole();
        assert!(!c.more(6, bounds), "a whole body is not cut");
        drop((a, a2, b, c));
        assert_eq!((shares.total.get(), shares.callers.borrow().len()), (0, 0));
    }

    #[test]
    fn a_body_moves_to_its_principal() {
        let (shares, bounds) = (Rc::<BodyShares>::default(), Bounds::new(100, 10));
        let mut a = open(&shares, "peer");
        assert!(a.more(20, bounds));
        a.belongs_to("user".to_owned());
        assert!(!a.more(6, bounds) && open(&shares, "peer").more(25, bounds));
        drop(a);
        assert_eq!((shares.total.get(), shares.callers.borrow().len()), (0, 0));
    }
}
