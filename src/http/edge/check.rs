//! The checks around the parser: they refuse requests that hyper accepts but the daemon does not. Pure functions over
//! the parsed head, or over bytes that hyper could not parse; no I/O, no state. The fuzz target `head` runs them.

use hyper::header::{CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::http::uri::Scheme;
use hyper::http::{Method, Uri, Version};

use crate::limits::Limits;
use crate::rest::codes::{self, Code};

/// Why a request is refused before any route is looked up.
#[derive(Debug, PartialEq, Eq)]
pub struct EdgeRefusal {
    /// The code of the reply.
    pub code: &'static Code,
    /// What is wrong, in a few words.
    pub detail: &'static str,
    /// Whether the connection ends with the reply, because framing or parsing is in doubt.
    pub close: bool,
}

impl EdgeRefusal {
    const fn close(code: &'static Code, detail: &'static str) -> Self {
        Self { code, detail, close: true }
    }
}

/// The facts that the head gives about the rest of the request.
#[derive(Debug, PartialEq, Eq)]
pub struct CheckedHead {
    /// The path's segments, decoded once.
    pub segments: Vec<String>,
    /// The indexes of the segments with a slash, backslash or dot that was sent percent-encoded.
    pub encoded: Vec<usize>,
    /// Whether the client waits for `100 Continue`.
    pub expects_continue: bool,
    /// Whether the body is chunked.
    pub chunked: bool,
}

/// Checks a parsed head (http-edge contract, section 2.2).
///
/// # Errors
/// The refusal to send.
pub fn head(
    method: &Method,
    uri: &Uri,
    version: Version,
    headers: &HeaderMap,
    limits: &Limits,
) -> Result<CheckedHead, EdgeRefusal> {
    if target_length(uri) as u64 > limits.max_target_bytes {
        return Err(EdgeRefusal::close(codes::TARGET_TOO_LONG, "The request target is too long."));
    }
    let host = host(version, headers)?;
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(EdgeRefusal::close(codes::METHOD_NOT_ALLOWED, "This method is not served on any path."));
    }
    let chunked = chunked(headers)?;
    content_length(headers)?;
    let expects_continue = expect(version, headers)?;
    form(method, uri, host)?;
    let (segments, encoded) = if uri.path() == "*" { (Vec::new(), Vec::new()) } else { segments(uri.path())? };
    Ok(CheckedHead { segments, encoded, expects_continue, chunked })
}

fn target_length(uri: &Uri) -> usize {
    let authority = uri.authority().map_or(0, |a| a.as_str().len());
    authority + uri.path_and_query().map_or(0, |p| p.as_str().len())
}

/// Checks the one `Host` header: required in HTTP/1.1, and always well-formed.
fn host(version: Version, headers: &HeaderMap) -> Result<Option<&str>, EdgeRefusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let Some(host) = hosts.next() else {
        return match version {
            Version::HTTP_10 => Ok(None),
            _ => Err(EdgeRefusal::close(codes::BAD_REQUEST, "There is no Host header.")),
        };
    };
    if hosts.next().is_some() {
        return Err(EdgeRefusal::close(codes::BAD_REQUEST, "There is more than one Host header."));
    }
    match host.to_str() {
        Ok(host) if split_host(host).is_some() => Ok(Some(host)),
        _ => Err(EdgeRefusal::close(codes::BAD_REQUEST, "The Host header is malformed.")),
    }
}

/// Splits `host[:port]` (RFC 9110, section 7.2); IPv6 keeps its brackets. `None` if it is malformed.
pub fn split_host(value: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if value.starts_with('[') {
        let end = value.find(']')?;
        value[1..end].parse::<std::net::Ipv6Addr>().ok()?;
        (&value[..=end], &value[end + 1..])
    } else {
        let end = value.find(':').unwrap_or(value.len());
        let host = &value[..end];
        let name = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        if host.is_empty() || host.len() > 255 || !host.bytes().all(name) {
            return None;
        }
        (host, &value[end..])
    };
    if port.is_empty() {
        return Some((host, None));
    }
    let digits = port.strip_prefix(':')?;
    if digits.is_empty() || digits.len() > 5 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(|port| (host, Some(port)))
}

