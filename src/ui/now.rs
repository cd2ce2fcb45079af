//! The first page: what needs its reader, then what runs.

use askama::Template;

use super::core::filters;
use super::core::frame::Frame;
use super::core::text::encoded;
use super::core::view::{PageResult, View};
use super::needs::{self, NeedView};
use super::records::{AgentView, Calls, NotificationView, OperationView};
use super::requests::{self, RequestView};
use crate::access::Action;

/// The most entries of each kind.
const MOST: usize = 8;
/// The most agents that are counted. If there are more, the page says so.
const COUNTED: usize = 100;

#[derive(Template)]
#[template(path = "now.html")]
struct Now {
    frame: Frame,
    needs: Vec<NeedView>,
    asked: Vec<RequestView>,
    states: Vec<(String, usize)>,
    /// True if there are more agents than were counted.
    uncounted: bool,
    agents: Vec<AgentView>,
    /// The calls of the agents that are shown.
    calls: Vec<Calls>,
    more_agents: bool,
    running: Vec<OperationView>,
    news: Vec<NotificationView>,
    may_freeze: bool,
}

impl Now {
    /// The number of things that wait for a person.
    fn waiting(&self) -> usize {
        self.asked.len() + self.needs.len()
    }

    fn selectable(&self) -> usize {
        requests::selectable(&self.asked)
    }

    /// The calls of an agent; `None` if it made none.
    fn calls_of(&self, name: &str) -> Option<&Calls> {
        self.calls.iter().find(|one| one.name == name && one.total > 0)
    }
}

pub(super) fn show(view: &View<'_>) -> PageResult {
    let agents = view.list::<AgentView>(&format!("/api/agents?limit={COUNTED}"))?;
    let operations: Vec<OperationView> = view.rows("/api/operations?limit=25");
    let needs = needs::all(view, &agents.rows, &operations);
    let mut states: Vec<(String, usize)> = Vec::new();
    for agent in &agents.rows {
        match states.iter_mut().find(|(state, _)| state == agent.state()) {
            Some((_, count)) => *count += 1,
            None => states.push((agent.state().to_owned(), 1)),
        }
    }
    let may_freeze = view.may(Action::AgentsFreeze) && agents.rows.iter().any(|agent| !agent.frozen);
    let more_agents = agents.next.is_some() || agents.rows.len() > MOST;
    let mut rows = agents.rows;
    // The agents that called last come first.
    rows.sort_by(|a, b| b.last_used_at.cmp(&a.last_used_at));
    rows.truncate(MOST);
    let calls = rows.iter().filter_map(|agent| view.find(&format!("/api/agents/{}/calls", encoded(&agent.name))));
    let calls = calls.collect();
    view.page(&Now {
        frame: view.frame("Now", "/ui/"),
        needs,
        asked: requests::pending(view, 6),
        states,
        uncounted: agents.next.is_some(),
        agents: rows,
        calls,
        more_agents,
        running: operations.into_iter().filter(OperationView::is_open).collect(),
        news: view.rows(&format!("/api/notifications?limit={MOST}")),
        may_freeze,
    })
}
