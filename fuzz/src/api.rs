//! Values that handlers read from fields and headers: names, addresses, cursors, searches.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};

use rusqlite::Connection;
use taosd::fuzzing::{
    self, AcpUrl, cursor as write_cursor, display_name, given_name, is_action_url, is_slug, mentioned_names,
    read_cursor, slug_of, wants_html,
};
use taosd::http::edge::check;
use taosd::store::knowledge::{ItemFilter, NewDocument, Replacement, replace, search as find};
use taosd::store::page::Page;
use taosd::time::Micros;
use taosd::{docs, limits};

use super::text;

/// Only a client that names HTML gets HTML. A path names a page or none.
pub fn accept(data: &[u8]) {
    let Some(text) = text(data) else { return };
    assert!(!wants_html(text) || text.to_ascii_lowercase().contains("text/html"));
    if let Some(page) = docs::page(text) {
        assert!(!page.is_empty() && !text.contains(".."));
    }
    let anchor = docs::anchor(text);
    assert!(!anchor.contains(|c: char| c.is_whitespace() || c == '<' || c == '"'), "{anchor}");
}

/// Whatever the address says, a request goes to this machine or to the agent's own container.
pub fn acp_url(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Some(url) = AcpUrl::parse(text) else { return };
    assert!(text.len() <= limits::ACP_URL_CHARS && text.is_ascii() && !text.contains(['@', '?', '#', ' ']));
    if let Some(address) = url.on_this_machine() {
        assert!(address.ip().is_loopback() && address.port() > 0);
    }
    let container = IpAddr::V4(Ipv4Addr::new(10, 0, 3, 2));
    if let Some(address) = url.in_container("taos-agent-a", container) {
        assert!(address.ip() == container && address.port() > 0);
    }
    let target = url.target("/api", "x=1");
    assert!(target.starts_with('/') && target.ends_with("/api?x=1"), "{target}");
    assert!(!target.split('/').any(|part| part == "." || part == ".."));
}

/// An action URL runs no code, and cannot hide where it leads.
pub fn action_url(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if !is_action_url(text) {
        return;
    }
    let lower = text.to_ascii_lowercase();
    let path = text.starts_with('/') && !text.starts_with("//");
    assert!(path || lower.starts_with("http://") || lower.starts_with("https://"));
    assert!(!text.contains(['\\', ' ', '\n', '\t', '\0']));
    let authority = text.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or("");
    assert!(path || !authority.contains('@'));
}

/// Mentioned names follow an `@` in the text. Each is returned once, and at most as many as are looked up.
pub fn mentions(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let names = mentioned_names(text);
    assert!(names.len() <= limits::MENTION_NAMES);
    for (at, name) in names.iter().enumerate() {
        assert!(!name.is_empty() && name.len() <= limits::NAME_CHARS && name.is_ascii());
        assert!(text.contains(&format!("@{name}")));
        assert!(!names[..at].iter().any(|before| before.eq_ignore_ascii_case(name)));
    }
}

