//! A document that does not change while the daemon runs. It is made and compressed once, and has an `ETag`.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HeaderMap, HeaderValue, VARY};
use hyper::http::StatusCode;

use super::reply::{Reply, tag_of};

/// A document in plain and in compressed form.
#[derive(Debug)]
pub struct Document {
    content_type: &'static str,
    plain: Representation,
    gzip: Representation,
}

/// A document's bytes and their `ETag`.
#[derive(Debug)]
struct Representation {
    bytes: Bytes,
    tag: HeaderValue,
}

impl Representation {
    fn new(bytes: Vec<u8>) -> Self {
        let tag = tag_of(&[&bytes]);
        Self { bytes: bytes.into(), tag }
    }
}

impl Document {
    /// Makes a document. `content_type` is a literal and must be a valid header value.
    pub fn new(content_type: &'static str, text: String) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing into memory does not fail.
        let gzip = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).unwrap_or_default();
        Self { content_type, plain: Representation::new(text.into()), gzip: Representation::new(gzip) }
    }

    /// The reply to a request with these headers: compressed if the client accepts gzip, 304 if it has the document
    /// already.
    pub fn reply(&self, request: &HeaderMap) -> Reply {
        let zipped = !self.gzip.bytes.is_empty() && takes_gzip(request);
        let form = if zipped { &self.gzip } else { &self.plain };
        let mut reply = Reply::typed(StatusCode::OK, self.content_type, form.bytes.clone());
        reply.headers.insert(ETAG, form.tag.clone());
        reply.headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if zipped {
            reply.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        reply.unless_known(request)
    }
}

/// The header of a gzip file without a time or a system (RFC 1952, section 2.3).
pub(crate) const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Whether a request accepts gzip (RFC 9110, section 12.5.3). Without `Accept-Encoding` the answer is no.
pub(crate) fn takes_gzip(request: &HeaderMap) -> bool {
    let codings = || request.get_all(ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    let weight = |wanted: &str| {
        codings().find_map(|coding| {
            let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
            if !name.trim().eq_ignore_ascii_case(wanted) {
                return None;
            }
            let q = parameters.trim().strip_prefix("q=").or_else(|| parameters.trim().strip_prefix("Q="));
            Some(q.map_or(1.0, |q| q.trim().parse::<f32>().unwrap_or(0.0)))
        })
    };
    weight("gzip").or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use hyper::header::IF_NONE_MATCH;

    use super::*;
    use crate::rest::reply::Body;

    fn headers(name: hyper::header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    fn bytes(reply: &Reply) -> &[u8] {
        match &reply.body {
            Body::Bytes(bytes) => bytes,
            _ => panic!("not in memory"),
        }
    }

    #[test]
    fn gzip_is_sent_to_who_takes_it() {
        for (value, takes) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("*;q=0", false),
            ("gzip;q=0, *", false),
            ("identity", false),
            ("", false),
            ("gzip;q=x", false),
        ] {
            assert_eq!(takes_gzip(&headers(ACCEPT_ENCODING, value)), takes, "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn both_forms_hold_the_same_and_each_is_known_by_its_tag() {
        let document = Document::new("application/json", "{\"a\": 1}".repeat(100));
        let plain = document.reply(&HeaderMap::new());
        let zipped = document.reply(&headers(ACCEPT_ENCODING, "gzip"));
        let mut unzipped = String::new();
        GzDecoder::new(bytes(&zipped)).read_to_string(&mut unzipped).unwrap();
        assert_eq!(unzipped.as_bytes(), bytes(&plain));
        assert_ne!(plain.headers[ETAG], zipped.headers[ETAG]);
        let known = document.reply(&headers(IF_NONE_MATCH, plain.headers[ETAG].to_str().unwrap()));
        assert_eq!((known.status, bytes(&known).len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!(known.headers[ETAG], plain.headers[ETAG]);
        let other = document.reply(&headers(IF_NONE_MATCH, "\"x\", W/\"y\""));
        assert_eq!(other.status, StatusCode::OK);
    }
}
