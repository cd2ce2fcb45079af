//! What needs a person, besides the requests of agents: the alarms of the box, credentials that expire, and agents and
//! operations with problems.

use super::core::text::encoded;
use super::core::view::View;
use super::core::when::{Span, parsed};
use super::records::{AgentView, EndingView, OperationView, RegistrationView, StatusView};
use crate::time::Micros;

/// Free bytes below which the disk is shown, long before the daemon stops writing.
const LITTLE: u64 = 1024 * 1024 * 1024;
/// Seconds after which a backup is old, and seconds of uptime after which a backup must exist.
const OLD: u64 = 7 * 86_400;
const FIRST: u64 = 3600;
/// How long a running agent may be silent, and how long a failed operation is shown, in microseconds.
const SILENT: i64 = 2 * Micros::DAY;
const NEWS: i64 = 2 * Micros::DAY;
/// The most credentials, and the most agents, that are shown one by one.
const EACH: usize = 3;
/// The most entries that are shown.
const MOST: usize = 20;

/// Something that needs a person.
pub(super) struct NeedView {
    pub icon: &'static str,
    pub class: &'static str,
    pub title: String,
    pub about: String,
    pub link: String,
    pub verb: &'static str,
    /// A route that solves the problem. It needs no fields but those given here.
    pub act: Option<String>,
}

impl NeedView {
    fn bad(icon: &'static str, title: String, about: String, link: String) -> Self {
        Self { icon, class: "bad", title, about, link, verb: "Look", act: None }
    }

    fn warn(icon: &'static str, title: String, about: String, link: String) -> Self {
        Self { class: "warn", ..Self::bad(icon, title, about, link) }
    }
}

/// All entries, the worst first.
pub(super) fn all(view: &View<'_>, agents: &[AgentView], operations: &[OperationView]) -> Vec<NeedView> {
    let mut needs = view.find::<StatusView>("/api/status").map_or_else(Vec::new, |status| of_box(&status));
    needs.extend(frozen(agents));
    needs.extend(agents.iter().filter(|agent| !agent.frozen).filter_map(of_agent));
    needs.extend(unhealthy(view, agents));
    needs.extend(failed(operations));
    needs.extend(ending(&view.rows("/api/credentials/expiring?within_days=7&limit=20")));
    needs.sort_by_key(|need| need.class != "bad");
    needs.truncate(MOST);
    needs
}

/// The alarms of the box.
fn of_box(status: &StatusView) -> Vec<NeedView> {
    let link = || "/ui/box".to_owned();
    let failing = status.checks.iter().filter(|(_, state)| *state != "ok");
    let failing = failing.map(|(name, state)| {
        let about = state.as_str().unwrap_or_default().to_owned();
        NeedView::bad("warn", format!("The check “{name}” of this box fails"), about, link())
    });
    let mut needs: Vec<NeedView> = failing.collect();
    if let Some(free) = status.disk_free_bytes.filter(|free| *free < LITTLE && status.checks["disk"] == "ok") {
        let about = "Free some space before the daemon has to stop writing.".to_owned();
        needs.push(NeedView::warn(
            "box",
            format!("The disk is nearly full: {} MiB are free", free >> 20),
            about,
            link(),
        ));
    }
    let backup = match status.backup_age_seconds {
        Some(age) if age >= OLD => Some(format!("The last automatic backup is {} old", Span(age))),
        None if status.uptime_seconds >= FIRST => Some("There is no automatic backup yet".to_owned()),
        _ => None,
    };
    if let Some(title) = backup {
        let about = "Make one now, and look at the log of the daemon.".to_owned();
        let act = Some("POST /api/backups?wait=20".to_owned());
        needs.push(NeedView { act, verb: "Back up now", ..NeedView::warn("archive", title, about, link()) });
    }
    needs
}

/// Frozen agents: one by one if there are few, otherwise all in one entry.
fn frozen(agents: &[AgentView]) -> Vec<NeedView> {
    let frozen: Vec<&AgentView> = agents.iter().filter(|agent| agent.frozen).collect();
    if frozen.len() > EACH {
        let names: Vec<&str> = frozen.iter().map(|agent| agent.display_name.as_str()).collect();
        let link = "/ui/agents?status=frozen".to_owned();
        let all = NeedView::warn("snow", format!("{} agents are frozen", frozen.len()), names.join(", "), link);
        return vec![NeedView { verb: "Thaw all", act: Some("POST /api/thaw".to_owned()), ..all }];
    }
    let one = |agent: &&AgentView| {
        let reason = agent.frozen_reason.as_deref().filter(|reason| !reason.is_empty()).unwrap_or("no reason given");
        let by = agent.frozen_by.as_deref().unwrap_or("somebody");
        let name = encoded(&agent.name);
        let title = format!("{} is frozen", agent.display_name);
        let need = NeedView::warn("snow", title, format!("{reason} ({by})"), format!("/ui/agents/{name}"));
        NeedView { verb: "Thaw", act: Some(format!("POST /api/agents/{name}/thaw")), ..need }
    };
    frozen.iter().map(one).collect()
}

