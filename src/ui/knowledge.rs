//! Knowledge: search, items, sources, and the system prompt as an agent gets it.

use askama::Template;
use serde::Deserialize;

use super::core::filters;
use super::core::form::Form;
use super::core::frame::Frame;
use super::core::query;
use super::core::text::encoded;
use super::core::view::{PageResult, View};
use crate::access::Action;
use crate::api::taos::knowledge::SOURCE_ID;

#[derive(Deserialize)]
struct Item {
    id: String,
    source_id: String,
    title: String,
    #[serde(default)]
    snippet: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    content: String,
    updated_at: String,
}

#[derive(Deserialize)]
struct SourceView {
    source_id: String,
    source_type: String,
    items: u64,
    updated_at: String,
}

#[derive(Deserialize)]
struct PromptView {
    prompt: String,
    omitted_count: u64,
}

#[derive(Template)]
#[template(path = "knowledge.html")]
struct Knowledge<'a> {
    frame: Frame,
    tab: &'a str,
    q: &'a str,
    source: &'a str,
    items: Vec<Item>,
    item: Option<Item>,
    sources: Vec<SourceView>,
    prompt: Option<PromptView>,
    next: Option<String>,
    may_write: bool,
    sent: &'a Form,
}

impl Knowledge<'_> {
    /// The source that the form replaces: the one that was sent, or else the one in the address.
    fn replaced(&self) -> &str {
        self.sent.get(&SOURCE_ID).unwrap_or(self.source)
    }
}

pub(super) fn show(view: &View<'_>) -> PageResult {
    let (tab, q, source) = (
        view.query(&query::TAB).unwrap_or(""),
        view.query(&query::Q).unwrap_or(""),
        view.query(&query::SOURCE).unwrap_or(""),
    );
    let mut page = Knowledge {
        frame: view.frame("Knowledge", "/ui/knowledge"),
        tab,
        q,
        source,
        items: Vec::new(),
        item: None,
        sources: Vec::new(),
        prompt: None,
        next: None,
        may_write: view.may(Action::KnowledgeWrite),
        sent: &view.told.sent,
    };
    if let Some(id) = view.query(&query::KEY) {
        page.item = Some(view.get(&format!("/api/knowledge/items/{}", encoded(id)))?);
    } else if tab == "sources" {
        page.sources = view.rows("/api/knowledge/sources?limit=500");
    } else if tab == "prompt" {
        page.prompt = view.find("/api/knowledge/system-prompt?max_bytes=32768");
    } else {
        let cursor = view.query(&query::CURSOR).map_or(String::new(), |cursor| format!("&cursor={}", encoded(cursor)));
        let narrowed = if source.is_empty() { String::new() } else { format!("&source_id={}", encoded(source)) };
        let list = if q.is_empty() {
            view.list(&format!("/api/knowledge/items?limit=40{narrowed}{cursor}"))?
        } else {
            view.list(&format!("/api/knowledge/search?limit=40&q={}{narrowed}{cursor}", encoded(q)))?
        };
        (page.items, page.next) = (list.rows, list.next);
    }
    view.page(&page)
}
