//! The list of agents, the archive, and the forms that create or deploy an agent.

use std::collections::HashMap;

use askama::Template;
use serde::Deserialize;

use super::core::filters;
use super::core::form::Form;
use super::core::frame::Frame;
use super::core::query;
use super::core::text::encoded;
use super::core::view::{PageResult, View};
use super::records::{AgentView, Archived, NotificationView};
use super::requests;
use crate::access::Action;

/// The rows of one page.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "agents.html")]
struct Agents<'a> {
    frame: Frame,
    tab: &'a str,
    q: &'a str,
    status: &'a str,
    agents: Vec<AgentView>,
    archived: Vec<Archived>,
    next: Option<String>,
    sort: &'a str,
    choices: Choices,
    waits: Waits,
    sent: &'a Form,
    may_create: bool,
    may_deploy: bool,
}

/// The statuses that the API's list can filter by.
const STATUSES: &[&str] = &["registered", "deploying", "running", "stopped", "failed"];

pub(super) fn show(view: &View<'_>) -> PageResult {
    let tab = view.query(&query::TAB).unwrap_or("all");
    let (q, status) = (view.query(&query::Q).unwrap_or(""), view.query(&query::STATUS).unwrap_or(""));
    let cursor = view.query(&query::CURSOR).map_or(String::new(), |cursor| format!("&cursor={}", encoded(cursor)));
    let mut page = Agents {
        frame: view.frame("Agents", "/ui/agents"),
        tab,
        q,
        status,
        agents: Vec::new(),
        archived: Vec::new(),
        next: None,
        sort: view.query(&query::SORT).unwrap_or(""),
        choices: Choices::default(),
        waits: Waits::default(),
        sent: &view.told.sent,
        may_create: view.may(Action::AgentsCreate),
        may_deploy: view.may(Action::AgentsDeploy),
    };
    match tab {
        "archive" => {
            let list = view.list(&format!("/api/agents/archived?limit={ROWS}{cursor}"))?;
            (page.archived, page.next) = (list.rows, list.next);
        }
        "new" | "deploy" => page.choices = view.find("/api/agents/deploy/choices").unwrap_or_default(),
        _ => {
            let mut target = format!("/api/agents?limit={ROWS}");
            if !q.is_empty() {
                target += &format!("&q={}", encoded(q));
            }
            // The route does not know the other statuses.
            if STATUSES.contains(&status) {
                target += &format!("&status={status}");
            }
            // The route filters by the stored status; a frozen agent, for one, has another state.
            let is_shown = |agent: &AgentView| status.is_empty() || agent.state() == status;
            let list = view.list_where(&target, view.query(&query::CURSOR), ROWS, is_shown)?;
            (page.agents, page.next) = (list.rows, list.next);
            match page.sort {
                "name" => page.agents.sort_by_key(|agent| agent.display_name.to_lowercase()),
                "seen" => page.agents.sort_by(|a, b| b.last_used_at.cmp(&a.last_used_at)),
                _ => {}
            }
            page.waits = Waits::of(view);
        }
    }
    view.page(&page)
}

/// The choices for a deployment.
#[derive(Deserialize, Default)]
struct Choices {
    runtime: Option<String>,
    images: Vec<String>,
    default_image: Option<String>,
    frameworks: Vec<String>,
    models: Vec<String>,
    workers: Vec<String>,
    mount_roots: Vec<String>,
}

impl Choices {
    /// True if the box has no container runtime.
    fn no_runtime(&self) -> bool {
        self.runtime.as_deref() == Some("none")
    }

    /// The image of a deployment that names none.
    fn image(&self) -> &str {
        self.default_image.as_deref().unwrap_or("images:debian/12")
    }
}

/// The waiting requests and unread notifications of each agent, by the agent's name.
#[derive(Default)]
struct Waits {
    requests: HashMap<String, usize>,
    unread: HashMap<String, usize>,
}

impl Waits {
    fn of(view: &View<'_>) -> Self {
        let mut waits = Self::default();
        for request in requests::pending(view, 100) {
            if let Some(agent) = request.agent {
                *waits.requests.entry(agent.name).or_default() += 1;
            }
        }
        for one in view.rows::<NotificationView>("/api/notifications?unread_only=true&limit=100") {
            if let Some(agent) = one.agent() {
                *waits.unread.entry(agent.to_owned()).or_default() += 1;
            }
        }
        waits
    }

    fn requests(&self, name: &str) -> usize {
        self.requests.get(name).copied().unwrap_or_default()
    }

    fn unread(&self, name: &str) -> usize {
        self.unread.get(name).copied().unwrap_or_default()
    }
}
