//! Removes secrets from texts that are stored or shown. A client may put a secret into a path, a query or a name.
//! Access log, audit, metrics, logs and errors all use this.

use std::borrow::Cow;

use data_encoding::BASE64URL_NOPAD;

/// The text that replaces a secret.
pub const CUT: &str = "[cut]";

/// The prefixes of the box's own secrets; the secret part follows each. A test sends one of each in wrong places.
pub const PREFIXES: &[&str] = &[
    "taos_agent_",
    "taos_user_",
    "taos_key_",
    "taos_refresh_",
    "taos_code_",
    "taos_device_",
    "taos_client_",
    "taos_session=",
    "axp_u_",
    "axp_a_",
    LOGIN_LINK,
    CONSENT,
];
/// The prefix of a one-time login link, after the host. It is not cut: only the rest is secret.
const LOGIN_LINK: &str = "/login/";
/// The prefix of the link to a program's login request, which waits for a person. It is not cut either.
const CONSENT: &str = "/oauth/consent/";
/// Characters of the longest of these three prefixes, and a margin.
const PREFIX_CHARS: usize = 16;
/// The start of every JWT: `{"` in base64url.
const JWT: &str = "eyJ";
/// The fewest characters after a prefix for a secret or a part of one.
const LEAST: usize = 8;

/// The text without anything that looks like a credential of the box, or like a JWT, percent-encoded ones included.
pub fn redacted(text: &str) -> Cow<'_, str> {
    let plain = cut(text);
    if !text.contains('%') {
        return plain;
    }
    // If a secret appears only after decoding, the whole part of the path or query with it is cut.
    let mut all = String::with_capacity(plain.len());
    let mut found = false;
    // The text before this part, as far as it was not cut: the prefixes `/login/`, `/oauth/consent/` and
    // `taos_session=` end where a part ends.
    let mut before = String::new();
    for part in plain.split_inclusive(['/', '?', '&', '=', ' ', '\'', '"']) {
        before += &decoded(part);
        if has_secret(&before) {
            found = true;
            before.clear();
            all.push_str(CUT);
            all.extend(part.chars().last().filter(|c| "/?&= '\"".contains(*c)));
        } else {
            let old = before.char_indices().rev().nth(PREFIX_CHARS).map_or(0, |(at, _)| at);
            before.drain(..old);
            all.push_str(part);
        }
    }
    if found { Cow::Owned(all) } else { plain }
}

/// True if something in the text looks like a credential of the box, or like a JWT.
pub fn has_secret(text: &str) -> bool {
    next(text, 0).is_some()
}

/// True if the text contains a credential of this box, judged by its form. Only JWTs that the box issued count.
pub fn has_own_secret(text: &str) -> bool {
    has_own(text) || (text.contains('%') && has_own(&decoded(text)))
}

fn has_own(text: &str) -> bool {
    let mut from = 0;
    while let Some((start, end)) = next(text, from) {
        if !text[start..end].starts_with(JWT) || is_ours(&text[start..end]) {
            return true;
        }
        from = end;
    }
    false
}

/// True unless the token names another issuer.
fn is_ours(token: &str) -> bool {
    let payload = token.split('.').nth(1).unwrap_or("");
    let claims = BASE64URL_NOPAD.decode(payload.as_bytes()).ok();
    let claims: Option<serde_json::Value> = claims.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    // A token of a program names the box by its public address, so its issuer is not `taosd`. Its own claims identify
    // it.
    let names_ours =
        |claims: &serde_json::Value| claims.get("token_class").is_some() && claims.get("credential_id").is_some();
    claims.and_then(|claims| Some(claims.get("iss")?.as_str()? == "taosd" || names_ours(&claims))).unwrap_or(true)
}

fn decoded(text: &str) -> String {
    // Decodes twice, because a faulty client may encode twice.
    let once = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    percent_encoding::percent_decode_str(&once).decode_utf8_lossy().into_owned()
}

fn cut(text: &str) -> Cow<'_, str> {
    let (mut all, mut from) = (String::new(), 0);
    while let Some((start, end)) = next(text, from) {
        all.push_str(&text[from..start]);
        all.push_str(CUT);
        from = end;
    }
    if from == 0 { Cow::Borrowed(text) } else { Cow::Owned(all + &text[from..]) }
}

/// The start and end of the next secret, in bytes, at or after `from`.
fn next(text: &str, from: usize) -> Option<(usize, usize)> {
    let rest = &text[from..];
    // Most paths have no word that is long enough. This check is faster than a search for each prefix.
    if !has_long_word(rest) {
        return None;
    }
    let found = PREFIXES.iter().filter_map(|prefix| {
        let (start, end) = secret(rest, prefix, |_| true)?;
        Some((if [LOGIN_LINK, CONSENT].contains(prefix) { start + prefix.len() } else { start }, end))
    });
    let token = secret(rest, JWT, |found| found.contains('.'));
    found.chain(token).min().map(|(start, end)| (from + start, from + end))
}