/// Checks the `Transfer-Encoding`. hyper accepts any list that ends in `chunked`; the daemon accepts only this one
/// word.
fn chunked(headers: &HeaderMap) -> Result<bool, EdgeRefusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(true),
        _ => Err(EdgeRefusal::close(
            codes::TRANSFER_ENCODING_UNSUPPORTED,
            "A Transfer-Encoding other than chunked is not supported.",
        )),
    }
}

/// Checks the `Content-Length`. hyper refuses bad and differing lengths, drops repeated ones, and drops the length of a
/// chunked body. If more than one is left, hyper and the daemon count differently.
fn content_length(headers: &HeaderMap) -> Result<(), EdgeRefusal> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let digits = |v: &HeaderValue| !v.is_empty() && v.as_bytes().iter().all(u8::is_ascii_digit);
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(()),
        (Some(one), None) if digits(one) && !headers.contains_key(TRANSFER_ENCODING) => Ok(()),
        _ => Err(EdgeRefusal::close(codes::BAD_REQUEST, "The length of the body is in doubt.")),
    }
}

fn expect(version: Version, headers: &HeaderMap) -> Result<bool, EdgeRefusal> {
    let mut expectations = headers.get_all(EXPECT).iter();
    match (expectations.next(), expectations.next()) {
        (None, _) => Ok(false),
        // RFC 9110, section 10.1.1: the expectation of an HTTP/1.0 request is ignored.
        _ if version == Version::HTTP_10 => Ok(false),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"100-continue") => Ok(true),
        _ => Err(EdgeRefusal::close(codes::EXPECTATION_FAILED, "Only Expect: 100-continue is understood.")),
    }
}

/// Checks the form of the target: origin-form, absolute-form whose authority is the `Host`, or `OPTIONS *`.
fn form(method: &Method, uri: &Uri, host: Option<&str>) -> Result<(), EdgeRefusal> {
    let path = uri.path();
    match (uri.scheme(), uri.authority()) {
        (None, None) if path == "*" && method == Method::OPTIONS => Ok(()),
        (None, None) if path.starts_with('/') => Ok(()),
        (Some(scheme), Some(authority)) => {
            let same = host.is_none_or(|host| host.eq_ignore_ascii_case(authority.as_str()));
            let plain = split_host(authority.as_str()).is_some() && *scheme == Scheme::HTTP;
            if same && plain && path.starts_with('/') {
                Ok(())
            } else {
                Err(EdgeRefusal::close(codes::BAD_REQUEST, "The target's authority is not the Host header's."))
            }
        }
        _ => Err(EdgeRefusal::close(codes::BAD_REQUEST, "The request target is malformed.")),
    }
}

/// Splits a path at its slashes and decodes each segment once. One trailing slash is dropped. Also returns the indexes
/// of the segments with an encoded slash, backslash or dot, which only free text may have.
///
/// # Errors
/// `invalid_path`. The framing is sound, so the connection stays open.
pub fn segments(path: &str) -> Result<(Vec<String>, Vec<usize>), EdgeRefusal> {
    let invalid = |detail| EdgeRefusal { code: codes::INVALID_PATH, detail, close: false };
    let path = path.strip_prefix('/').ok_or(invalid("The path does not start with a slash."))?;
    let mut encoded = Vec::new();
    if path.is_empty() {
        return Ok((Vec::new(), encoded));
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut segments = Vec::with_capacity(6);
    for (at, raw) in path.split('/').enumerate() {
        let mut is_encoded = false;
        segments.push(segment(raw, &mut is_encoded).map_err(invalid)?);
        if is_encoded {
            encoded.push(at);
        }
    }
    Ok((segments, encoded))
}

fn segment(raw: &str, encoded: &mut bool) -> Result<String, &'static str> {
    if raw.is_empty() || raw == "." || raw == ".." {
        return Err("A segment of the path is empty, . or ..");
    }
    if !raw.is_ascii() {
        return Err("The path is not ASCII.");
    }
    // Most segments are plain words, which need no decoding.
    if raw.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Ok(raw.to_owned());
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' | 0..=0x20 | 0x7f => return Err("The path has a backslash, a space or a control character."),
            b'%' => {
                let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err("A percent-escape of the path is broken.");
                };
                let byte = (high * 16 + low) as u8;
                *encoded |= matches!(byte, b'.' | b'/' | b'\\');
                decoded.push(byte);
            }
            byte => decoded.push(byte),
        }
    }
    let text = String::from_utf8(decoded).map_err(|_| "The decoded path is not UTF-8.")?;
    if text.chars().any(char::is_control) {
        return Err("The path has an encoded control character.");
    }
    Ok(text)
}

