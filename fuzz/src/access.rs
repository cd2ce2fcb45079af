//! Credentials in headers, the texts of secrets, scopes, short-lived tokens.

use std::collections::BTreeSet;
use std::time::Instant;

use hyper::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use hyper::http::Method;
use taosd::access::lookup::cookie;
use taosd::access::scopes::ax_scopes;
use taosd::access::tokens::jwt::{self, Audience, Claims};
use taosd::access::tokens::key::TokenKey;
use taosd::access::{Action, Class, Presented, Scopes, presented};
use taosd::fuzzing::presented_by_agentex;
use taosd::rest::head::{Head, Peer, X_AGENT_API_KEY};
use taosd::secret::{AgentKey, AgentPat, AgentToken, SecretHash, SessionSecret, UserPat, UserToken, recognise};

use super::text;

/// Reads each line as a header. The first byte selects its name.
fn head(data: &[u8]) -> Head {
    let mut headers = HeaderMap::new();
    for line in data.split(|b| *b == b'\n') {
        let (Some(first), Ok(value)) = (line.first(), HeaderValue::from_bytes(line.get(1..).unwrap_or_default()))
        else {
            continue;
        };
        let name = match first {
            b'a' => AUTHORIZATION,
            b'b' => X_AGENT_API_KEY,
            b'c' => COOKIE,
            b'o' => ORIGIN,
            b'h' => HOST,
            _ => HeaderName::from_static("sec-fetch-site"),
        };
        headers.append(name, value);
    }
    Head {
        method: Method::POST,
        raw_path: "/".into(),
        segments: Vec::new(),
        query: String::new(),
        headers,
        peer: Peer::Ip([127, 0, 0, 1].into()),
        foreign_host: false,
        request_id: "-".into(),
        arrived: Instant::now(),
    }
}

/// A credential is accepted only if its whole text is in a header, and never if more than one header carries a
/// credential.
pub fn credential(data: &[u8]) {
    let head = head(data);
    let in_headers = |hash: SecretHash| {
        let values = head.headers.values().filter_map(|value| value.to_str().ok());
        let mut parts = values.flat_map(|value| value.split([' ', '\t', ';', '=']));
        parts.any(|part| SecretHash::of(part) == hash)
    };
    let check = |found: Presented<'_>| match found {
        Presented::Secret(_, hash) | Presented::Key(Some((_, hash))) => assert!(in_headers(hash)),
        Presented::Token(text) => assert!(jwt::looks_like_one(text)),
        Presented::Nothing | Presented::Malformed | Presented::Key(None) => {}
    };
    let bearers = head.headers.get_all(AUTHORIZATION).iter().count();
    let found = presented(&head);
    assert!(bearers < 2 || found == Presented::Malformed);
    check(found);
    let keys = head.headers.get_all(X_AGENT_API_KEY).iter().count();
    match presented_by_agentex(&head) {
        Ok(found) => {
            assert!(bearers + keys < 2);
            check(found);
        }
        Err(_) => assert!(bearers + keys > 1),
    }
    if let Some(Some(hash)) = cookie::session(&head) {
        assert!(in_headers(hash));
    }
    if cookie::is_same_origin(&head) {
        assert!(head.headers.contains_key(ORIGIN) || head.headers.contains_key("sec-fetch-site"));
    }
}

/// A text is a secret of one kind or none. A changed secret never has the hash of the original, and a change in the
/// secret part of a key is detected.
pub fn secret(data: &[u8]) {
    if let Some(text) = text(data)
        && let Ok((_, hash)) = recognise(text)
    {
        assert!(hash == SecretHash::of(text) && text.is_ascii() && text.len() < 100);
    }
    let [which, at, change, ..] = data else { return };
    let made = match which % 6 {
        0 => AgentToken::generate(),
        1 => UserToken::generate(),
        2 => UserPat::generate(),
        3 => AgentPat::generate(),
        4 => AgentKey::generate(),
        _ => SessionSecret::generate(),
    };
    let good = made.plaintext.reveal();
    assert!(recognise(good).is_ok_and(|(_, hash)| hash == made.hash));
    let mut bytes = good.as_bytes().to_vec();
    let at = usize::from(*at) % bytes.len();
    bytes[at] ^= change & 0x7f;
    if let Ok(text) = String::from_utf8(bytes)
        && let Ok((_, hash)) = recognise(&text)
    {
        // An opaque secret has no redundant part. A key has a checksum.
        assert!(text == good || hash != made.hash);
        assert!(text == good || !matches!(which % 6, 2 | 3) || at < 16, "a typo in a key's secret is told");
    }
}

/// Scopes that were stored read back the same and cover themselves. An intersection allows exactly what both sides
/// allow.
pub fn scope(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let _ = Scopes::from_stored(text);
    let list: Vec<&str> = text.split(' ').collect();
    if let Ok(scopes) = Scopes::parse(list.iter().copied()) {
        assert_eq!(Scopes::from_stored(&scopes.stored()), scopes);
        assert_eq!(scopes.first_not_covered(&scopes), None);
        let allowed = |scopes: &Scopes| -> BTreeSet<&str> {
            Action::ALL.iter().filter(|action| scopes.allow(**action)).map(|action| action.slug()).collect()
        };
        let default = Scopes::agent_default();
        let both = scopes.intersection(&default);
        let expected: BTreeSet<&str> = allowed(&scopes).intersection(&allowed(&default)).copied().collect();
        assert_eq!(allowed(&both), expected);
    }
    for class in [Class::User, Class::Admin, Class::Agent, Class::Key] {
        let _ = ax_scopes::power(class, text);
        let _ = ax_scopes::parse(class, list.iter().copied());
        match ax_scopes::grant(class, text, &Scopes::all(), true, true) {
            // A granted scope can be granted again unchanged.
            Ok(granted) => assert_eq!(ax_scopes::grant(class, &granted, &Scopes::all(), true, true), Ok(granted)),
            Err((refused, _)) => assert!(refused.iter().all(|word| word.chars().count() <= 64)),
        }
    }
}

/// Only a token that our key has signed is accepted, and only unchanged.
pub fn jwt(data: &[u8]) {
    let key = TokenKey::of_seed(&[7; 32], 0).expect("a key").named("k");
    let find = |kid: &str| (kid == "k").then(|| key.public().clone());
    let Some(text) = text(data) else { return };
    assert!(jwt::verify(text, 0, find).is_err(), "nobody guesses a signature");
    let claims = Claims {
        sub: text.to_owned(),
        audience: Audience::Api,
        iat: 0,
        exp: 900,
        jti: "j".into(),
        class: Class::User,
        scope: text.to_owned(),
        user_id: "u".into(),
        credential_id: "c".into(),
        space_id: "s".into(),
        agent: None,
        program: None,
    };
    let token = jwt::sign(&claims, &key).expect("a signature");
    assert!(jwt::looks_like_one(&token));
    match jwt::verify(&token, 1, find) {
        Ok(read) => assert_eq!(read, claims),
        Err(_) => assert!(token.len() > 4096, "only for its length"),
    }
    assert!(jwt::verify(&token, 900, find).is_err() && jwt::verify(&token, 1, |_| None).is_err());
    let [at, change, ..] = data else { return };
    let mut bytes = token.clone().into_bytes();
    let at = usize::from(*at) * bytes.len() / 256;
    bytes[at] ^= change & 0x7f;
    if let Ok(other) = String::from_utf8(bytes) {
        assert!(other == token || jwt::verify(&other, 1, find).is_err());
    }
}
