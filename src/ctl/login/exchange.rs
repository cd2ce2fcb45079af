//! The automatic exchange of keys (`axp_...`) for short-lived tokens: the token class that a route needs, and the
//! claims of a token. A user's key becomes a token of class `user` on this machine's routes. Only routes for managers
//! alone get a token of class `admin`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};

use super::jwt_cache::{self, CachedJwt};
use super::session::Session;
use crate::access::Class;
use crate::api::ApiRoute;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::path;
use crate::rest::route::Access;
use crate::say::complain;
use crate::secret::{AgentPat, Plaintext, UserPat};

/// Seconds before its end from which a token is no longer used.
const MARGIN: u64 = 30;

/// The credential of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearer {
    /// No credential.
    None,
    /// The saved credential itself.
    AsItIs,
    /// A token of this class, from the exchange of the key.
    Token(Class),
}

/// True if a credential is a key, which only the exchange accepts.
pub fn is_key(token: &str) -> bool {
    token.starts_with(UserPat::PREFIX) || is_agent_key(token)
}

/// True if a credential is an agent's key or an enrollment.
pub fn is_agent_key(token: &str) -> bool {
    token.starts_with(AgentPat::PREFIX)
}

/// The credential to use on a route.
pub fn bearer(route: &ApiRoute, token: Option<&str>) -> Bearer {
    let Some(key) = token.filter(|token| is_key(token)) else {
        return if token.is_some() { Bearer::AsItIs } else { Bearer::None };
    };
    match route.access {
        Access::Public(_) => Bearer::None,
        Access::Bearer(..) => Bearer::AsItIs,
        Access::Class(classes, ..) if classes.contains(&Class::Key) => Bearer::AsItIs,
        _ if is_agent_key(key) => Bearer::Token(Class::Agent),
        Access::Class(classes, ..) if !classes.contains(&Class::User) => Bearer::Token(Class::Admin),
        _ => Bearer::Token(Class::User),
    }
}

/// A token of this class for the session's key. With `fresh` it is never one from the cache.
///
/// # Errors
/// The server refuses the key or does not reply, or the cache cannot be trusted.
pub fn token(session: &Session<'_>, class: Class, fresh: bool) -> Result<Plaintext, Failure> {
    let key = session.connection.token.as_ref().map_or("", Plaintext::reveal);
    let url = session.connection.server.to_string();
    let place = jwt_cache::place(&url, key, class);
    let now = now();
    if !fresh && let Some(entry) = jwt_cache::get(&place, now + MARGIN)? {
        return Ok(entry.token);
    }
    let route = path::route("auth_exchange");
    let body = json!({"requested_token_class": class.as_str()});
    let reply = session.send_for_json(route, route.path, Some(&body))?;
    let wrong = || Failure::Unexpected("The answer to the exchange holds no token.".to_owned());
    let text = reply["access_token"].as_str().filter(|jwt| super::credentials::is_token(jwt)).ok_or_else(wrong)?;
    let expires_at = now + reply["expires_in"].as_u64().unwrap_or(0);
    let entry = CachedJwt { url, class: class.as_str().to_owned(), token: Plaintext::new(text.to_owned()), expires_at };
    // Without a cache each command needs an exchange, but it still succeeds.
    static WARNED: AtomicBool = AtomicBool::new(false);
    if let Err(failure) = jwt_cache::put(&place, &entry, now + MARGIN)
        && !WARNED.swap(true, Ordering::Relaxed)
    {
        complain(&format!("warning: the short-lived token is not kept: {failure}\n"));
    }
    Ok(entry.token)
}

/// Seconds since 1970, by this machine's clock.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The claims of a token (RFC 7519), not verified. Whoever relies on them must verify the token.
pub fn claims(jwt: &str) -> Option<Map<String, Value>> {
    let mut parts = jwt.split('.');
    let (Some(_), Some(body), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    serde_json::from_slice(&BASE64URL_NOPAD.decode(body.as_bytes()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_is_shown_to_the_exchange_alone_and_each_route_gets_the_least_class_it_takes() {
        let of = |id: &str, token: &str| bearer(path::route(id), Some(token));
        assert_eq!(of("auth_exchange", "axp_u_x"), Bearer::AsItIs);
        assert_eq!(of("credentials_fingerprint", "axp_a_x"), Bearer::AsItIs);
        assert_eq!(of("credentials_list", "axp_u_x"), Bearer::Token(Class::Admin));
        assert_eq!(of("keys_create", "axp_u_x"), Bearer::Token(Class::User));
        assert_eq!(of("agents_list", "axp_u_x"), Bearer::Token(Class::User));
        assert_eq!(of("credentials_list", "axp_a_x"), Bearer::Token(Class::Agent));
        assert_eq!(of("docs_index", "axp_u_x"), Bearer::None);
        assert_eq!(of("agents_list", "taos_user_x"), Bearer::AsItIs);
        assert_eq!(bearer(path::route("agents_list"), None), Bearer::None);
    }

    #[test]
    fn claims_are_read_from_three_segments_of_strict_base64url() {
        let body = BASE64URL_NOPAD.encode(br#"{"sub":"a","exp":1}"#);
        assert_eq!(claims(&format!("h.{body}.s")).unwrap()["sub"], "a");
        let list = BASE64URL_NOPAD.encode(b"[1]");
        for bad in [
            String::new(),
            body.clone(),
            format!("h.{body}"),
            format!("h.{body}.s.x"),
            format!("h.{body}=.s"),
            format!("h.{list}.s"),
        ] {
            assert!(claims(&bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_decoded_without_panic(text in "\\PC{0,80}|[A-Za-z0-9_.-]{0,80}") {
            let _ = claims(&text);
        }

        #[test]
        fn what_was_encoded_comes_back(name in "[a-z_]{1,12}", text in any::<String>()) {
            let object = json!({name: text});
            let jwt = format!("e30.{}.AA", BASE64URL_NOPAD.encode(object.to_string().as_bytes()));
            prop_assert_eq!(claims(&jwt).map(Value::Object), Some(object));
        }
    }
}
