//! The headers of every reply (http-edge contract, section 2.4), the body that hyper pulls, and the bytes of a refusal
//! that is sent without hyper. No other place sets standard headers.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, REFERRER_POLICY, SERVER, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::StatusCode;
use tokio::sync::mpsc;

use super::gate::ConnectionGate;
use super::io::Wire;
use super::meters::{Gauge, Meters};
use crate::rest::reply::{Body, Reply};

/// The header with the request id.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const HTML_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Sets the headers that every reply has. `path` is empty if the request could not be read.
pub(super) fn standard_headers(headers: &mut HeaderMap, path: &str, request_id: &str) {
    headers.remove(SERVER);
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(X_REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if is_private(path) && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(kind) = headers.get(CONTENT_TYPE).and_then(without_charset) {
        headers.insert(CONTENT_TYPE, kind);
    }
    let html = headers.get(CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"text/html"));
    // The reply of an agent has a stricter policy already.
    if html && !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(HTML_POLICY));
    }
}

/// Adds UTF-8 to a text type without a charset; `None` for other types.
fn without_charset(kind: &HeaderValue) -> Option<HeaderValue> {
    let kind = kind.to_str().ok().filter(|k| k.starts_with("text/") && !k.contains("charset="))?;
    HeaderValue::from_str(&format!("{kind}; charset=utf-8")).ok()
}

/// True if the reply must not be cached: under `/api`, `/auth` and `/mcp`, and if the request could not be read.
fn is_private(path: &str) -> bool {
    let under = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path.is_empty() || under("/api") || under("/auth") || under("/mcp")
}

/// True if every value is valid: visible ASCII, space and tab.
pub(super) fn may_be_sent(headers: &HeaderMap) -> bool {
    headers.values().all(|value| value.to_str().is_ok())
}

/// Removes the headers that belong to the connection: handlers do not decide the framing.
pub(super) fn strip_framing(headers: &mut HeaderMap) {
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
}

/// Statuses that never have a body.
pub(super) fn is_bodyless(status: StatusCode) -> bool {
    status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED
}

/// A piece that is being fetched; `None` at the end, or if it cannot be fetched.
pub(super) type Fetching = Pin<Box<dyn Future<Output = Option<Bytes>>>>;

/// The body of a reply, for hyper.
pub(super) enum ReplyBody {
    /// The whole body; `None` once taken.
    Whole(Option<Bytes>, Rc<Wire>),
    /// Pieces, each fetched when hyper has taken the one before.
    Pulled { left: u64, fetch: Box<dyn FnMut() -> Fetching>, fetching: Option<Fetching>, wire: Rc<Wire> },
    /// Chunks as they arrive.
    Stream { chunks: mpsc::Receiver<Bytes>, wire: Rc<Wire>, gate: Rc<ConnectionGate>, _open: Gauge },
}

impl HttpBody for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes, wire) => {
                wire.handed_over();
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Pulled { left, fetch, fetching, wire } => {
                let next = std::task::ready!(fetching.get_or_insert_with(&mut *fetch).as_mut().poll(cx));
                *fetching = None;
                let piece = next.filter(|piece| piece.len() as u64 <= *left);
                *left -= piece.as_ref().map_or(0, Bytes::len) as u64;
                // If the body ends too early, hyper cuts the connection, because the announced length is missing.
                if *left == 0 {
                    wire.handed_over();
                }
                Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
            }
            Self::Stream { chunks, wire, gate, .. } => {
                if gate.is_closed() {
                    // Chunks that are already queued are still sent.
                    chunks.close();
                }
                let next = chunks.poll_recv(cx);
                if let Poll::Ready(None) = next {
                    wire.handed_over();
                }
                next.map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes, _) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Pulled { left, .. } => *left == 0,
            Self::Stream { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes, _) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Pulled { left, .. } => SizeHint::with_exact(*left),
            Self::Stream { .. } => SizeHint::default(),
        }
    }
}

/// Takes one of the places for open streams; `None` if there is no free one.
pub(super) fn open_stream(meters: &Arc<Meters>, most: u64) -> Option<Gauge> {
    Gauge::raise(Arc::clone(meters), |m| &m.streams, most)
}

/// A refusal as bytes, for a connection that hyper does not serve, or does not serve any more. It is always the last
/// data on the connection.
pub(super) fn refusal_bytes(mut reply: Reply, request_id: &str) -> Vec<u8> {
    standard_headers(&mut reply.headers, "", request_id);
    strip_framing(&mut reply.headers);
    let body = match reply.body {
        Body::Bytes(bytes) => bytes,
        Body::Stream(_) | Body::Pulled(_) => Bytes::new(),
    };
    let reason = reply.status.canonical_reason().unwrap_or("Error");
    let mut out = format!("HTTP/1.1 {} {reason}\r\n", reply.status.as_str()).into_bytes();
    for (name, value) in reply.headers.iter().filter(|(_, value)| value.to_str().is_ok()) {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&jiff::Timestamp::now());
    if let Ok(date) = date {
        out.extend_from_slice(format!("date: {date}\r\n").as_bytes());
    }
    out.extend_from_slice(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).as_bytes());
    out.extend_from_slice(&body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_replies_under_api_and_auth_and_refusals_are_kept_from_caches() {
        let cache = |path: &str| {
            let mut headers = HeaderMap::new();
            standard_headers(&mut headers, path, "id");
            headers.get(CACHE_CONTROL).map(|v| v.to_str().unwrap().to_owned())
        };
        for path in ["", "/api", "/api/agents", "/auth", "/auth/exchange"] {
            assert_eq!(cache(path).as_deref(), Some("no-store"), "{path}");
        }
        for path in ["/", "/apis", "/docs/api", "/healthz"] {
            assert_eq!(cache(path), None, "{path}");
        }
    }

    #[test]
    fn a_refusal_is_a_complete_reply_that_closes() {
        let reply = Reply::typed(StatusCode::BAD_REQUEST, "application/json", "{}");
        let text = String::from_utf8(refusal_bytes(reply, "the-id")).unwrap();
        assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
        assert!(text.contains("\r\nx-request-id: the-id\r\n") && text.contains("\r\nconnection: close\r\n"), "{text}");
        assert!(text.contains(" GMT\r\n") && text.ends_with("content-length: 2\r\nconnection: close\r\n\r\n{}"));
    }
}
