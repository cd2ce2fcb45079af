//! A gate that closes once: then everyone who waits learns that no further requests are served.

use std::cell::Cell;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The gate. It is open until closed, and stays on the runtime thread.
#[derive(Debug, Default)]
pub(super) struct ConnectionGate {
    closed: Cell<bool>,
    changed: Notify,
}

impl ConnectionGate {
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.changed.notify_waiters();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Resolves when the gate closes, but never if it is closed already.
    pub(super) fn closing(&self) -> Notified<'_> {
        self.changed.notified()
    }
}
