//! Large replies whose clients do not read them, oldest first, and the memory that they may hold together.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::io::Wire;
use super::meters::{Gauge, Meters};

/// The size in bytes from which a reply is counted. The kernel takes most of a smaller one at once.
const COUNTED: u64 = 16 * 1024;
/// The bytes that counted replies may hold together, before the ones that have stalled longest are dropped.
const TOGETHER: u64 = 32 * 1024 * 1024;

/// The stalled replies of all connections.
#[derive(Default)]
pub(super) struct Stalled(RefCell<VecDeque<Weak<Wire>>>);

impl Stalled {
    /// Adds a reply that has started to stall.
    pub(super) fn push(&self, wire: &Rc<Wire>) {
        let mut all = self.0.borrow_mut();
        if all.len() == all.capacity() {
            all.retain(|wire| wire.strong_count() > 0);
        }
        all.push_back(Rc::downgrade(wire));
    }

    /// Makes room for a reply of this size; `None` if it is too small to count. If there is no room even after all
    /// stalled replies are dropped, it is sent anyway: no reply stalls then, so the memory will be released.
    pub(super) fn make_room(&self, bytes: u64, meters: &Arc<Meters>) -> Option<Gauge> {
        if bytes < COUNTED {
            return None;
        }
        let mut held = Gauge::empty(Arc::clone(meters), |m| &m.reply_bytes);
        while !held.more(bytes, TOGETHER) {
            let Some(oldest) = self.0.borrow_mut().pop_front() else {
                held.more(bytes, u64::MAX);
                break;
            };
            if oldest.upgrade().is_some_and(|wire| wire.give_up()) {
                log::debug!("a connection is closed because its client does not read the reply");
            }
        }
        Some(held)
    }
}