/// The first place where `prefix` is followed by enough characters for a secret and `is_one` accepts them.
fn secret(text: &str, prefix: &str, is_one: fn(&str) -> bool) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let start = from + text[from..].find(prefix)?;
        let after = start + prefix.len();
        let tail = &text[after..];
        let len = tail.find(|c| !is_in_secret(c)).unwrap_or(tail.len());
        if len >= LEAST && is_one(&tail[..len]) {
            return Some((start, after + len));
        }
        from = after;
    }
}

/// True if the text has a word that is long enough for a secret.
fn has_long_word(text: &str) -> bool {
    text.split(|c| !is_in_secret(c)).any(|word| word.len() >= LEAST)
}

fn is_in_secret(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secret::{AgentKey, AgentPat, AgentToken, Issued, UserPat, UserToken};

    fn all() -> Vec<Issued> {
        vec![
            AgentKey::generate(),
            AgentPat::generate(),
            AgentToken::generate(),
            UserPat::generate(),
            UserToken::generate(),
        ]
    }

    #[test]
    fn every_kind_of_secret_is_cut_wherever_it_stands() {
        for issued in all() {
            let secret = issued.plaintext.reveal();
            let encoded: String = secret.bytes().map(|b| format!("%{b:02X}")).collect();
            let half = secret.replace('_', "%5f");
            for text in [secret, &encoded, &half, &half.replace('%', "%25")] {
                for line in
                    [format!("/api/agents/{text}/logs"), format!("?token={text}&x=1"), format!("no '{text}' here")]
                {
                    let cut = redacted(&line);
                    assert!(cut.contains(CUT) && !cut.contains(text), "{line}: {cut}");
                    assert!(has_own_secret(&line), "{line}");
                }
            }
        }
        assert_eq!(redacted("/a/eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJ0YW9zZCJ9.c2ln/b"), "/a/[cut]/b");
    }

    #[test]
    fn a_login_link_keeps_its_path_alone() {
        let link = crate::secret::LoginLink::generate();
        let path = format!("/login/{}", link.plaintext.reveal());
        assert_eq!(redacted(&path), "/login/[cut]");
        assert_eq!(redacted(&format!("see http://box{path}?x=1")), "see http://box/login/[cut]?x=1");
        let consent = path.replace("/login/", "/oauth/consent/");
        assert_eq!(redacted(&format!("{consent}/answer")), "/oauth/consent/[cut]/answer");
        assert_eq!(redacted("/login/page.js"), "/login/page.js");
        for encoded in [path.replace("/login/", "/login%2F"), path.replace("/login/", "/%6Cogin/")] {
            assert!(!redacted(&encoded).contains(link.plaintext.reveal()), "{encoded}");
        }
        let session = format!("/x?taos%5Fsession={}", link.plaintext.reveal());
        assert!(!redacted(&session).contains(link.plaintext.reveal()), "{session}");
    }

    #[test]
    fn what_is_no_secret_stays() {
        assert_eq!(redacted("/eyJaneDoeTheThird/eyJhbGciOiJ4In0.eyJpc3M.c2ln"), "/eyJaneDoeTheThird/[cut]");
        for text in [
            "/api/agents/taos-agent-x/logs",
            "taos_agent_",
            "axp_u_",
            "eyJohn",
            "/eyJaneDoeTheThird/x",
            "100%",
            "a%2Fb",
        ] {
            assert_eq!(redacted(text), text);
        }
        // {"alg":"x"}.{"iss":"https://other"}.sig
        assert!(!has_own_secret("eyJhbGciOiJ4In0.eyJpc3MiOiJodHRwczovL290aGVyIn0.c2ln"));
        assert!(has_own_secret("eyJhbGciOiJ4In0.eyJpc3MiOiJ0YW9zZCJ9.c2ln"));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_nothing_is_left_over(text in ".{0,200}") {
            let once = redacted(&text).into_owned();
            prop_assert!(!has_secret(&once), "{once}");
        }

        #[test]
        fn a_secret_never_survives_its_surroundings(before in "[ -~]{0,20}", after in "[ /?&%'\"]?[ -~]{0,20}") {
            let issued = UserToken::generate();
            let secret = issued.plaintext.reveal();
            let line = format!("{before}{secret}{after}");
            prop_assert!(!redacted(&line).contains(secret));
        }
    }
}
