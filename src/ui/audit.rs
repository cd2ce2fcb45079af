//! The audit: who did what, and whether the hash chain is intact.

use askama::Template;
use hyper::header::CONTENT_DISPOSITION;
use hyper::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::core::filters;
use super::core::frame::Frame;
use super::core::query;
use super::core::text::encoded;
use super::core::view::{PageResult, View};
use super::records::AuditEntryView;
use super::the_box::{CHECKED, Verification};
use crate::rest::field::Field;
use crate::rest::reply::Reply;

#[derive(Deserialize)]
struct AuditHeadView {
    seq: i64,
    hash: String,
    at: String,
    key_id: String,
}

/// The filters of the list, each with the placeholder of its field.
const FILTERS: [(&Field, &str); 5] = [
    (&query::ACTOR, "user:operator"),
    (&query::ACTION, "agents.create"),
    (&query::RESOURCE, "agent:…"),
    (&query::SINCE, "2026-01-31T00:00:00Z"),
    (&query::UNTIL, "2026-02-01T00:00:00Z"),
];
/// The rows of one page of the export, and the most pages.
const EXPORTED: (u32, u32) = (500, 20);

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit<'a> {
    frame: Frame,
    rows: Vec<AuditEntryView>,
    next: Option<String>,
    filter: Vec<(&'static str, &'static str, &'a str)>,
    query: String,
    head: Option<AuditHeadView>,
    verification: Option<Verification>,
    /// True if each row shown contains the hash of the row before it.
    linked: bool,
}

pub(super) fn show(view: &View<'_>) -> PageResult {
    let filter: Vec<_> =
        FILTERS.iter().map(|(field, like)| (field.name, *like, view.query(field).unwrap_or(""))).collect();
    let mut narrowed = String::new();
    for (name, _, value) in filter.iter().filter(|(_, _, value)| !value.is_empty()) {
        narrowed += &format!("&{name}={}", encoded(value));
    }
    if view.query(&query::TAB) == Some("export") {
        return export(view, &narrowed);
    }
    let cursor = view.query(&query::CURSOR).map_or(String::new(), |cursor| format!("&cursor={}", encoded(cursor)));
    let list = view.list::<AuditEntryView>(&format!("/api/audit?limit=100{narrowed}{cursor}"))?;
    let follows = |pair: &[AuditEntryView]| pair[0].seq != pair[1].seq + 1 || pair[0].prev_hash == pair[1].hash;
    let linked = list.rows.windows(2).all(follows);
    let page = Audit {
        frame: view.frame("Audit", "/ui/audit"),
        rows: list.rows,
        next: list.next,
        filter,
        query: narrowed,
        head: view.find("/api/audit/head"),
        verification: view.find(CHECKED),
        linked,
    };
    view.page(&page)
}

impl Audit<'_> {
    /// True if the hash chain is intact, as far as it was checked.
    fn holds(&self) -> bool {
        self.linked && self.verification.as_ref().is_none_or(|checked| checked.state == "intact")
    }
}

/// The newest rows that match the filter, as JSON lines.
fn export(view: &View<'_>, narrowed: &str) -> PageResult {
    let (rows, pages) = EXPORTED;
    let (mut lines, mut cursor) = (String::new(), String::new());
    for _ in 0..pages {
        let list = view.list::<Value>(&format!("/api/audit?limit={rows}{narrowed}{cursor}"))?;
        for row in list.rows {
            lines += &row.to_string();
            lines.push('\n');
        }
        let Some(next) = list.next else { break };
        cursor = format!("&cursor={}", encoded(&next));
    }
    let reply = Reply::typed(StatusCode::OK, "application/x-ndjson", lines);
    Ok(reply.with(CONTENT_DISPOSITION, "attachment; filename=\"audit.jsonl\""))
}
