//! One connection from accept to close: polls hyper, enforces the deadlines and sends the final refusal.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::service::service_fn;
use tokio::time::{Sleep, sleep_until, timeout};

use super::check;
use super::core::{Admission, Core};
use super::io::{Io, Phase, Wire};
use super::meters::count;
use super::reply::refusal_bytes;
use super::request::{self, ConnectionContext};
use crate::rest::codes::{self, Code};
use crate::rest::error::ApiError;
use crate::rest::service::Service;

/// The most bytes that are read and dropped before a connection is closed, and the time for that.
const LINGER_BYTES: usize = 256 * 1024;
const LINGER: Duration = Duration::from_millis(500);
/// The time limit for sending a refusal.
const REFUSAL_WRITE: Duration = Duration::from_secs(1);

/// Why a connection ends.
enum ConnectionEnd {
    /// hyper has ended it, with success or an error.
    Http(hyper::Result<()>),
    /// The client has gone while its request was being handled.
    Gone,
    /// The head did not arrive in time.
    HeadLate,
    /// It was idle for too long, or the daemon stops.
    Rested,
    /// The client does not read its reply.
    Stuck,
}

/// Serves a connection to its end.
pub(super) async fn serve<S: Service>(core: Rc<Core<S>>, link: Rc<ConnectionContext>, admission: Admission) {
    let answer = {
        let (core, link) = (core.clone(), link.clone());
        service_fn(move |request| request::answer(core.clone(), link.clone(), request))
    };
    let mut http = core.rules().http.serve_connection(Io(link.wire.clone()), answer);
    let end = drive(&mut http, &link).await;
    let wire = &link.wire;
    match end {
        ConnectionEnd::Http(Ok(())) if wire.is_gone() => {}
        ConnectionEnd::Http(Ok(())) => {
            drop(http);
            linger(wire).await;
        }
        ConnectionEnd::Http(Err(error)) if error.is_parse() && wire.between_requests() => {
            let rest = http.into_parts().read_buf;
            let code = check::unparsable(&rest, error.is_parse_too_large(), &core.rules().limits);
            drop(rest);
            count(&core.meters.malformed);
            Box::pin(refuse(&core, wire, code)).await;
        }
        ConnectionEnd::Http(Err(error)) => log::debug!("a connection from {} failed: {error}", link.key),
        ConnectionEnd::HeadLate => {
            drop(http);
            count(&core.meters.timeouts);
            Box::pin(refuse(&core, wire, codes::REQUEST_TIMEOUT)).await;
        }
        ConnectionEnd::Rested | ConnectionEnd::Gone => {}
        ConnectionEnd::Stuck => {
            count(&core.meters.timeouts);
            wire.discard_unsent();
        }
    }
    drop(admission);
}

/// Polls hyper until the connection ends. One timer serves all phases. A new phase resets it only if it ends before the
/// timer fires, so a busy connection rarely resets it.
async fn drive<H>(http: &mut H, link: &ConnectionContext) -> ConnectionEnd
where
    H: Future<Output = hyper::Result<()>> + Unpin,
{
    let wire = &link.wire;
    let mut timer = pin!(sleep_until(wire.deadline().unwrap_or_else(Instant::now).into()));
    let mut closing = pin!(link.gate.closing());
    let mut registered = false;
    let mut last_look = false;
    poll_fn(|cx| {
        wire.tick();
        loop {
            if let Poll::Ready(result) = Pin::new(&mut *http).poll(cx) {
                return Poll::Ready(ConnectionEnd::Http(result));
            }
            if link.gate.is_closed() && wire.between_requests() {
                // Waits for one more turn of the event loop, so that a head that has arrived gets its reply.
                if last_look {
                    return Poll::Ready(ConnectionEnd::Rested);
                }
                last_look = true;
                let mut turn = pin!(tokio::task::yield_now());
                let _ = turn.as_mut().poll(cx);
                return Poll::Pending;
            }
            // The waker of the task never changes, so registering once is enough.
            if !std::mem::replace(&mut registered, true) && closing.as_mut().poll(cx).is_ready() {
                continue;
            }
            let in_hand = matches!(wire.phase(), Phase::Handling | Phase::Streaming);
            if in_hand && wire.poll_gone(cx) {
                return Poll::Ready(ConnectionEnd::Gone);
            }
            if !passed(wire.deadline(), timer.as_mut(), cx) {
                return Poll::Pending;
            }
            match wire.phase() {
                Phase::Head => return Poll::Ready(ConnectionEnd::HeadLate),
                Phase::Idle => return Poll::Ready(ConnectionEnd::Rested),
                Phase::Writing | Phase::Streaming => return Poll::Ready(ConnectionEnd::Stuck),
                Phase::Body => wire.set_body_late(),
                Phase::Handling => return Poll::Pending,
            }
        }
    })
    .await
}

/// True if the deadline has passed. Otherwise the task is woken by then.
fn passed(deadline: Option<Instant>, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> bool {
    let Some(deadline) = deadline else { return false };
    if timer.deadline() > deadline.into() {
        timer.as_mut().reset(deadline.into());
    }
    while timer.as_mut().poll(cx).is_ready() {
        if deadline <= Instant::now() {
            return true;
        }
        timer.as_mut().reset(deadline.into());
    }
    false
}

/// Sends the reason why this connection is not served, or not served any more, and closes it.
pub(super) async fn refuse<S: Service>(core: &Core<S>, wire: &Wire, code: &'static Code) {
    let reply = core.service.render(&ApiError::new(code).closing(), None);
    let bytes = refusal_bytes(reply, &core.ids.next());
    if let Ok(Ok(())) = timeout(REFUSAL_WRITE, wire.send(&bytes)).await {
        linger(wire).await;
    }
}

/// Ends the daemon's side and drops the client's remaining bytes, within limits.
async fn linger(wire: &Wire) {
    let _ = timeout(LINGER, wire.drain(LINGER_BYTES)).await;
}