/// The client's request id, if it sent exactly one and it is of `[A-Za-z0-9._-]{1,64}`.
pub fn request_id(headers: &HeaderMap) -> Option<&str> {
    let mut ids = headers.get_all(HeaderName::from_static("x-request-id")).iter();
    let (Some(id), None) = (ids.next(), ids.next()) else { return None };
    let good = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    id.to_str().ok().filter(|id| (1..=64).contains(&id.len()) && id.bytes().all(good))
}

/// The code for bytes that hyper could not parse as a head. `unparsed` is the rest of these bytes. `too_large` is true
/// if hyper says that a size was exceeded.
pub fn unparsable(unparsed: &[u8], too_large: bool, limits: &Limits) -> &'static Code {
    let start = unparsed.iter().position(|b| !b"\r\n".contains(b)).unwrap_or(unparsed.len());
    let head = &unparsed[start..];
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    if too_large {
        // The method and the version beside the target. This is generous, because a very long method is not a long
        // target.
        let spare = 32;
        if line.len() as u64 > limits.max_target_bytes + spare {
            return codes::TARGET_TOO_LONG;
        }
        let lines = head.iter().filter(|b| **b == b'\n').count() as u64;
        if head.len() as u64 >= limits.max_head_bytes || lines > limits.max_header_lines {
            return codes::HEADERS_TOO_LARGE;
        }
        // A Content-Length that hyper cannot count: hyper has removed its head from the buffer already.
        return codes::BODY_TOO_LARGE;
    }
    if other_version(line) { codes::HTTP_VERSION_UNSUPPORTED } else { codes::BAD_REQUEST }
}

