//! A cache of tokens in `cache/jwt.json`, so that not every command needs an exchange. It has the tokens that earlier
//! commands got for a key and that are still valid. It does not have the key: a token is found by the hash of URL, key
//! and class.

use std::fs;

use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::context::Context;
use super::credentials::is_token;
use crate::access::Class;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::home::{Home, JWT_CACHE};
use crate::secret::Plaintext;

/// The most tokens in the cache; those that expire last are kept.
const MOST: usize = 32;

/// A token in the cache.
#[derive(Debug)]
pub struct CachedJwt {
    /// The URL of the server that issued it.
    pub url: String,
    /// The class of the token.
    pub class: String,
    /// The token.
    pub token: Plaintext,
    /// When the token expires, in seconds since 1970.
    pub expires_at: u64,
}

/// The cache key of a token, from server URL, key and class.
pub fn place(url: &str, key: &str, class: Class) -> String {
    // No part can contain a line feed.
    HEXLOWER.encode(&Sha256::digest(format!("{url}\n{key}\n{}", class.as_str())))
}

/// The cached token, if it expires after `until`.
///
/// # Errors
/// [`Failure::Login`] if others can read or write the file.
pub fn get(place: &str, until: u64) -> Result<Option<CachedJwt>, Failure> {
    let Some(home) = Context::find_home()? else { return Ok(None) };
    // If the file cannot be examined, as in another user's home, there is no cached token.
    if fs::symlink_metadata(home.path(JWT_CACHE)).is_err() {
        return Ok(None);
    }
    Ok(load(&home)?.get(place).and_then(entry).filter(|entry| entry.expires_at > until))
}

/// Adds a token to the cache, and removes those that expire by `until`.
///
/// # Errors
/// [`Failure::Login`] if the file cannot be written safely.
pub fn put(place: &str, entry: &CachedJwt, until: u64) -> Result<(), Failure> {
    let Some(home) = Context::find_home()? else { return Ok(()) };
    let mut all = load(&home)?;
    let shown = json!({"url": entry.url, "class": entry.class, "access_token": entry.token.reveal(),
        "expires_at": entry.expires_at});
    all.insert(place.to_owned(), shown);
    let kept = trimmed(all, until);
    home.write(JWT_CACHE, format!("{}\n", Value::Object(kept)).as_bytes()).map(|_| ())
}

fn trimmed(all: Map<String, Value>, until: u64) -> Map<String, Value> {
    let end = |value: &Value| value["expires_at"].as_u64().unwrap_or(0);
    let mut good: Vec<(String, Value)> = all.into_iter().filter(|(_, value)| end(value) > until).collect();
    good.sort_by_key(|(_, value)| std::cmp::Reverse(end(value)));
    good.truncate(MOST);
    good.into_iter().collect()
}

/// The content of the file. A file that is not JSON counts as empty.
fn load(home: &Home) -> Result<Map<String, Value>, Failure> {
    Ok(home.read(JWT_CACHE)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

fn entry(value: &Value) -> Option<CachedJwt> {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    Some(CachedJwt {
        url: text("url")?,
        class: text("class")?,
        token: Plaintext::new(text("access_token").filter(|token| is_token(token))?),
        expires_at: value["expires_at"].as_u64()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn url_key_and_class_each_make_another_place() {
        let all = [
            place("http://a:1", "k", Class::User),
            place("http://b:1", "k", Class::User),
            place("http://a:1", "l", Class::User),
            place("http://a:1", "k", Class::Admin),
        ];
        for (nth, one) in all.iter().enumerate() {
            assert_eq!(all.iter().position(|other| other == one), Some(nth));
        }
    }

    #[test]
    fn the_cache_stays_small_and_keeps_what_ends_last() {
        let all: Map<String, Value> = (0..100).map(|n| (n.to_string(), json!({"expires_at": n}))).collect();
        let kept = trimmed(all, 10);
        assert_eq!(kept.len(), MOST);
        assert!(kept.contains_key("99") && !kept.contains_key("10"));
        assert!(trimmed(Map::from_iter([("x".to_owned(), json!(3))]), 0).is_empty());
    }

    proptest! {
        #[test]
        fn any_value_is_read_without_panic(text in "\\PC{0,60}") {
            let _ = entry(&json!({"url": text, "class": text, "access_token": text, "expires_at": 1}));
            let _ = entry(&Value::from(text));
        }
    }
}
