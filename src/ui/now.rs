//! Now: first what needs its reader, then what runs.

use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use super::core::filters;
use super::core::frame::Frame;
use super::core::view::{Shown, View};
use super::records::{Agent, Notification, Operation};
use super::requests::{self, Request};

/// Most things of a kind that are shown.
const MOST: usize = 8;

#[derive(Template)]
#[template(path = "now.html")]
struct Now {
    frame: Frame,
    needs: Vec<Need>,
    asked: Vec<Request>,
    states: Vec<(String, usize)>,
    agents: Vec<Agent>,
    more_agents: bool,
    running: Vec<Operation>,
    news: Vec<Notification>,
}

/// Something that needs a person.
struct Need {
    icon: &'static str,
    class: &'static str,
    title: String,
    about: String,
    link: String,
    verb: &'static str,
}

pub(super) fn show(view: &View<'_>) -> Shown {
    let agents = view.list::<Agent>("/api/agents?limit=100")?;
    let operations: Vec<Operation> = view.rows("/api/operations?limit=25");
    let mut needs = checks(view);
    needs.extend(agents.rows.iter().filter_map(of_agent));
    needs.extend(failed(&operations));
    let mut states: Vec<(String, usize)> = Vec::new();
    for agent in &agents.rows {
        match states.iter_mut().find(|(state, _)| state == agent.state()) {
            Some((_, count)) => *count += 1,
            None => states.push((agent.state().to_owned(), 1)),
        }
    }
    let more_agents = agents.next.is_some() || agents.rows.len() > MOST;
    let mut rows = agents.rows;
    // Those that were seen last come first.
    rows.sort_by(|a, b| b.last_used_at.cmp(&a.last_used_at));
    rows.truncate(MOST);
    needs.truncate(20);
    view.page(&Now {
        frame: view.frame("Now", "/ui/"),
        needs,
        asked: requests::pending(view, 6),
        states,
        agents: rows,
        more_agents,
        running: operations.into_iter().filter(Operation::is_open).collect(),
        news: view.rows(&format!("/api/notifications?limit={MOST}")),
    })
}

#[derive(Deserialize)]
struct Ready {
    checks: serde_json::Map<String, Value>,
}

/// The checks of the box that fail.
fn checks(view: &View<'_>) -> Vec<Need> {
    let checks = match view.get::<Ready>("/readyz") {
        Ok(ready) => ready.checks,
        Err(error) => error.extra.get("checks").and_then(Value::as_object).cloned().unwrap_or_default(),
    };
    let failing = checks.into_iter().filter(|(_, state)| state != "ok");
    let need = |(name, state): (String, Value)| Need {
        icon: "warn",
        class: "bad",
        title: format!("The check “{name}” of this box fails"),
        about: state.as_str().unwrap_or_default().to_owned(),
        link: "/ui/box".to_owned(),
        verb: "Look",
    };
    failing.map(need).collect()
}

/// What is wrong with an agent.
fn of_agent(agent: &Agent) -> Option<Need> {
    let link = format!("/ui/agents/{}", agent.name);
    if agent.failed_delivery() {
        let about = agent.token_delivery_error.clone().unwrap_or_default();
        let title = format!("{} did not get its token", agent.display_name);
        return Some(Need { icon: "key", class: "bad", title, about, link, verb: "Rotate" });
    }
    if agent.status == "failed" {
        let title = format!("{} has failed", agent.display_name);
        return Some(Need { icon: "agent", class: "bad", title, about: String::new(), link, verb: "Look" });
    }
    None
}

/// Operations that failed lately.
fn failed(operations: &[Operation]) -> impl Iterator<Item = Need> {
    operations.iter().filter(|op| op.status == "failed").take(3).map(|op| Need {
        icon: "run",
        class: "bad",
        title: format!(
            "{} failed{}",
            capital(&op.kind),
            op.agent_name.as_ref().map_or(String::new(), |name| format!(" for {name}"))
        ),
        about: op.trouble().to_owned(),
        link: format!("/ui/operations?status=failed#{}", op.id),
        verb: "Look",
    })
}

/// A word with a capital at its beginning.
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(letters).collect::<String>().replace('_', " "))
}
