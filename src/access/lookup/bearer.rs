//! The `Authorization` header (RFC 6750, RFC 9110 section 11).

use data_encoding::BASE64;
use hyper::header::AUTHORIZATION;

use crate::access::tokens::jwt;
use crate::rest::head::{Head, X_AGENT_API_KEY};
use crate::secret::{self, Kind, SecretHash};

/// The credential that a request presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented<'a> {
    /// No `Authorization: Bearer`.
    Nothing,
    /// A Bearer that is not any kind of secret, so it is not looked up.
    Malformed,
    /// A well-formed secret.
    Secret(Kind, SecretHash),
    /// A text with the prefix of a key; `None` if it cannot be a key.
    Key(Option<(Kind, SecretHash)>),
    /// A text that may be a short-lived token.
    Token(&'a str),
}

/// The most headers of one request that are searched for secrets.
const HEADERS: usize = 4;
/// The most characters of the credentials of `Basic` that are searched for secrets.
const BASIC: usize = 4096;
/// The prefix of every key.
const KEY_PREFIX: &str = "axp_";

/// Reads the Bearer of a request. The scheme is matched in any case, and spaces around the token are accepted.
pub fn presented(head: &Head) -> Presented<'_> {
    let mut all = head.headers.get_all(AUTHORIZATION).iter();
    let Some(first) = all.next() else { return Presented::Nothing };
    if all.next().is_some() {
        return Presented::Malformed;
    }
    let Ok(value) = first.to_str() else { return Presented::Malformed };
    match token_of(value) {
        None => Presented::Nothing,
        Some(token) => secret_of(token),
    }
}

/// Reads the parameter `token` of the query, if no header presents a credential. Only a short-lived token is accepted
/// there. `None` if there is no such parameter.
pub(crate) fn in_query(head: &Head) -> Option<Presented<'_>> {
    if head.headers.contains_key(AUTHORIZATION) {
        return None;
    }
    let token = head.query.split('&').find_map(|pair| pair.strip_prefix("token="))?;
    Some(if jwt::looks_like_one(token) { Presented::Token(token) } else { Presented::Malformed })
}

/// Returns the kind of a text that is given as a secret.
pub fn secret_of(token: &str) -> Presented<'_> {
    if token.starts_with(KEY_PREFIX) {
        return Presented::Key(secret::recognise(token).ok());
    }
    match secret::recognise(token) {
        // Sessions are accepted only in a cookie.
        Ok((Kind::Session, _)) => Presented::Malformed,
        Ok((kind, hash)) => Presented::Secret(kind, hash),
        Err(_) if jwt::looks_like_one(token) => Presented::Token(token),
        Err(_) => Presented::Malformed,
    }
}

/// Returns the hashes of the secrets in a request's first headers, under any scheme: at most two of each header.
pub(crate) fn all_secrets(head: &Head) -> Vec<SecretHash> {
    let all = head.headers.get_all(AUTHORIZATION).iter().chain(head.headers.get_all(&X_AGENT_API_KEY).iter());
    let texts = all.take(HEADERS).filter_map(|value| value.to_str().ok()).flat_map(texts_of);
    let mut hashes: Vec<SecretHash> = Vec::new();
    for (_, hash) in texts.filter_map(|text| secret::recognise(&text).ok()) {
        if !hashes.contains(&hash) {
            hashes.push(hash);
        }
    }
    hashes
}

/// The texts of a header's value that may be secrets: its last word, or the id and the password of `Basic` (RFC 7617).
fn texts_of(value: &str) -> Vec<String> {
    let value = value.trim();
    let (scheme, last) = value.rsplit_once([' ', '\t']).unwrap_or(("", value));
    if !scheme.trim().eq_ignore_ascii_case("basic") || last.len() > BASIC {
        return vec![last.to_owned()];
    }
    let decoded = BASE64.decode(last.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.iter().flat_map(|pair| pair.splitn(2, ':')).map(str::to_owned).collect()
}

/// Returns the text of the Bearer, if there is one; for comparison only, never to be kept.
pub fn text(head: &Head) -> Option<&str> {
    token_of(head.headers.get(AUTHORIZATION)?.to_str().ok()?)
}

/// The token of a `Bearer` value; `None` for another scheme.
fn token_of(value: &str) -> Option<&str> {
    let value = value.trim_matches(' ');
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim_matches(|c| c == ' ' || c == '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_scheme_is_read_in_any_case_and_blanks_are_tolerated() {
        for value in ["Bearer abc", "bearer abc", "BEARER   abc", "Bearer abc  "] {
            assert_eq!(token_of(value), Some("abc"), "{value:?}");
        }
        for value in ["Basic abc", "Bearerabc", "", "abc"] {
            assert_eq!(token_of(value), None, "{value:?}");
        }
        assert_eq!(token_of("Bearer "), Some(""));
    }

    #[test]
    fn a_secret_is_searched_under_any_scheme() {
        let basic = |pair: &str| format!("Basic {}", BASE64.encode(pair.as_bytes()));
        assert_eq!(texts_of("Bearer abc"), ["abc"]);
        assert_eq!(texts_of("abc"), ["abc"]);
        assert_eq!(texts_of(&basic("id:a:b")), ["id", "a:b"]);
        assert_eq!(texts_of(&basic("abc")), ["abc"]);
        assert_eq!(texts_of(&basic("id:abc").replace("Basic ", "BASIC   ")), ["id", "abc"]);
        assert!(texts_of("Basic %%%").is_empty() && texts_of(&format!("Basic {}", BASE64.encode(&[0xff]))).is_empty());
    }

    proptest! {
        #[test]
        fn any_value_is_read_without_panic(value in "(?i)(bearer )?[ -~]{0,100}") {
            let _ = (token_of(&value), texts_of(&value));
        }
    }
}
