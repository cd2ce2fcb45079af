//! The reply of a handler. The edge adds the headers of every reply and sends it.

use std::sync::{Arc, Mutex};

use data_encoding::HEXLOWER;
use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LINK,
};
use hyper::http::StatusCode;
use serde::Serialize;

/// The body of a reply.
#[derive(Debug)]
pub enum Body {
    /// A complete body; its length becomes `Content-Length`.
    Bytes(Bytes),
    /// A stream that lives on the runtime thread and costs no pool thread.
    Stream(super::stream::StreamBody),
    /// A body of known length that is fetched piece by piece, at the client's speed.
    Pulled(Pulled),
}

/// The source of a body that is never whole in memory.
pub trait BodySource: Send {
    /// Returns the next piece, never empty; `None` at the end. On a pool thread.
    ///
    /// # Errors
    /// Any I/O error; the reply ends there.
    fn next(&mut self) -> std::io::Result<Option<Bytes>>;
}

/// A body that is fetched piece by piece.
pub struct Pulled {
    /// The length of the body in bytes, for `Content-Length`.
    pub length: u64,
    /// The source of the pieces.
    pub source: Arc<Mutex<dyn BodySource>>,
}

impl std::fmt::Debug for Pulled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes, fetched piece by piece", self.length)
    }
}

/// What a reply depends on, besides its caller, path and query. While this is unchanged, the same reply can be sent
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// The database, and which grants and credentials have ended.
    ByDatabase,
    /// The same, and which agents were seen lately.
    ByPresence,
}

/// The number of headers that a reply has room for: its own and those of the edge, so that the map does not grow.
const HEADERS: usize = 12;

/// The bytes of a content hash in an `ETag`.
const TAG_BYTES: usize = 16;

/// Removes the mark of a weak tag: `If-None-Match` ignores the difference.
fn strong(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// The `ETag` of a content that consists of these parts.
pub(crate) fn tag_of(parts: &[&[u8]]) -> HeaderValue {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let tag = HEXLOWER.encode(&hasher.finalize().as_bytes()[..TAG_BYTES]);
    // Hex digits in quotes are always a valid header value.
    HeaderValue::from_str(&format!("\"{tag}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// A reply: status, headers beyond the standard ones, body.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// Headers beyond those of every reply.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    /// Whether the connection is closed after this reply.
    pub close: bool,
    /// What the reply depends on, if it can be sent again; `None` if every request gets a new one.
    pub decided: Option<Decided>,
}

impl Reply {
    /// A reply without a body.
    pub fn empty(status: StatusCode) -> Self {
        let headers = HeaderMap::with_capacity(HEADERS);
        Self { status, headers, body: Body::Bytes(Bytes::new()), close: false, decided: None }
    }

    /// 204 No Content.
    pub fn no_content() -> Self {
        Self::empty(StatusCode::NO_CONTENT)
    }

    /// A JSON reply with this status.
    pub fn json(status: StatusCode, value: &impl Serialize) -> Self {
        // Most replies fit, so the buffer does not have to grow and be copied.
        let mut bytes = Vec::with_capacity(1024);
        match serde_json::to_writer(&mut bytes, value) {
            Ok(()) => Self::typed(status, "application/json", bytes),
            Err(error) => {
                log::error!("a reply could not be serialised: {error}");
                Self::empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// 200 with a JSON body.
    pub fn ok(value: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, value)
    }

    /// A reply of any content type. `content_type` is a literal and must be a valid header value. JSON is never cached
    /// (taOS contract, section 1).
    pub fn typed(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut reply = Self::empty(status);
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if content_type == "application/json" {
            reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        reply.body = Body::Bytes(body.into());
        reply
    }

    /// Adds a header. A value with anything but visible ASCII, space or tab turns the reply into a bare 500, since it
    /// could inject other headers.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) if value.to_str().is_ok() => {
                self.headers.insert(name, value);
                self
            }
            _ => {
                log::error!("a reply's {name} header had a value that may not be sent");
                Self::empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// Sets what this reply depends on, so that it can be sent again to the same caller.
    #[must_use]
    pub fn decided(mut self, by: Decided) -> Self {
        self.decided = Some(by);
        self
    }

    /// Adds a hash of the content as `ETag`, if the body is in memory and has no tag yet.
    pub fn tag(&mut self) {
        let Body::Bytes(body) = &self.body else { return };
        if self.headers.contains_key(ETAG) {
            return;
        }
        // Two pages can have the same rows and different next pages.
        let tag = tag_of(&[body, self.headers.get(LINK).map_or(b"", HeaderValue::as_bytes)]);
        self.headers.insert(ETAG, tag);
    }

    /// Turns the reply into a 304 if the request has its `ETag` in `If-None-Match` (RFC 9110, section 13.1.2).
    #[must_use]
    pub fn unless_known(self, request: &HeaderMap) -> Self {
        let (Some(tag), true) = (self.headers.get(ETAG), request.contains_key(IF_NONE_MATCH)) else { return self };
        let tag = strong(tag.as_bytes());
        let mut named = request.get_all(IF_NONE_MATCH).iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
        if !named.any(|one| one.trim_ascii() == b"*" || strong(one.trim_ascii()) == tag) {
            return self;
        }
        let mut reply = Self { status: StatusCode::NOT_MODIFIED, body: Body::Bytes(Bytes::new()), ..self };
        reply.headers.remove(CONTENT_TYPE);
        reply.headers.remove(CONTENT_ENCODING);
        reply
    }

    /// The bytes of the body in memory; 0 for a stream or a fetched body.
    pub fn bytes(&self) -> usize {
        match &self.body {
            Body::Bytes(bytes) => bytes.len(),
            // The pieces are read when they are sent.
            Body::Pulled(_) | Body::Stream(_) => 0,
        }
    }

    /// Closes the connection after this reply.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.close = true;
        self
    }
}
