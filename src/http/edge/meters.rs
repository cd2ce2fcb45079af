//! Counters of the edge, written on the runtime thread and read from any.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The live counters.
#[derive(Debug, Default)]
pub(super) struct Meters {
    pub(super) connections: AtomicU64,
    pub(super) streams: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) refused_connections: AtomicU64,
    pub(super) refused_busy: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) timeouts: AtomicU64,
    pub(super) accept_errors: AtomicU64,
    pub(super) body_bytes: AtomicU64,
    pub(super) reply_bytes: AtomicU64,
}

/// A reading of the edge's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EdgeMetrics {
    /// Connections open now.
    pub connections: u64,
    /// Streams open now.
    pub streams: u64,
    /// Requests that are waiting for a worker now.
    pub queued: u64,
    /// Bytes of request bodies in memory now.
    pub body_bytes: u64,
    /// Bytes of large replies that are being written now.
    pub reply_bytes: u64,
    /// Connections accepted since the start.
    pub accepted: u64,
    /// Connections refused because there were too many.
    pub refused_connections: u64,
    /// Requests refused because the queue, the body memory or the streams were full.
    pub refused_busy: u64,
    /// Requests that were not valid HTTP.
    pub malformed: u64,
    /// Connections that reached a deadline, without idle ones.
    pub timeouts: u64,
    /// Errors of accept.
    pub accept_errors: u64,
}

impl Meters {
    pub(super) fn read(&self, queued: u64) -> EdgeMetrics {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        EdgeMetrics {
            connections: get(&self.connections),
            streams: get(&self.streams),
            queued,
            body_bytes: get(&self.body_bytes),
            reply_bytes: get(&self.reply_bytes),
            accepted: get(&self.accepted),
            refused_connections: get(&self.refused_connections),
            refused_busy: get(&self.refused_busy),
            malformed: get(&self.malformed),
            timeouts: get(&self.timeouts),
            accept_errors: get(&self.accept_errors),
        }
    }
}

/// Adds one to a counter.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// One addition to a gauge, subtracted on drop.
pub(super) struct Gauge {
    meters: Arc<Meters>,
    which: fn(&Meters) -> &AtomicU64,
    by: u64,
}

impl Gauge {
    /// Raises the gauge by one; `None` if it is already at `most`.
    pub(super) fn raise(meters: Arc<Meters>, which: fn(&Meters) -> &AtomicU64, most: u64) -> Option<Self> {
        let mut gauge = Self { meters, which, by: 0 };
        gauge.more(1, most).then_some(gauge)
    }

    /// Makes an addition of zero.
    pub(super) fn empty(meters: Arc<Meters>, which: fn(&Meters) -> &AtomicU64) -> Self {
        Self { meters, which, by: 0 }
    }

    /// Increases this addition. Returns false, and adds nothing, if the gauge would exceed `most`.
    pub(super) fn more(&mut self, by: u64, most: u64) -> bool {
        let gauge = (self.which)(&self.meters);
        let fits = gauge.load(Ordering::Relaxed).checked_add(by).is_some_and(|sum| sum <= most);
        if fits {
            gauge.fetch_add(by, Ordering::Relaxed);
            self.by += by;
        }
        fits
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        (self.which)(&self.meters).fetch_sub(self.by, Ordering::Relaxed);
    }
}
