//! `taosctl status`: the most important facts on one screen.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::{ArgMatches, Command};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::version::of_daemon;
use super::whoami::{principal, whoami};
use crate::ctl::core::failure::Failure;
use crate::ctl::core::format::Format;
use crate::ctl::core::output::Output;
use crate::ctl::core::{path, text, when};
use crate::ctl::login::context::Context;
use crate::ctl::login::session::Session;
use crate::ctl::show::look::{Look, mood, size};
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::{paging, show};

/// Days before its end from which a token is listed as needing attention.
const SOON: i64 = 7;
/// Hours for which a failed operation is listed as needing attention.
const RECENT: i64 = 24;
/// The most frozen agents that are named.
const NAMED: usize = 3;
/// The most operations that are read.
const OPERATIONS: usize = 200;

/// `taosctl status`.
pub const ENTRY: CommandEntry = CommandEntry::Own {
    name: "status",
    routes: &[
        "auth_whoami",
        "healthz",
        "readyz",
        "agents_list",
        "notifications_count",
        "operations_list",
        "backups_list",
    ],
    command,
    run,
};

fn command(name: &'static str) -> Command {
    Command::new(name).about("Show on one screen: the server, who you are, its health, the agents, and what needs you")
}

fn run(context: &Context, _: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let status = gather(&session)?;
    if context.json {
        return Ok(show::one_line(&status));
    }
    if Format::chosen() == Format::Name {
        return Ok(Output::text(text::plain(&status["health"])));
    }
    Ok(Output::text(screen(&status, &Look::of_stdout())))
}

/// The replies of the daemon in one object. Parts that the caller may not see are missing.
fn gather(session: &Session<'_>) -> Result<Value, Failure> {
    let version = of_daemon(session)?;
    let me = whoami(session)?;
    let agents = list(session, "agents_list", None).ok();
    let (health, trouble) = health(session);
    let mut by_state: BTreeMap<String, usize> = BTreeMap::new();
    for agent in agents.iter().flatten() {
        let state = state_of(agent);
        *by_state.entry(state.to_owned()).or_default() += 1;
    }
    let backup = backups(session, Map::new());
    let automatic = backups(session, Map::from_iter([("kind".to_owned(), json!("automatic"))]));
    let mut status = json!({
        "server": session.connection.server.to_string(),
        "version": version,
        "login": session.connection.source,
        "principal": principal(&me)?,
        "role": me["role"],
        "token_expires_at": me["expires_at"],
        "health": health,
        "trouble": trouble,
        "agents": agents.as_ref().map(|_| by_state),
        "needs_you": needs(session, agents.as_deref().unwrap_or_default(), &me),
    });
    if let (Some(backup), Some(automatic)) = (backup, automatic) {
        (status["backup"], status["automatic_backup"]) = (backup, automatic);
    }
    Ok(status)
}

/// The state of an agent, as its row in `agents ls` shows it.
fn state_of(agent: &Value) -> &str {
    match agent {
        _ if agent["frozen"] == true => "frozen",
        _ if agent["paused"] == true => "paused",
        _ => agent["status"].as_str().unwrap_or("unknown"),
    }
}

/// What is frozen, and the command that thaws it.
fn frozen(agents: &[Value]) -> Option<(String, String)> {
    let names: Vec<&str> =
        agents.iter().filter(|agent| agent["frozen"] == true).filter_map(|agent| agent["name"].as_str()).collect();
    match names.as_slice() {
        [] => None,
        [name] => Some(("1 agent is frozen".to_owned(), format!("taosctl thaw {name}"))),
        // A long list of names would not fit the line.
        many if many.len() > NAMED => {
            Some((format!("{} agents are frozen", many.len()), "taosctl agents ls".to_owned()))
        }
        few => Some((format!("{} agents are frozen", few.len()), format!("taosctl thaw {}", few.join(" ")))),
    }
}

fn list(session: &Session<'_>, route: &str, most: Option<usize>) -> Result<Vec<Value>, Failure> {
    paging::rows(session, path::route(route), &[], Map::new(), most)
}

/// Whether the daemon is ready, and the checks that fail.
fn health(session: &Session<'_>) -> (&'static str, Vec<String>) {
    let route = path::route("readyz");
    match session.send_for_json(route, route.path, None) {
        Ok(_) => ("ready", Vec::new()),
        Err(Failure::Refused(refusal)) => {
            let checks = refusal.field("checks").and_then(Value::as_object).cloned().unwrap_or_default();
            let bad = checks.iter().filter(|(_, told)| *told != "ok");
            ("not ready", bad.map(|(name, told)| format!("{name}: {}", text::plain(told))).collect())
        }
        Err(failure) => ("not ready", vec![failure.to_string()]),
    }
}

/// The newest backup, null if there is none. `None` if the caller may not list them.
fn backups(session: &Session<'_>, query: Map<String, Value>) -> Option<Value> {
    let rows = paging::rows(session, path::route("backups_list"), &[], query, None);
    rows.ok().map(|rows| newest(&rows))
}

fn newest(rows: &[Value]) -> Value {
    let last = rows.iter().max_by_key(|row| row["created_at"].as_str().unwrap_or_default().to_owned());
    last.map_or(Value::Null, |row| json!({"file": row["file"], "bytes": row["bytes"], "created_at": row["created_at"]}))
}

