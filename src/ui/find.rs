//! The results of the command palette: agents, pages, documents.

use askama::Template;
use serde::Deserialize;

use super::core::filters;
use super::core::frame::Frame;
use super::core::query;
use super::core::text::encoded;
use super::core::view::{PageResult, View};
use super::records::AgentView;

#[derive(Template)]
#[template(path = "find.html")]
struct Find<'a> {
    frame: Frame,
    q: &'a str,
    agents: Vec<AgentView>,
    pages: Vec<(&'static str, &'static str, &'static str)>,
    docs: Vec<DocumentView>,
}

#[derive(Deserialize)]
struct DocumentView {
    title: String,
    source_url: String,
    #[serde(default)]
    snippet: String,
}

/// Places that are not in the navigation.
const MORE: &[(&str, &str, &str)] = &[
    ("/ui/agents?tab=new", "Create agent", "plus"),
    ("/ui/agents?tab=deploy", "Deploy agent", "box"),
    ("/ui/agents?tab=archive", "Archive", "archive"),
    ("/ui/inbox?tab=unread", "Unread messages", "bell"),
    ("/docs", "Documentation", "doc"),
    ("/docs/agents/errors", "Errors and what to do", "warn"),
];

pub(super) fn show(view: &View<'_>) -> PageResult {
    let q = view.query(&query::Q).map(str::trim).unwrap_or("");
    let frame = view.frame("Search", "");
    let word = q.to_lowercase();
    let pages = frame.places.iter().map(|place| (place.path, place.name, place.icon)).chain(MORE.iter().copied());
    let pages =
        pages.filter(|(_, name, _)| name.to_lowercase().contains(&word)).take(if q.is_empty() { 20 } else { 6 });
    let pages: Vec<_> = pages.collect();
    let (mut agents, mut docs) = (Vec::new(), Vec::new());
    if q.is_empty() {
        agents = view.rows("/api/agents?limit=5");
    } else {
        agents.extend(view.rows::<AgentView>(&format!("/api/agents?limit=6&q={}", encoded(q))));
        docs = view.rows(&format!("/api/knowledge/search?source_id=taos-core&limit=6&q={}", encoded(q)));
    }
    view.page(&Find { frame, q, agents, pages, docs })
}
