//! The code around the HTTP parser, with any bytes, any target and any header values. Nothing panics, and accepted
//! input has the properties that are checked here.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::{Method, Uri, Version};
use taosd::http::edge::check;
use taosd::limits::Limits;

const NAMES: [&str; 6] = ["host", "transfer-encoding", "content-length", "expect", "x-request-id", "connection"];

/// Checks hosts, paths, heads, and the error for bytes that are no head.
pub fn head(data: &[u8]) {
    let limits = Limits::default();
    for large in [false, true] {
        let code = check::unparsable(data, large, &limits);
        assert!([400, 413, 414, 431, 505].contains(&code.status));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        check_host(text);
        check_path(text);
    }
    check_head(data, &limits);
}

fn check_host(text: &str) {
    if let Some((host, port)) = check::split_host(text) {
        assert!(!host.is_empty() && text.starts_with(host));
        assert!(!host.contains(['/', '@', ' ', '\\', ',']));
        assert_eq!(port.is_some(), text.len() > host.len());
    }
}

fn check_path(text: &str) {
    let Ok((segments, encoded)) = check::segments(text) else { return };
    for (at, segment) in segments.iter().enumerate() {
        assert!(!segment.is_empty() && !segment.chars().any(char::is_control));
        let plain = segment != "." && segment != ".." && !segment.contains(['/', '\\']);
        assert!(plain || encoded.contains(&at));
    }
}

/// The first line is the method and the target. Each further line is the value of a header; its first byte selects the
/// name.
fn check_head(data: &[u8], limits: &Limits) {
    let mut lines = data.split(|b| *b == b'\n');
    let mut first = lines.next().unwrap_or_default().splitn(2, |b| *b == b' ');
    let (Some(method), Some(target)) = (first.next(), first.next()) else { return };
    let (Ok(method), Ok(uri)) = (Method::from_bytes(method), Uri::try_from(target)) else { return };
    let mut headers = HeaderMap::new();
    for line in lines.filter(|l| !l.is_empty()) {
        let name = HeaderName::from_static(NAMES[usize::from(line[0]) % NAMES.len()]);
        if let Ok(value) = HeaderValue::from_bytes(&line[1..]) {
            headers.append(name, value);
        }
    }
    if let Some(id) = check::request_id(&headers) {
        assert!((1..=64).contains(&id.len()) && HeaderValue::from_str(id).is_ok());
    }
    for version in [Version::HTTP_10, Version::HTTP_11] {
        let Ok(checked) = check::head(&method, &uri, version, &headers, limits) else { continue };
        assert!(headers.get_all("host").iter().count() <= 1);
        assert!(version == Version::HTTP_10 || headers.contains_key("host"));
        assert_eq!(checked.chunked, headers.contains_key("transfer-encoding"));
        assert!(!(checked.chunked && headers.contains_key("content-length")));
        assert!(uri.path().starts_with('/') || (uri.path() == "*" && method == Method::OPTIONS));
    }
}
