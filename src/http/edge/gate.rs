//! A gate that closes once: whoever waits learns that no further requests are to be served.

use std::cell::Cell;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Open until closed; lives on the runtime thread.
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

    /// Resolves when the gate closes; does not if it has been closed before.
    pub(super) fn closing(&self) -> Notified<'_> {
        self.changed.notified()
    }
}
