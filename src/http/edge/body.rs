//! Collecting a request's body on the runtime thread, whole or piece by piece, within its limit, its deadline and the
//! memory that all bodies share. No pool thread is held meanwhile.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use hyper::body::{Body, Bytes, Incoming};

use super::io::Wire;
use super::meters::Gauge;

/// Bytes of one piece of a body that is taken in pieces.
const PIECE_BYTES: usize = 128 * 1024;

/// Why a body was not collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// The client has closed or the connection failed.
    Gone,
    /// The deadline passed.
    Late,
    /// The limit was passed.
    TooLarge,
    /// All bodies together hold as much as they may.
    Full,
    /// The chunked coding is broken.
    Malformed,
}

/// Reads the body to its end. `held` counts what it holds, and goes on counting until dropped.
pub(super) async fn collect(
    mut body: Incoming,
    limit: u64,
    wire: &Wire,
    held: &mut Gauge,
    most_held: u64,
) -> Result<Bytes, BodyError> {
    let expected = body.size_hint().exact();
    let mut all: Vec<u8> = Vec::new();
    loop {
        let Some(data) = next_data(&mut body, wire).await? else { return Ok(all.into()) };
        if (all.len() + data.len()) as u64 > limit {
            return Err(BodyError::TooLarge);
        }
        if !held.more(data.len() as u64, most_held) {
            return Err(BodyError::Full);
        }
        if all.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        append(&mut all, &data, expected);
    }
}

/// The next data of a body, however little; `None` at its end.
async fn next_data(body: &mut Incoming, wire: &Wire) -> Result<Option<Bytes>, BodyError> {
    loop {
        let frame = poll_fn(|cx| {
            if wire.body_is_late() {
                return Poll::Ready(Err(BodyError::Late));
            }
            Pin::new(&mut *body).poll_frame(cx).map(|frame| frame.transpose().map_err(|_| fault(wire)))
        });
        let Some(frame) = frame.await? else { return Ok(None) };
        // What is not data are trailers, which nothing here reads.
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}

/// Reads the next piece of a body: about `PIECE_BYTES` of it, or what there is until its end; `None` behind the end.
/// `left` is what the whole may still have. `held` counts the piece.
pub(super) async fn piece(
    body: &mut Incoming,
    left: &mut u64,
    wire: &Wire,
    held: &mut Gauge,
    most_held: u64,
) -> Result<Option<Bytes>, BodyError> {
    let mut all: Vec<u8> = Vec::new();
    while all.len() < PIECE_BYTES {
        let Some(data) = next_data(body, wire).await? else { break };
        *left = left.checked_sub(data.len() as u64).ok_or(BodyError::TooLarge)?;
        if !held.more(data.len() as u64, most_held) {
            return Err(BodyError::Full);
        }
        append(&mut all, &data, None);
    }
    Ok((!all.is_empty()).then(|| all.into()))
}

/// A chunked body that ends early is a client that has gone; anything else wrong is wrong in the coding.
fn fault(wire: &Wire) -> BodyError {
    if wire.is_gone() { BodyError::Gone } else { BodyError::Malformed }
}

/// Grows with what has come, never by what was merely declared.
fn append(all: &mut Vec<u8>, data: &[u8], expected: Option<u64>) {
    if all.capacity() - all.len() < data.len() {
        let left = expected.map_or(usize::MAX, |e| usize::try_from(e).unwrap_or(usize::MAX).saturating_sub(all.len()));
        all.reserve_exact(all.len().max(data.len()).min(left).max(data.len()));
    }
    all.extend_from_slice(data);
}
