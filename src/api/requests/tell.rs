//! News of requests: a notification for each decider, and an event for those who follow.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::show::{record, stored};
use crate::api::engine::app::App;
use crate::api::engine::call::Tx;
use crate::jobs::events::feed::Event;
use crate::jobs::events::streams::{self, Streams};
use crate::limits::{REQUEST_DECIDERS, TITLE_CHARS};
use crate::store::notifications::{self, Level, NewNotification};
use crate::store::requests::{self as rows, Request, RequestKind};
use crate::store::{self, agents, webhook};
use crate::time::Micros;

/// Returns the topic that is woken when a request of this agent changes.
pub fn topic_of(agent_id: &str) -> String {
    format!("requests:{agent_id}")
}

/// The news of a request, to be sent after the commit.
pub struct RequestNews {
    agent_id: String,
    space_id: Option<String>,
    event: Value,
    listeners: Vec<String>,
    notified: Vec<String>,
    /// True if it is news for the agent that asked, which wakes the agent.
    pub(super) news: bool,
    /// The message that asks the question.
    pub(super) put: Option<Put>,
    /// The id of the join that was decided.
    decided_join: Option<String>,
}

impl RequestNews {
    /// Sends the news. Must be quick: it runs on the writer's thread.
    pub fn tell(self, streams: &Streams) {
        streams.wake(&topic_of(&self.agent_id));
        for user_id in &self.notified {
            streams.wake(&streams::notifications_of(user_id));
        }
        if let Some(put) = &self.put {
            streams.wake(&streams::space(&put.space_id));
        }
        if let Some(space_id) = &self.space_id {
            streams.tell(&streams::space(space_id), Event::new("request", &self.event).only_to(self.listeners));
        }
    }
}

/// Returns a function that sends news with the parts of the application.
pub fn after(app: &App) -> impl Fn(RequestNews) + Send + 'static {
    let streams = std::sync::Arc::clone(&app.streams);
    // The channels of users need it even if no webhook is configured.
    let webhook = std::sync::Arc::clone(&app.webhook);
    let (sleeper, joins) = (std::sync::Arc::clone(&app.sleeper), std::sync::Arc::clone(&app.joins));
    move |told| {
        let notified = !told.notified.is_empty();
        if let Some(id) = &told.decided_join {
            joins.forget(id);
        }
        if told.news {
            sleeper.news(vec![told.agent_id.clone()]);
        }
        told.tell(&streams);
        if notified {
            webhook.nudge();
        }
    }
}

/// Returns the news of a request that has changed.
///
/// # Errors
/// Any `StoreError`.
pub fn changed(conn: &Connection, request: &Request, now: Micros) -> store::Result<RequestNews> {
    let deciders = deciders_of(conn, request, now)?;
    let space_id = agents::by_id(conn, &request.agent_id)?.map(|live| live.agent.space_id);
    let names: Vec<String> = deciders.iter().map(|(_, name)| name.clone()).collect();
    let agent = format!("agent:{}", request.agent_id);
    // The agent gets this event too, so it contains only what the agent may know.
    let shown = if request.kind == RequestKind::Grant { vec![request.owner.clone()] } else { names };
    Ok(RequestNews {
        agent_id: request.agent_id.clone(),
        space_id,
        event: record(request, &shown, now),
        listeners: deciders.into_iter().map(|(id, _)| format!("user:{id}")).chain([agent]).collect(),
        notified: Vec::new(),
        news: false,
        put: None,
        decided_join: None,
    })
}

fn deciders_of(conn: &Connection, request: &Request, now: Micros) -> store::Result<Vec<(String, String)>> {
    deciders_on(conn, request, (request.target_agent_id.as_deref(), request.target_space_id.as_deref()), now)
}

/// Returns who may decide a request about this agent or space, each once.
fn deciders_on(
    conn: &Connection,
    request: &Request,
    on: (Option<&str>, Option<&str>),
    now: Micros,
) -> store::Result<Vec<(String, String)>> {
    let mut deciders: Vec<(String, String)> = Vec::new();
    for one in rows::deciders(conn, &request.owner_id, on, now, REQUEST_DECIDERS)? {
        if !deciders.contains(&one) {
            deciders.push(one);
        }
    }
    Ok(deciders)
}

/// Returns the news of a decided join. It wakes those who wait for the join.
pub fn of_join(id: &str) -> RequestNews {
    RequestNews {
        agent_id: id.to_owned(),
        space_id: None,
        event: Value::Null,
        listeners: Vec::new(),
        notified: Vec::new(),
        news: false,
        put: None,
        decided_join: Some(id.to_owned()),
    }
}

