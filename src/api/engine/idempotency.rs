//! `Idempotency-Key`: a repeated request gets the stored reply, and the work is not done again (DESIGN D12).
//!
//! A key is reserved before the work and completed in the work's own transaction. A repeat that finds a reservation
//! waits for its owner without holding a thread. If the owner fails, the repeat does the work itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::{HeaderMap, Method, StatusCode};
use rusqlite::Connection;
use serde_json::{Map, Value};

use crate::access::Caller;
use crate::limits;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::input::Input;
use crate::rest::reply::{Body, Reply};
use crate::rest::route::Repeat;
use crate::rest::stream::{Signal, Wait};
use crate::store::idempotency::{self as rows, RequestKey, Reserved, StoredReply};
use crate::store::{self, Store};
use crate::threads::lock;
use crate::time::Micros;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// The header of a replayed reply.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Returns the key under which the request's reply is stored; `None` if it has none, or if its route takes none.
///
/// # Errors
/// `invalid_idempotency_key`; see [`check`].
pub fn request_key(
    (repeat, method): (Repeat, &Method),
    caller: &Caller,
    input: &Input,
) -> Result<Option<RequestKey>, ApiError> {
    if repeat != Repeat::Key || !input.head.headers.contains_key(&HEADER) {
        return Ok(None);
    }
    let key = check(input.header(&HEADER).unwrap_or(""))?.to_owned();
    let route = format!("{method} /{}", input.head.segments.join("/"));
    Ok(Some(RequestKey { principal: caller.principal_key(), route, key }))
}

/// Returns the key if it is valid: 1 to [`limits::IDEMPOTENCY_KEY_CHARS`] printable ASCII characters without spaces.
///
/// # Errors
/// `invalid_idempotency_key` otherwise.
pub fn check(key: &str) -> Result<&str, ApiError> {
    if (1..=limits::IDEMPOTENCY_KEY_CHARS).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(key)
    } else {
        Err(codes::INVALID_IDEMPOTENCY_KEY.into())
    }
}

/// True for an error that a repeat gets again; after any other error a repeat does the work.
pub fn is_kept(error: &ApiError) -> bool {
    let code = error.code;
    (400..500).contains(&code.status)
        && !matches!(code.status, 401 | 403 | 408 | 429)
        && code != codes::IDEMPOTENCY_IN_FLIGHT
}

/// The keys whose requests are running in this process.
#[derive(Default)]
pub struct InFlight(Mutex<HashMap<RequestKey, ([u8; 32], Signal)>>);

type InFlightGuard<'a> = MutexGuard<'a, HashMap<RequestKey, ([u8; 32], Signal)>>;

impl InFlight {
    fn lock(&self) -> InFlightGuard<'_> {
        lock(&self.0)
    }
}

/// The result of trying to reserve a key.
pub enum Tried {
    /// The key is reserved for this request: do the work.
    Ours(Reservation),
    /// Another request with this key is running: wait and try again.
    Wait(Wait),
    /// The work was done before; the stored reply.
    Replay(Reply),
    /// The key cannot be used.
    Refused(ApiError),
}

/// A key that is reserved for this request until the work is done. Dropping it unsettled releases the key.
pub struct Reservation {
    store: Arc<Store>,
    in_flight: Arc<InFlight>,
    key: RequestKey,
    owner: Arc<str>,
    reserved: bool,
}

/// The key and its owner, which the work's transaction needs to store the reply.
#[derive(Clone)]
pub struct Claim {
    key: RequestKey,
    owner: Arc<str>,
}

/// Takes the key in memory; [`Reservation::reserve`] then reserves it on disk.
pub fn take(
    store: &Arc<Store>,
    in_flight: &Arc<InFlight>,
    owner: &Arc<str>,
    key: RequestKey,
    body_hash: [u8; 32],
) -> Result<Reservation, Tried> {
    let mut held = in_flight.lock();
    if let Some((hash, signal)) = held.get(&key) {
        return Err(if *hash == body_hash {
            Tried::Wait(signal.wait())
        } else {
            Tried::Refused(codes::IDEMPOTENCY_KEY_REUSED.into())
        });
    }
    held.insert(key.clone(), (body_hash, Signal::new()));
    drop(held);
    Ok(Reservation {
        store: Arc::clone(store),
        in_flight: Arc::clone(in_flight),
        key,
        owner: Arc::clone(owner),
        reserved: false,
    })
}