/// The list of what needs attention, each with the command that shows it.
fn needs(session: &Session<'_>, agents: &[Value], me: &Value) -> Vec<Value> {
    let now = Timestamp::now();
    let soon = now + SignedDuration::from_hours(24 * SOON);
    let mut needs = Vec::new();
    let mut need = |what: String, run: &str| needs.push(json!({"what": what, "run": run}));
    let count = path::route("notifications_count");
    if let Ok(count) = session.send_for_json(count, count.path, None) {
        match count["unread"].as_u64().unwrap_or(0) {
            0 => {}
            1 => need("1 unread notification".to_owned(), "taosctl notifications ls --unread"),
            n => need(format!("{n} unread notifications"), "taosctl notifications ls --unread"),
        }
    }
    // The pending requests of agents, if the route table has requests.
    if let Some(requests) = path::find("requests_list")
        && let Ok(open) =
            paging::rows(session, requests, &[], Map::from_iter([("state".into(), json!("pending"))]), None)
        && !open.is_empty()
    {
        let requests = if open.len() == 1 { "1 request" } else { &format!("{} requests", open.len()) };
        need(format!("{requests} of agents to decide"), "taosctl requests ls --state pending");
    }
    let recent = now - SignedDuration::from_hours(RECENT);
    let failed = list(session, "operations_list", Some(OPERATIONS)).unwrap_or_default();
    let failed = failed
        .iter()
        .filter(|op| op["status"] == "failed" && when::of(&op["finished_at"]).is_some_and(|at| at > recent))
        .count();
    if failed > 0 {
        need(format!("{failed} failed operations since yesterday"), "taosctl operations ls --status failed");
    }
    if let Some((what, run)) = frozen(agents) {
        need(what, &run);
    }
    for agent in agents {
        let name = agent["name"].as_str().unwrap_or_default();
        if agent["status"] == "failed" {
            need(format!("agent {name} has failed"), &format!("taosctl agents logs {name}"));
        }
        if agent["token_delivery"] == "failed" {
            need(format!("the token of {name} was not delivered"), &format!("taosctl agents token show {name}"));
        }
        if agent["has_token"] == true && when::of(&agent["expires_at"]).is_some_and(|at| at < soon) {
            need(format!("the token of {name} ends soon"), &format!("taosctl tokens issue {name}"));
        }
    }
    if when::of(&me["expires_at"]).is_some_and(|at| at < soon) {
        need("your own token ends soon".to_owned(), "taosctl tokens ls");
    }
    needs
}

/// The text of the screen.
fn screen(status: &Value, look: &Look) -> String {
    let text = |name: &str| text::clean(&text::plain(&status[name]));
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "{}  {value}", look.strong(&format!("{name:<7}")));
    };
    line("server", &format!("taosd {} at {}", text("version"), text("server")));
    let until = when::of(&status["token_expires_at"])
        .map_or(String::new(), |at| format!(", token ends {}", when::relative(at, look.now)));
    line("you", &format!("{} ({}), by {}{until}", text("principal"), text("role"), source(&text("login"))));
    let word = if status["health"] == "ready" { "ok" } else { "failed" };
    let mark = if look.is_person { format!("{} ", mood(word).mark()) } else { String::new() };
    line("health", &look.coloured("state", &json!(word), &format!("{mark}{}", text("health"))));
    for trouble in status["trouble"].as_array().into_iter().flatten() {
        line("", &text::clean(&text::plain(trouble)));
    }
    if let Some(agents) = status["agents"].as_object() {
        let all: u64 = agents.values().filter_map(Value::as_u64).sum();
        let each: Vec<String> = agents.iter().map(|(state, n)| format!("{n} {}", text::clean(state))).collect();
        let next = "none yet; create one: taosctl agents create NAME";
        line("agents", &if all == 0 { next.to_owned() } else { format!("{all}: {}", each.join(", ")) });
    }
    if status.get("backup").is_none() {
        // The reader may not list backups, so nothing is known of them.
    } else if !status["backup"].is_null() {
        let (at, bytes) = (when::of(&status["backup"]["created_at"]), status["backup"]["bytes"].as_u64().unwrap_or(0));
        line(
            "backup",
            &at.map_or("never".to_owned(), |at| format!("{} ({})", when::relative(at, look.now), size(bytes))),
        );
    } else {
        let copy = when::of(&status["automatic_backup"]["created_at"]);
        let copy = copy.map_or(String::new(), |at| format!("automatic copy {}; ", when::relative(at, look.now)));
        line("backup", &format!("{copy}none asked for yet: taosctl backup"));
    }
    let needs = status["needs_you"].as_array().map_or(&[][..], Vec::as_slice);
    if needs.is_empty() {
        line("needs", "nothing of you");
    }
    for (at, need) in needs.iter().enumerate() {
        let text = |name: &str| text::clean(&text::plain(&need[name]));
        line(if at == 0 { "needs" } else { "" }, &format!("{}: {}", text("what"), text("run")));
    }
    out
}

fn source(login: &str) -> &str {
    if login == "none" { "the socket" } else { login }
}