/// The problem of an agent, if it has one.
fn of_agent(agent: &AgentView) -> Option<NeedView> {
    let link = format!("/ui/agents/{}", encoded(&agent.name));
    if agent.failed_delivery() {
        let about = agent.token_delivery_error.clone().unwrap_or_default();
        let title = format!("{} did not get its token", agent.display_name);
        return Some(NeedView { verb: "Rotate", ..NeedView::bad("key", title, about, link + "?tab=access") });
    }
    if agent.status == "failed" {
        let title = format!("{} has failed", agent.display_name);
        return Some(NeedView::bad("agent", title, "Its container did not start.".to_owned(), link));
    }
    let seen = agent.last_used_at.as_deref().and_then(parsed)?;
    let silent = Micros::now().0 - seen;
    if agent.status != "running" || agent.paused || agent.sleeping || silent < SILENT {
        return None;
    }
    let span = Span((silent / Micros::SECOND).unsigned_abs());
    let title = format!("{} has been silent for {span}", agent.display_name);
    Some(NeedView::warn("clock", title, "Its container runs, but it makes no calls.".to_owned(), link + "?tab=logs"))
}

/// Agents whose address failed the health checks.
fn unhealthy(view: &View<'_>, agents: &[AgentView]) -> Vec<NeedView> {
    let registered: Vec<RegistrationView> = view.rows("/agents?limit=100");
    let sick = registered.iter().filter(|one| one.status == "Unhealthy" && one.status_reason == "health check failed");
    let known = sick.filter_map(|one| agents.iter().find(|agent| agent.id == one.id && !agent.frozen));
    let need = |agent: &AgentView| {
        let link = format!("/ui/agents/{}?tab=activity", encoded(&agent.name));
        let title = format!("{} is unhealthy", agent.display_name);
        NeedView::bad("agent", title, "Its address failed five checks in a row.".to_owned(), link)
    };
    known.take(EACH).map(need).collect()
}

/// Operations that failed recently, unless the same one has succeeded since.
fn failed(operations: &[OperationView]) -> impl Iterator<Item = NeedView> {
    let lately =
        |op: &OperationView| op.finished_at.as_deref().and_then(parsed).is_some_and(|at| Micros::now().0 - at < NEWS);
    let done_since = move |at: usize, op: &OperationView| {
        let newer = operations.iter().take(at);
        newer.filter(|one| one.status == "succeeded").any(|one| one.kind == op.kind && one.agent_name == op.agent_name)
    };
    let failed = operations.iter().enumerate().filter(|(_, op)| op.status == "failed");
    failed.filter(move |(at, op)| lately(op) && !done_since(*at, op)).take(EACH).map(|(_, op)| {
        let whose = op.agent_name.as_ref().map_or(String::new(), |name| format!(" for {name}"));
        let title = format!("{} failed{whose}", capital(&op.kind));
        NeedView::bad("run", title, op.trouble().to_owned(), format!("/ui/operations?status=failed#{}", op.id))
    })
}

/// Credentials that expire within a week: one by one if there are few.
fn ending(all: &[EndingView]) -> Vec<NeedView> {
    let said = |one: &EndingView| {
        let left = Micros::parse(&one.expires_at).map_or(0, |at| at.0 - Micros::now().0);
        let label = if one.label.is_empty() { &one.key_id } else { &one.label };
        let title =
            format!("A credential of {} ends in {}", one.whose(), Span((left.max(0) / Micros::SECOND).unsigned_abs()));
        let about = format!("{}: {label}", one.kind.replace('_', " "));
        NeedView { verb: "Renew", ..NeedView::warn("key", title, about, one.page()) }
    };
    let mut needs: Vec<NeedView> = all.iter().take(EACH).map(said).collect();
    if let Some(others) = all.len().checked_sub(EACH).filter(|others| *others > 0) {
        let title = format!("{others} more credentials end within a week");
        let about = "All of them: taosctl credentials expiring".to_owned();
        needs.push(NeedView::warn("key", title, about, "/ui/box#ending".to_owned()));
    }
    needs
}

/// A word with a capital first letter, and blanks for underscores.
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(letters).collect::<String>().replace('_', " "))
}
