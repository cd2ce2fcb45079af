//! The audit: who did what, and whether the chain holds.

use askama::Template;
use serde::Deserialize;

use super::core::filters;
use super::core::frame::Frame;
use super::core::query;
use super::core::text::encoded;
use super::core::view::{Shown, View};
use super::records::Entry;

#[derive(Deserialize)]
struct Head {
    seq: i64,
    hash: String,
    at: String,
    key_id: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit<'a> {
    frame: Frame,
    rows: Vec<Entry>,
    next: Option<String>,
    filter: Vec<(&'static str, &'static str, &'a str)>,
    query: String,
    head: Option<Head>,
    /// Whether each row shown names the hash of the one before it.
    linked: bool,
}

pub(super) fn show(view: &View<'_>) -> Shown {
    let filter: Vec<_> =
        [(&query::ACTOR, "user:operator"), (&query::ACTION, "agents.create"), (&query::RESOURCE, "agent:…")]
            .into_iter()
            .map(|(field, like)| (field.name, like, view.query(field).unwrap_or("")))
            .collect();
    let mut narrowed = String::new();
    for (name, _, value) in filter.iter().filter(|(_, _, value)| !value.is_empty()) {
        narrowed += &format!("&{name}={}", encoded(value));
    }
    let cursor = view.query(&query::CURSOR).map_or(String::new(), |cursor| format!("&cursor={}", encoded(cursor)));
    let list = view.list::<Entry>(&format!("/api/audit?limit=100{narrowed}{cursor}"))?;
    let follows = |pair: &[Entry]| pair[0].seq != pair[1].seq + 1 || pair[0].prev_hash == pair[1].hash;
    let linked = list.rows.windows(2).all(follows);
    let head = view.find("/api/audit/head");
    let frame = view.frame("Audit", "/ui/audit");
    view.page(&Audit { frame, rows: list.rows, next: list.next, filter, query: narrowed, head, linked })
}