/// Stores a notification for each of these users, about a request that no principal of the box made.
///
/// # Errors
/// Any `StoreError`.
pub fn people(
    conn: &Connection,
    request_id: &str,
    people: &[(String, String)],
    (title, message): (&str, &str),
    to_webhook: bool,
    now: Micros,
) -> store::Result<RequestNews> {
    let mut told = RequestNews { decided_join: None, ..of_join(request_id) };
    let title = in_one_line(title);
    for (user_id, _) in people {
        let id = store::new_id();
        notifications::insert(
            conn,
            &NewNotification {
                id: &id,
                user_id,
                agent_id: None,
                source: "taosd",
                app_origin: None,
                level: Level::High,
                title: &title,
                message,
                action_url: Some(&format!("/ui/requests/{request_id}")),
                created_at: now,
            },
        )?;
        if to_webhook {
            webhook::queue(conn, &id, now)?;
        }
        told.notified.push(user_id.clone());
    }
    Ok(told)
}

/// Stores a notification for each decider of a new request, in the request's transaction.
pub(super) fn deciders(tx: &Tx<'_>, request: &Request, to_webhook: bool) -> store::Result<RequestNews> {
    let mut told = changed(tx.conn, request, tx.now)?;
    let (title, message) = (title(request), message(request));
    // The agent reads the notifications that it has sent. One to the owner of what it asks for would tell it that this
    // exists, so that one is not the agent's own.
    let usual = deciders_on(tx.conn, request, (None, None), tx.now)?;
    let others = deciders_of(tx.conn, request, tx.now)?.into_iter().filter(|one| !usual.contains(one));
    let sender = Some(request.agent_id.as_str());
    let others: Vec<_> = others.map(|(user_id, _)| (user_id, None)).collect();
    for (user_id, agent_id) in usual.into_iter().map(|(user_id, _)| (user_id, sender)).chain(others) {
        let id = store::new_id();
        notifications::insert(
            tx.conn,
            &NewNotification {
                id: &id,
                user_id: &user_id,
                agent_id,
                source: &tx.caller.source(),
                app_origin: None,
                level: Level::High,
                title: &title,
                message: &message,
                action_url: Some(&format!("/ui/requests/{}", request.id)),
                created_at: tx.now,
            },
        )?;
        if to_webhook {
            webhook::queue(tx.conn, &id, tx.now)?;
        }
        told.notified.push(user_id);
    }
    Ok(told)
}

/// Returns the notification's title, in one line.
fn title(request: &Request) -> String {
    let asked = stored(&request.asked);
    let list = |value: &Value| -> String {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    };
    let text = |name: &str| asked[name].as_str().unwrap_or("").to_owned();
    let title = match request.kind {
        RequestKind::Scope => format!("{} asks for {}", request.agent, list(&asked["scope"])),
        RequestKind::Grant => format!("{} asks for the role {} on {}", request.agent, text("role"), text("resource")),
        RequestKind::Confirm => format!("{} asks: {}", request.agent, text("question")),
    };
    in_one_line(&title)
}

fn in_one_line(title: &str) -> String {
    let line: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TITLE_CHARS).collect();
    line.trim_end().to_owned()
}

/// Returns the notification's text, with what a decider needs.
fn message(request: &Request) -> String {
    let asked = stored(&request.asked);
    let mut lines: Vec<String> = Vec::new();
    if let Some(question) = asked["question"].as_str() {
        lines.push(question.to_owned());
    }
    if let Some(options) = asked["options"].as_array() {
        lines.extend(options.iter().filter_map(Value::as_str).map(|option| format!("- {option}")));
    }
    if !request.reason.is_empty() {
        lines.push(request.reason.clone());
    }
    match request.duration_seconds {
        Some(seconds) => lines.push(format!("For {}.", in_words(seconds))),
        None if request.kind != RequestKind::Confirm => lines.push("Until you take it back.".to_owned()),
        None => {}
    }
    lines.push(format!("Decide by {}: taosctl requests show {}", request.expires_at.to_the_minute(), request.id));
    lines.join("\n")
}

/// Returns a duration in its largest whole unit, such as `2 h`.
fn in_words(seconds: i64) -> String {
    match seconds {
        s if s % 86_400 == 0 => format!("{} d", s / 86_400),
        s if s % 3600 == 0 => format!("{} h", s / 3600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// Sends the news of a request that has ended, by its time or with what it depended on. The thread of `Endings` calls
/// it.
pub fn ended(conn: &Connection, streams: &Streams, id: &str) -> store::Result<()> {
    let Some(request) = rows::by_id(conn, id)? else { return Ok(()) };
    changed(conn, &request, Micros::now())?.tell(streams);
    Ok(())
}

/// Returns the body of a reply to an agent that already has what it asks for.
pub fn not_needed() -> Value {
    json!({"state": "not_needed"})
}

/// The message that asks a question.
#[derive(Debug)]
pub(super) struct Put {
    pub(super) message_id: String,
    pub(super) space_id: String,
}
