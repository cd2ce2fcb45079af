//! Reads a request's body on the runtime thread, whole or piece by piece, within its size limit, its deadline and the
//! memory limits of its caller and of all callers. No pool thread waits meanwhile.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use hyper::body::{Body, Bytes, Incoming};

use super::body_shares::{Bounds, HeldBytes};
use super::io::Wire;

/// How often the event loop runs until a body that was sent with its head has passed the parser.
const TURNS: u32 = 4;

/// The size of one piece of a body that is read in pieces, in bytes.
pub(super) const PIECE_BYTES: usize = 128 * 1024;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// The client has closed or the connection failed.
    Gone,
    /// The deadline passed.
    Late,
    /// The body is longer than its limit.
    TooLarge,
    /// The caller, or all callers together, hold as much memory as they may.
    Full,
    /// The chunked coding is broken.
    Malformed,
}

/// A body that is being read, and the bytes that have arrived.
pub(super) struct Collecting {
    body: Incoming,
    expected: Option<u64>,
    all: Vec<u8>,
}

impl Collecting {
    pub(super) fn new(body: Incoming) -> Self {
        Self { expected: body.size_hint().exact(), body, all: Vec::new() }
    }

    /// The announced length, in bytes.
    pub(super) fn declared(&self) -> Option<u64> {
        self.expected
    }

    /// True if no bytes have arrived yet.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// True if no bytes are left to be read.
    pub(super) fn is_at_end(&self) -> bool {
        self.body.is_end_stream()
    }

    /// Reads the body if all of it has arrived, without waiting for the client. `None` if it has not; the arrived bytes
    /// are kept.
    pub(super) async fn at_hand(
        &mut self,
        limit: u64,
        wire: &Wire,
        held: &mut HeldBytes,
        bounds: Bounds,
    ) -> Option<Result<Bytes, BodyError>> {
        let mut rest = pin!(self.rest(limit, wire, held, bounds));
        let mut turns = TURNS;
        poll_fn(|cx| match rest.as_mut().poll(cx) {
            Poll::Ready(read) => Poll::Ready(Some(read)),
            Poll::Pending if turns == 0 => Poll::Ready(None),
            Poll::Pending => {
                turns -= 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await
    }

    /// Reads the rest of the body. `held` counts its memory until it is dropped.
    pub(super) async fn rest(
        &mut self,
        limit: u64,
        wire: &Wire,
        held: &mut HeldBytes,
        bounds: Bounds,
    ) -> Result<Bytes, BodyError> {
        loop {
            let Some(data) = next_data(&mut self.body, wire, held).await? else {
                held.is_whole();
                return Ok(std::mem::take(&mut self.all).into());
            };
            if (self.all.len() + data.len()) as u64 > limit {
                return Err(BodyError::TooLarge);
            }
            let only = self.all.is_empty() && self.body.is_end_stream();
            let room = if only { data.len() } else { growth(&self.all, data.len(), self.expected) };
            if !held.more(room as u64, bounds) {
                return Err(BodyError::Full);
            }
            if only {
                held.is_whole();
                return Ok(data);
            }
            self.all.reserve_exact(room);
            self.all.extend_from_slice(&data);
        }
    }
}

/// How much more memory `more` bytes need. It depends on the bytes that have arrived, never only on the announced
/// length.
fn growth(all: &Vec<u8>, more: usize, expected: Option<u64>) -> usize {
    let (has, room) = (all.len(), all.capacity() - all.len());
    if room >= more {
        return 0;
    }
    let declared = expected.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    has.max(more).min(declared.saturating_sub(has)).max(more)
}

/// Waits for the next bytes of a body, however few; `None` at its end.
async fn next_data(body: &mut Incoming, wire: &Wire, held: &HeldBytes) -> Result<Option<Bytes>, BodyError> {
    loop {
        let frame = poll_fn(|cx| {
            if held.poll_cut(cx) {
                return Poll::Ready(Err(BodyError::Full));
            }
            if wire.body_is_late() {
                return Poll::Ready(Err(BodyError::Late));
            }
            Pin::new(&mut *body).poll_frame(cx).map(|frame| frame.transpose().map_err(|_| fault(wire)))
        });
        let Some(frame) = frame.await? else { return Ok(None) };
        // Other frames are trailers, which the daemon ignores.
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}

/// Reads the next piece of a body: about `PIECE_BYTES`, or the rest of it; `None` after the end. `left` is the number
/// of bytes that the body may still have. `held` counts the memory of the piece.
pub(super) async fn piece(
    body: &mut Incoming,
    left: &mut u64,
    wire: &Wire,
    held: &mut HeldBytes,
    bounds: Bounds,
) -> Result<Option<Bytes>, BodyError> {
    let mut all: Vec<u8> = Vec::new();
    while all.len() < PIECE_BYTES {
        let Some(data) = next_data(body, wire, held).await? else { break };
        *left = left.checked_sub(data.len() as u64).ok_or(BodyError::TooLarge)?;
        let room = growth(&all, data.len(), None);
        if !held.more(room as u64, bounds) {
            return Err(BodyError::Full);
        }
        all.reserve_exact(room);
        all.extend_from_slice(&data);
    }
    held.is_whole();
    Ok((!all.is_empty()).then(|| all.into()))
}

/// If a chunked body ends early, the client has gone. Any other fault is a broken chunked coding.
fn fault(wire: &Wire) -> BodyError {
    if wire.is_gone() { BodyError::Gone } else { BodyError::Malformed }
}