/// A slug is its own slug and safe in a path. A given name is accepted unchanged.
pub fn agent_name(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let slug = slug_of(text);
    assert_eq!(slug_of(&slug), slug);
    assert!(slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
    assert!(!slug.starts_with('-') && !slug.ends_with('-') && slug.len() <= limits::NAME_CHARS);
    assert!(!is_slug(text) || slug == text);
    if let Ok(name) = display_name(text) {
        assert!(!name.contains(char::is_control) && name.chars().count() <= limits::NAME_CHARS);
    }
    if let Ok(name) = given_name(text) {
        assert!(name == text && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }
}

/// What a client without a credential sends to join: the body of either request, or a code in it. Accepted input is
/// bounded, and a code has one spelling.
pub fn join(data: &[u8]) {
    super::http::join(data);
    let Some(text) = text(data) else { return };
    if taosd::secret::DeviceCode::parse(text).is_ok() {
        assert!(text.starts_with("taos_device_") && text.is_ascii() && text.len() == 55, "{text:?}");
    }
    if let Some(code) = taosd::secret::UserCode::read(text) {
        assert_eq!(taosd::secret::UserCode::parse(text), taosd::secret::UserCode::parse(&code), "{text:?}");
    }
    if let Ok(name) = given_name(text) {
        assert!(name == text && name.chars().count() <= 2 * limits::NAME_CHARS, "{name:?}");
    }
}

/// A cursor belongs to its list and reads back as written.
pub fn cursor(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Some((at, id)) = read_cursor(text, "agents") {
        assert_eq!(read_cursor(&write_cursor("agents", at, &id), "agents"), Some((at, id)));
        assert_eq!(read_cursor(text, "users"), None);
    }
    let at = Micros(text.len() as i64);
    assert_eq!(read_cursor(&write_cursor("agents", at, text), "agents"), Some((at, text.to_owned())));
}

/// No query causes a syntax error, and every hit has a finite score.
pub fn search(data: &[u8]) {
    thread_local!(static BASE: RefCell<Connection> = RefCell::new(knowledge()));
    let Some(text) = text(data) else { return };
    BASE.with_borrow(|conn| {
        let (page, mut hits) = (Page { limit: 10, after: None }, 0);
        find(conn, text, &ItemFilter::default(), &page, &mut |hit| {
            assert!(hit.score.is_finite());
            hits += 1;
            true
        })
        .expect("a search");
        assert!(hits <= 2);
    });
}

fn knowledge() -> Connection {
    let conn = Connection::open_in_memory().expect("a database");
    conn.execute_batch(include_str!("../../schema.sql")).expect("the schema");
    let document = |path: &str, content: &str| NewDocument {
        path: path.into(),
        title: "A title".into(),
        summary: String::new(),
        content: content.into(),
        categories: vec!["c".into()],
    };
    let documents = [document("p", "some plain words"), document("q", "quoted x a b")];
    let replacement = Replacement { source_id: "s", source_type: "guide", author: "t", documents: &documents };
    replace(&conn, &replacement, Micros(1)).expect("two documents");
    conn
}

/// A context key in a path: an accepted key has no control character and is found again under its percent-encoded form.
pub fn context_key(data: &[u8]) {
    let Some(segment) = text(data).filter(|text| !text.contains('/')) else { return };
    let Ok((segments, _)) = check::segments(&format!("/{segment}")) else { return };
    let Some(key) = segments.first().filter(|key| fuzzing::is_context_key(key)) else { return };
    assert!(!key.is_empty() && key.chars().count() <= 512 && !key.contains(char::is_control));
    let encoded: String = key.bytes().map(|b| format!("%{b:02X}")).collect();
    let (again, at) = check::segments(&format!("/{encoded}")).expect("what was encoded whole");
    assert_eq!(&again[0], key);
    assert_eq!(at.is_empty(), !key.contains(['.', '/', '\\']));
}

/// The input of the authorization server: forms, `Authorization: Basic`, user codes, redirect URIs.
pub fn oauth(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let form = format!("x={}", fuzzing::oauth_encoded(text));
    let back = fuzzing::oauth_form(&form, "x");
    let plain = !text.is_empty() && !text.chars().any(char::is_control);
    assert_eq!(back.as_deref(), plain.then_some(text), "{text:?}");
    let _ = fuzzing::oauth_form(text, "token");
    if let Some((id, secret)) = fuzzing::oauth_basic(text) {
        assert!(!id.is_empty() && !format!("{id}{secret}").chars().any(char::is_control), "{id:?} {secret:?}");
    }
    if let Some(code) = taosd::secret::UserCode::read(text) {
        assert_eq!(taosd::secret::UserCode::read(&code), Some(code.clone()), "one way to write {code}");
    }
    if fuzzing::is_redirect(text) {
        assert!(text.is_ascii() && !text.contains(['#', '*', ' ', '\\']), "{text:?}");
    }
}
