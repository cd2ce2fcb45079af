//! All agents, those in the archive, and the forms that make one.

use askama::Template;
use serde::Deserialize;

use super::core::filters;
use super::core::form::Form;
use super::core::frame::Frame;
use super::core::query;
use super::core::text::encoded;
use super::core::view::{Shown, View};
use super::records::{Agent, Archived};
use crate::access::Action;

/// Rows of a page.
const ROWS: u32 = 50;

#[derive(Template)]
#[template(path = "agents.html")]
struct Agents<'a> {
    frame: Frame,
    tab: &'a str,
    q: &'a str,
    status: &'a str,
    agents: Vec<Agent>,
    archived: Vec<Archived>,
    next: Option<String>,
    frameworks: Vec<String>,
    sent: &'a Form,
    may_create: bool,
    may_deploy: bool,
}

/// The statuses that a list can be narrowed to.
const STATUSES: &[&str] = &["registered", "deploying", "running", "stopped", "failed"];

pub(super) fn show(view: &View<'_>) -> Shown {
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
        frameworks: frameworks(view),
        sent: &view.told.sent,
        may_create: view.may(Action::AgentsCreate),
        may_deploy: view.may(Action::AgentsDeploy),
    };
    match tab {
        "archive" => {
            let list = view.list(&format!("/api/agents/archived?limit={ROWS}{cursor}"))?;
            (page.archived, page.next) = (list.rows, list.next);
        }
        "new" | "deploy" => {}
        _ => {
            let mut target = format!("/api/agents?limit={ROWS}{cursor}");
            if !q.is_empty() {
                target += &format!("&q={}", encoded(q));
            }
            // "paused" is no status of the API's list; whatever is one narrows it.
            if STATUSES.contains(&status) {
                target += &format!("&status={status}");
            }
            let list = view.list(&target)?;
            (page.agents, page.next) = (list.rows, list.next);
            if status == "paused" {
                page.agents.retain(|agent| agent.paused);
            }
        }
    }
    view.page(&page)
}

#[derive(Deserialize, Default)]
struct Choices {
    frameworks: Vec<String>,
}

/// The frameworks that a deployment can name.
fn frameworks(view: &View<'_>) -> Vec<String> {
    view.find::<Choices>("/api/agents/choices").unwrap_or_default().frameworks
}
