//! Requests: pending ones, decisions, and rights in force.

use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::core::filters;
use super::core::frame::Frame;
use super::core::query;
use super::core::text::encoded;
use super::core::view::{PageResult, View};
use super::core::when::Span;

/// An agent's request.
#[derive(Debug, Deserialize)]
pub(super) struct RequestView {
    pub id: String,
    pub kind: String,
    pub state: String,
    #[serde(default)]
    pub agent: Option<Named>,
    #[serde(default)]
    requester: Value,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    asked: Map<String, Value>,
    #[serde(default)]
    pub duration_seconds: Option<u64>,
    #[serde(default)]
    pub until: Option<String>,
    #[serde(default)]
    pub options: Option<Vec<String>>,
    #[serde(default)]
    answer: Option<Value>,
    #[serde(default)]
    pub note: Option<String>,
    #[serde(default)]
    pub decided_by: Option<String>,
    #[serde(default)]
    pub code: Option<String>,
    #[serde(default)]
    pub peer: Option<String>,
    pub created_at: String,
    #[serde(default)]
    pub expires_at: Option<String>,
    #[serde(default)]
    pub decided_at: Option<String>,
}

/// The agent of a request.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub name: String,
    #[serde(default)]
    pub last_used_at: Option<String>,
}

impl RequestView {
    fn told(&self, field: &str) -> &str {
        self.asked.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// The name of the requester.
    pub fn who(&self) -> &str {
        // The requester of a join is not yet the agent that the join names.
        let named = self.agent.as_ref().filter(|_| self.kind != "join").map(|agent| agent.name.as_str());
        named.or(self.requester.as_str()).unwrap_or_else(|| self.told("name"))
    }

    /// A sentence that says what is requested.
    pub fn what(&self) -> String {
        match self.kind.as_str() {
            "scope" => format!("wants to do: {}", self.scope().join(", ")),
            "grant" => format!("wants the role {} on {}", self.told("role"), self.told("resource")),
            "confirm" => self.told("question").to_owned(),
            "join" => format!("wants to join as {}", self.told("name")),
            other => other.to_owned(),
        }
    }

    /// The requested scopes.
    pub fn scope(&self) -> Vec<&str> {
        let list = self.asked.get("scope").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The options of a question; none if only a free text answers it.
    pub fn choices(&self) -> &[String] {
        self.options.as_deref().unwrap_or_default()
    }

    /// True if the question accepts an answer in free text.
    pub fn takes_text(&self) -> bool {
        self.asked.get("free_text").and_then(Value::as_bool).unwrap_or_default()
    }

    /// The requested time, for people.
    pub fn how_long(&self) -> String {
        self.duration_seconds.map_or_else(|| "until you take it back".to_owned(), |seconds| Span(seconds).to_string())
    }

    /// The answer, for people.
    pub fn answered(&self) -> String {
        let Some(answer) = &self.answer else { return String::new() };
        let text = answer["text"].as_str().unwrap_or_default();
        let option = answer["option"].as_u64().and_then(|at| self.choices().get(usize::try_from(at).ok()?).cloned());
        match (option, text) {
            // A chosen option comes with its words as the text.
            (Some(option), text) if text.is_empty() || text == option => option,
            (Some(option), text) => format!("{option}: {text}"),
            (None, text) => text.to_owned(),
        }
    }

    /// True while the request waits for a decision.
    pub fn is_pending(&self) -> bool {
        self.state == "pending"
    }

    /// True if a scope or grant was approved, so that it can be taken back.
    pub fn in_force(&self) -> bool {
        self.state == "approved" && matches!(self.kind.as_str(), "scope" | "grant")
    }
}

/// The pending requests that this reader can decide.
pub(super) fn pending(view: &View<'_>, most: u32) -> Vec<RequestView> {
    view.rows(&format!("/api/requests?state=pending&limit={most}"))
}

#[derive(Template)]
#[template(path = "requests.html")]
struct RequestsPage<'a> {
    frame: Frame,
    tab: &'a str,
    requests: Vec<RequestView>,
    next: Option<String>,
}

impl RequestsPage<'_> {
    fn selectable(&self) -> usize {
        selectable(&self.requests)
    }
}

/// The number of requests that can be decided together.
pub(super) fn selectable(requests: &[RequestView]) -> usize {
    let asks = |one: &&RequestView| one.is_pending() && matches!(one.kind.as_str(), "scope" | "grant");
    requests.iter().filter(asks).count()
}

/// Rows of a page of the list.
const ROWS: usize = 50;

pub(super) fn show(view: &View<'_>) -> PageResult {
    let tab = view.query(&query::TAB).unwrap_or("");
    let cursor = view.query(&query::CURSOR);
    let state = match tab {
        "" => "&state=pending",
        "force" => "&state=approved",
        _ => "",
    };
    let target = format!("/api/requests?limit={ROWS}{state}");
    // An answered question is approved too.
    let list = view.list_where(&target, cursor, ROWS, |one: &RequestView| tab != "force" || one.in_force())?;
    let frame = view.frame("Requests", "/ui/requests");
    view.page(&RequestsPage { frame, tab, requests: list.rows, next: list.next })
}

#[derive(Template)]
#[template(path = "request.html")]
struct RequestPage {
    frame: Frame,
    request: RequestView,
}

/// The page of one request, to which notifications link.
pub(super) fn one(view: &View<'_>) -> PageResult {
    let request = view.get(&format!("/api/requests/{}", encoded(view.input.param(0))))?;
    view.page(&RequestPage { frame: view.frame("Request", "/ui/requests"), request })
}