/// True for a request line whose only fault is its HTTP version.
fn other_version(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut words = line.split(|b| *b == b' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return false;
    };
    let number = version.strip_prefix(b"HTTP/");
    !method.is_empty()
        && method.iter().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b))
        && !target.is_empty()
        && target.iter().all(u8::is_ascii_graphic)
        && number.is_some_and(|n| !n.is_empty() && n.len() <= 8 && n != b"1.1" && n != b"1.0")
        && number.is_some_and(|n| n.iter().all(|b| b.is_ascii_digit() || *b == b'.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rest::text::segment_problem;

    fn checked(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<CheckedHead, EdgeRefusal> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        head(&method, &uri.parse().unwrap(), Version::HTTP_11, &map, &Limits::default())
    }

    fn code(method: &str, uri: &str, headers: &[(&str, &str)]) -> &'static str {
        checked(method, uri, headers).map_or_else(|r| r.code.slug, |_| "ok")
    }

    #[test]
    fn one_well_formed_host_is_required() {
        for host in ["a", "localhost:1", "127.0.0.1", "[::1]:6969", "box.local", "a_b"] {
            assert_eq!(code("GET", "/", &[("host", host)]), "ok", "{host}");
        }
        for host in ["", "a b", "a:", "a:b", "a:99999", "a:123456", "[::1", "[x]", "a@b", "a/b", "a,b", "::1", "[::1]x"]
        {
            assert_eq!(code("GET", "/", &[("host", host)]), "bad_request", "{host}");
        }
        assert_eq!(code("GET", "/", &[]), "bad_request");
        assert_eq!(code("GET", "/", &[("host", "a"), ("host", "a")]), "bad_request");
        let none = head(&Method::GET, &"/".parse().unwrap(), Version::HTTP_10, &HeaderMap::new(), &Limits::default());
        assert!(none.is_ok());
    }

    #[test]
    fn an_absolute_target_must_name_the_host_header() {
        assert_eq!(code("GET", "http://a:1/p", &[("host", "A:1")]), "ok");
        assert_eq!(code("GET", "http://a:1/p", &[("host", "a")]), "bad_request");
        assert_eq!(code("GET", "http://u@a/p", &[("host", "a")]), "bad_request");
        assert_eq!(code("GET", "a:80", &[("host", "a:80")]), "bad_request");
        assert_eq!(code("OPTIONS", "*", &[("host", "a")]), "ok");
        assert_eq!(code("GET", "*", &[("host", "a")]), "bad_request");
        assert_eq!(code("CONNECT", "a:80", &[("host", "a:80")]), "method_not_allowed");
    }

    #[test]
    fn only_the_one_word_chunked_is_a_transfer_encoding() {
        let te = |value| checked("POST", "/", &[("host", "a"), ("transfer-encoding", value)]);
        assert!(te("Chunked").unwrap().chunked);
        for value in ["gzip, chunked", "chunked, chunked", "identity", "chunked;q=1", ""] {
            assert_eq!(te(value).unwrap_err().code.slug, "transfer_encoding_unsupported", "{value}");
        }
        let twice = [("host", "a"), ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")];
        assert_eq!(code("POST", "/", &twice), "transfer_encoding_unsupported");
        let both = [("host", "a"), ("transfer-encoding", "chunked"), ("content-length", "3")];
        assert_eq!(code("POST", "/", &both), "bad_request");
    }

    #[test]
    fn a_path_is_decoded_once_and_tricks_are_refused() {
        assert_eq!(segments("/a/%C3%A9%20b/").unwrap().0, ["a", "é b"]);
        assert_eq!(segments("/").unwrap().0, Vec::<String>::new());
        assert_eq!(segments("/a/%2525").unwrap().0, ["a", "%25"]);
        assert_eq!(segments("/k/a%2Fb").unwrap(), (vec!["k".into(), "a/b".into()], vec![1]));
        assert_eq!(segments("/%2e%2E/k%5c").unwrap(), (vec!["..".into(), "k\\".into()], vec![0, 1]));
        assert_eq!(segments("/k/a.b").unwrap().1, Vec::<usize>::new());
        for path in [
            "",
            "a",
            "//",
            "/a//b",
            "/a//",
            "/.",
            "/a/../b",
            "/a\\b",
            "/%00",
            "/%0a",
            "/%",
            "/%4",
            "/%zz",
            "/%+1",
            "/%ff",
            "/%c2%85",
            "/%7f",
            "/é",
            "/%ed%a0%80",
            "/a b",
        ] {
            assert_eq!(segments(path).unwrap_err().code.slug, "invalid_path", "{path}");
        }
    }

    #[test]
    fn only_a_plain_request_id_is_taken_over() {
        let id = |value: &str| {
            let headers = HeaderMap::from_iter([(HeaderName::from_static("x-request-id"), value.parse().unwrap())]);
            request_id(&headers).map(str::to_owned)
        };
        assert_eq!(id("a.B_9-").as_deref(), Some("a.B_9-"));
        assert_eq!(id(&"a".repeat(64)).map(|i| i.len()), Some(64));
        for bad in ["", "a b", "a/b", &"a".repeat(65)] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }

    #[test]
    fn bytes_that_are_no_request_get_the_right_status() {
        let limits = Limits::default();
        let status = |bytes: &[u8], large| unparsable(bytes, large, &limits).status;
        assert_eq!(status(b"PRI * HTTP/2.0\r\n\r\n", false), 505);
        assert_eq!(status(b"\r\nGET / HTTP/1.2\r\n", false), 505);
        assert_eq!(status(b"GET / HTTP/0.9\r\n", false), 505);
        assert_eq!(status(b"GET / HTTP/x\r\n", false), 400);
        assert_eq!(status(b"\x16\x03\x01\x02\x00", false), 400);
        assert_eq!(status(b"GET  / HTTP/2.0\r\n", false), 400);
        assert_eq!(status(b"", false), 400);
        assert_eq!(status(&[b'a'; 20_000], true), 414);
        assert_eq!(status(&[b"GET / HTTP/1.1\r\na: ".as_slice(), &[b'a'; 20_000]].concat(), true), 431);
        assert_eq!(status(&[b"GET / HTTP/1.1\r\n".as_slice(), &b"a: b\r\n".repeat(101)].concat(), true), 431);
        assert_eq!(status(b"", true), 413);
    }

    proptest! {
        #[test]
        fn what_is_taken_comes_back_out_of_a_path(name in "\\PC{0,20}") {
            // Clients keep dots and encode all characters that are not plain.
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
            let encoded: String = name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
            if segment_problem(&name).is_none() {
                let (segments, _) = segments(&format!("/x/{encoded}/y")).unwrap();
                prop_assert_eq!(&segments[1], &name);
            }
        }
    }
}