impl Reservation {
    /// Reserves the key on disk, then calls `then` with the result.
    pub fn reserve(mut self, body_hash: [u8; 32], then: impl FnOnce(Tried) + Send + 'static) {
        let (store, key, owner) = (Arc::clone(&self.store), self.key.clone(), Arc::clone(&self.owner));
        store.submit(
            move |conn| rows::reserve(conn, &key, &body_hash, &owner, Micros::now()),
            move |met: store::Result<Reserved>| {
                then(match met {
                    Ok(Reserved::Ours) => {
                        self.reserved = true;
                        Tried::Ours(self)
                    }
                    Ok(Reserved::Done(stored)) => Tried::Replay(replay(stored)),
                    Ok(Reserved::OtherBody) => Tried::Refused(codes::IDEMPOTENCY_KEY_REUSED.into()),
                    // The owner of a reservation that is only on disk cannot signal its end, so the repeat waits for
                    // its deadline.
                    Ok(Reserved::InFlight) => Tried::Wait(Signal::new().wait()),
                    Err(error) => Tried::Refused(error.into()),
                });
            },
        );
    }

    /// Returns the claim for the work's transaction.
    pub fn claim(&self) -> Claim {
        Claim { key: self.key.clone(), owner: Arc::clone(&self.owner) }
    }

    /// Ends the reservation. The key becomes free again unless the reply is `stored` on disk.
    pub fn settle(mut self, stored: bool) {
        self.reserved &= !stored;
    }

    /// Stores a reply that had no transaction of its own.
    pub fn store(self, reply: &Reply) {
        let (claim, stored) = (self.claim(), stored(reply));
        let store = Arc::clone(&self.store);
        store.submit(
            move |conn| rows::complete(conn, &claim.key, &claim.owner, &stored),
            move |done: store::Result<()>| self.settle(done.is_ok()),
        );
    }
}

/// Holds a reservation until the handler's transaction takes it.
#[derive(Clone, Default)]
pub struct Slot(Arc<Mutex<Option<Reservation>>>);

impl Slot {
    /// Creates a slot that holds a reservation.
    pub fn new(reservation: Reservation) -> Self {
        Self(Arc::new(Mutex::new(Some(reservation))))
    }

    /// Takes the reservation, if it is still there.
    pub fn take(&self) -> Option<Reservation> {
        lock(&self.0).take()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.reserved {
            let key = self.key.clone();
            self.store.submit(
                move |conn| rows::release(conn, &key),
                |released: store::Result<()>| {
                    if let Err(error) = released {
                        log::warn!("a reservation could not be released: {error}");
                    }
                },
            );
        }
        if let Some((_, signal)) = self.in_flight.lock().remove(&self.key) {
            signal.raise();
        }
    }
}

impl Claim {
    /// Stores the reply in the work's transaction.
    ///
    /// # Errors
    /// Any `StoreError`.
    pub fn complete(&self, conn: &Connection, reply: &Reply) -> store::Result<()> {
        rows::complete(conn, &self.key, &self.owner, &stored(reply))
    }
}

impl Claim {
    /// Replaces the stored promise with the final reply of slow work. A 5xx reply is stored only if `kept`; otherwise
    /// the key is freed, and a repeat does the work.
    pub fn replace(self, store: &Store, reply: &Reply, kept: bool) {
        let stored = stored(reply);
        store.submit(
            move |conn| match stored.status {
                500.. if !kept => rows::forget(conn, &self.key, &self.owner),
                _ => rows::replace(conn, &self.key, &self.owner, &stored),
            },
            |done: store::Result<()>| {
                if let Err(error) = done {
                    log::warn!("a later reply could not be stored, so repeats get the first one: {error}");
                }
            },
        );
    }
}

/// Returns the time until which a repeat waits, counted from its arrival.
pub fn deadline(arrived: Instant) -> Instant {
    arrived + limits::IDEMPOTENCY_WAIT
}

fn stored(reply: &Reply) -> StoredReply {
    let headers: Map<String, Value> = reply
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), Value::from(value.to_str().ok()?))))
        .collect();
    let body = match &reply.body {
        Body::Bytes(bytes) => bytes.to_vec(),
        Body::Stream(_) | Body::Pulled(_) => Vec::new(),
    };
    StoredReply { status: reply.status.as_u16(), headers: Value::Object(headers).to_string(), body }
}

fn replay(stored: StoredReply) -> Reply {
    let mut reply = Reply::empty(StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK));
    let headers: Map<String, Value> = serde_json::from_str(&stored.headers).unwrap_or_default();
    reply.headers = headers
        .iter()
        .filter_map(|(name, value)| Some((name.parse().ok()?, HeaderValue::from_str(value.as_str()?).ok()?)))
        .collect::<HeaderMap>();
    reply.headers.insert(REPLAYED, HeaderValue::from_static("true"));
    reply.body = Body::Bytes(Bytes::from(stored.body));
    reply
}
