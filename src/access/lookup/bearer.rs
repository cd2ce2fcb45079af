//! The `Authorization` header (RFC 6750, RFC 9110 section 11).

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

/// The most secrets of one request that are checked.
const SECRETS: usize = 4;
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

/// Returns the hashes of the first secrets in a request's headers, under any scheme.
pub(crate) fn all_secrets(head: &Head) -> Vec<SecretHash> {
    let all = head.headers.get_all(AUTHORIZATION).iter().chain(head.headers.get_all(&X_AGENT_API_KEY).iter());
    let last = all.take(SECRETS).filter_map(|value| value.to_str().ok()?.trim().rsplit([' ', '\t']).next());
    last.filter_map(|text| secret::recognise(text).ok()).map(|(_, hash)| hash).collect()
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

    proptest! {
        #[test]
        fn any_value_is_read_without_panic(value in "(?i)(bearer )?[ -~]{0,100}") {
            let _ = token_of(&value);
        }
    }
}
