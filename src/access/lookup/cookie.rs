//! The session cookie: how it is read, and the rule that keeps other sites from using it (taOS contract, section 3).

use hyper::header::{COOKIE, HOST, HeaderName, ORIGIN};
use hyper::http::Method;

use crate::rest::head::Head;
use crate::secret::{SecretHash, SessionSecret};

/// The cookie's name.
pub const NAME: &str = "taos_session";

/// Returns the session that a request names: `None` if it has no such cookie, the inner `None` if the value cannot be
/// valid.
pub fn session(head: &Head) -> Option<Option<SecretHash>> {
    let mut found: Option<Option<SecretHash>> = None;
    for header in head.headers.get_all(COOKIE) {
        let Ok(text) = header.to_str() else { continue };
        for (name, value) in text.split(';').filter_map(|pair| pair.trim().split_once('=')) {
            if name == NAME {
                // Somebody else put the second one there, so none counts.
                found = Some(if found.is_some() { None } else { SessionSecret::parse(value).ok() });
            }
        }
    }
    found
}

/// Returns the cookie, which a browser keeps for `seconds`; 0 removes it. `secure`: the browser reaches the box over
/// TLS and must send the cookie only there. Scripts and other sites never see it.
pub fn set(value: &str, seconds: i64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{NAME}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
}

/// True if a request with a session cookie may change something: it comes from one of our own pages. Behind a TLS proxy
/// our pages are `https`, which the daemon cannot see. Then `Sec-Fetch-Site` is required as well, which every browser
/// sends over TLS.
pub fn is_same_origin(head: &Head) -> bool {
    if head.method == Method::GET || head.method == Method::HEAD {
        return true;
    }
    if head.headers.contains_key(ORIGIN) { is_own_origin(head) } else { says_same(head) == Some(true) }
}

/// True if the `Origin` of a request is the host that it was sent to.
pub fn is_own_origin(head: &Head) -> bool {
    let host = head.header(&HOST).unwrap_or("");
    let is_host = |own: &str| !host.is_empty() && own.eq_ignore_ascii_case(host);
    match head.header(&ORIGIN).and_then(|origin| origin.split_once("://")) {
        Some(("http", own)) => is_host(own) && says_same(head) != Some(false),
        Some(("https", own)) => is_host(own) && says_same(head) == Some(true),
        _ => false,
    }
}

/// Whether the browser says that the page has the same origin; `None` if it does not say.
fn says_same(head: &Head) -> Option<bool> {
    head.header(&HeaderName::from_static("sec-fetch-site")).map(|value| value == "same-origin")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::head::Peer;

    fn head(method: Method, headers: &[(&'static str, &str)]) -> Head {
        Head { method, peer: Peer::Ip([127, 0, 0, 1].into()), ..Head::for_test(headers) }
    }

    #[test]
    fn one_session_cookie_is_read_and_two_are_none() {
        let issued = SessionSecret::generate();
        let one = format!("a=b; {NAME}={}; c=d", issued.plaintext.reveal());
        assert_eq!(session(&head(Method::GET, &[("cookie", &one)])), Some(Some(issued.hash)));
        assert_eq!(session(&head(Method::GET, &[("cookie", &one), ("cookie", &one)])), Some(None));
        assert_eq!(session(&head(Method::GET, &[("cookie", "taos_session=x")])), Some(None));
        assert_eq!(session(&head(Method::GET, &[("cookie", "xtaos_session=x")])), None);
        assert_eq!(session(&head(Method::GET, &[])), None);
    }

    #[test]
    fn only_a_page_of_ours_may_change_something() {
        let post = |headers: &[(&'static str, &str)]| is_same_origin(&head(Method::POST, headers));
        assert!(post(&[("host", "box:1"), ("origin", "http://BOX:1")]));
        assert!(post(&[("host", "box"), ("sec-fetch-site", "same-origin")]));
        assert!(post(&[("host", "box"), ("origin", "https://box"), ("sec-fetch-site", "same-origin")]));
        for bad in [
            &[("host", "box")][..],
            &[("host", "box"), ("origin", "null"), ("sec-fetch-site", "same-origin")],
            &[("host", "box"), ("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")],
            &[("host", "box"), ("origin", "http://box"), ("sec-fetch-site", "cross-site")],
            &[("host", "box"), ("sec-fetch-site", "same-site")],
            &[("host", "box"), ("sec-fetch-site", "none")],
            &[("origin", "http://")],
            &[("host", "box"), ("origin", "https://box")],
            &[("host", "box"), ("origin", "https://box:1"), ("sec-fetch-site", "same-origin")],
            &[("host", "box"), ("origin", "ftp://box"), ("sec-fetch-site", "same-origin")],
            &[("host", "box"), ("origin", "http://https://box"), ("sec-fetch-site", "same-origin")],
        ] {
            assert!(!post(bad), "{bad:?}");
        }
        assert!(is_same_origin(&head(Method::GET, &[("origin", "http://evil.example")])));
    }
}
