//! The state that all connections share on the runtime thread.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::server::conn::http1;
use tokio::sync::Notify;

use super::body_shares::BodyShares;
use super::host::AllowedHosts;
use super::io::{READ_BYTES, Timeouts};
use super::meters::{Gauge, Meters};
use super::stalled::Stalled;
use crate::http::pool::Pool;
use crate::http::worker_shares::WorkerShares;
use crate::limits::Limits;
use crate::rest::intake::IntakeStep;
use crate::rest::service::{Outcome, Service, Work};

/// The result of work on the pool.
pub(super) enum PoolOutcome<S: Service> {
    /// The access check passed.
    Admitted(S::Admitted),
    /// The access check passed, but the principal has no free place. Contains the rest of the work.
    Crowded(Work, u64),
    /// The request is done or postponed. The number is the principal whose place the work used.
    Outcome(Outcome, Option<u64>),
    /// The result of a piece of a body.
    Taken(IntakeStep),
    /// The next piece of a reply; `None` at its end.
    Piece(std::io::Result<Option<Bytes>>),
}

/// The settings that a reload may change.
pub(super) struct Rules {
    pub(super) limits: Limits,
    /// An open connection keeps its timeouts, as it keeps its parser.
    pub(super) timeouts: Timeouts,
    pub(super) http: http1::Builder,
    pub(super) hosts: AllowedHosts,
}

impl Rules {
    pub(super) fn new(limits: Limits, hosts: AllowedHosts) -> Self {
        Self { timeouts: Timeouts::new(&limits), http: builder(&limits), limits, hosts }
    }
}

/// The state that all connections of an edge share.
pub(super) struct Core<S: Service> {
    pub(super) service: Arc<S>,
    rules: RefCell<Rc<Rules>>,
    pub(super) pool: Arc<Pool<PoolOutcome<S>>>,
    pub(super) shares: Arc<WorkerShares>,
    pub(super) meters: Arc<Meters>,
    pub(super) ids: RequestIds,
    pub(super) scratch: Rc<RefCell<Box<[u8]>>>,
    pub(super) stalled: Rc<Stalled>,
    /// The bodies that are being read or handled.
    pub(super) bodies: Rc<BodyShares>,
    /// Refusals past the connection limit that are being sent now.
    pub(super) refusals: Cell<usize>,
    pub(super) crowd: Rc<Crowd>,
    last_accept_log: Cell<Option<Instant>>,
}

impl<S: Service> Core<S> {
    pub(super) fn new(service: Arc<S>, rules: Rules, pool: Arc<Pool<PoolOutcome<S>>>, meters: Arc<Meters>) -> Self {
        Self {
            rules: RefCell::new(Rc::new(rules)),
            service,
            shares: WorkerShares::new(pool.workers()),
            pool,
            meters,
            ids: RequestIds::new(),
            scratch: Rc::new(RefCell::new(vec![0; READ_BYTES].into_boxed_slice())),
            stalled: Rc::default(),
            bodies: Rc::default(),
            refusals: Cell::new(0),
            crowd: Rc::default(),
            last_accept_log: Cell::new(None),
        }
    }

    /// Returns the rules in force.
    pub(super) fn rules(&self) -> Rc<Rules> {
        self.rules.borrow().clone()
    }

    /// Sets other rules, for later connections and requests.
    pub(super) fn set_rules(&self, rules: Rules) {
        self.pool.set_capacity(usize::try_from(rules.limits.queue_length).unwrap_or(usize::MAX));
        self.rules.replace(Rc::new(rules));
    }

    /// Admits a connection if neither its peer nor all peers together have reached the limit.
    pub(super) fn admit(&self, peer: String) -> Option<Admission> {
        let rules = self.rules();
        let limits = &rules.limits;
        let open = Gauge::raise(self.meters.clone(), |m| &m.connections, limits.max_connections)?;
        let mut peers = self.crowd.peers.borrow_mut();
        let of_peer = peers.entry(peer.clone()).or_insert(0);
        if *of_peer >= limits.max_connections_per_peer {
            return None;
        }
        *of_peer += 1;
        Some(Admission { crowd: self.crowd.clone(), peer, open: Some(open) })
    }

    /// True at most once a second, to limit the log lines.
    pub(super) fn may_log_accept_error(&self) -> bool {
        let now = Instant::now();
        let due = self.last_accept_log.get().is_none_or(|last| now - last >= Duration::from_secs(1));
        if due {
            self.last_accept_log.set(Some(now));
        }
        due
    }
}

fn builder(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    let head = usize::try_from(limits.max_head_bytes).unwrap_or(usize::MAX);
    http.max_header_size(head)
        .max_buf_size(head.max(8 * 1024))
        .header_read_timeout(None)
        // The edge detects clients that go. hyper would detect them by reading ahead, each time into a new buffer.
        .half_close(true)
        .ignore_invalid_headers(false)
        .allow_multiple_spaces_in_request_line_delimiters(false);
    // If this is not set, hyper allows 100 and keeps its tables on the stack.
    if limits.max_header_lines != 100 {
        http.max_headers(usize::try_from(limits.max_header_lines).unwrap_or(usize::MAX));
    }
    http
}

/// The connected peers.
#[derive(Default)]
pub(super) struct Crowd {
    peers: RefCell<HashMap<String, u64>>,
    /// Notified whenever a connection ends.
    pub(super) left: Notify,
}

/// The place of one connection, released on drop.
pub(super) struct Admission {
    crowd: Rc<Crowd>,
    peer: String,
    open: Option<Gauge>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut peers = self.crowd.peers.borrow_mut();
        if let Some(of_peer) = peers.get_mut(&self.peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                peers.remove(&self.peer);
            }
        }
        self.open = None;
        self.crowd.left.notify_waiters();
    }
}

/// Creates request ids: a random number of this run of the daemon, then a counter.
pub(super) struct RequestIds {
    run: String,
    next: Cell<u64>,
}

impl RequestIds {
    fn new() -> Self {
        let run = getrandom::u32().unwrap_or_else(|_| std::process::id());
        Self { run: format!("{run:08x}-"), next: Cell::new(1) }
    }

    pub(super) fn next(&self) -> String {
        let n = self.next.get();
        self.next.set(n + 1);
        let mut id = String::with_capacity(26);
        id.push_str(&self.run);
        // Writing to a string does not fail.
        let _ = write!(id, "{n:x}");
        id
    }
}
