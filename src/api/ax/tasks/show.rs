//! A task as clients see it, and whom its changes are told.

use std::sync::Arc;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::access::Caller;
use crate::api::engine::app::App;
use crate::api::engine::call::Tx;
use crate::jobs::events::feed::Event;
use crate::jobs::events::streams::{Streams, space};
use crate::jobs::upkeep::leases::{EndedLease, Leases};
use crate::jobs::upkeep::sleeper::Sleeper;
use crate::store::tasks::{self, Lease, Priority, Task, TaskActor};
use crate::store::{self, news};
use crate::time::Micros;

/// The caller, as tasks name who acts.
pub(super) fn actor(caller: &Caller) -> TaskActor {
    TaskActor { key: caller.principal_key(), name: caller.name().to_owned() }
}

/// `user:ID` or `agent:ID` with its name.
fn person(key: &str, name: &str) -> Value {
    let (kind, id) = key.split_once(':').unwrap_or(("user", key));
    json!({"id": id, "type": kind, "name": name})
}

/// The lease that is given on a task.
pub(super) fn lease(task: &Task) -> Value {
    match (&task.holder, &task.holder_name, task.lease_until) {
        (Some(holder), Some(name), Some(until)) => {
            json!({"holder": person(holder, name), "fence": task.fence, "until": until.micros()})
        }
        _ => Value::Null,
    }
}

/// A task with what it depends on.
pub(super) fn show(task: &Task, depends_on: &[String]) -> Value {
    let requirements = task.requirements.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    json!({
        "id": task.id,
        "space_id": task.space_id,
        "title": task.title,
        "description": task.description,
        "status": task.status,
        "priority": Priority::of_rank(task.priority).unwrap_or(Priority::Medium),
        "assignee_id": (!task.assignee.is_empty()).then_some(&task.assignee),
        "requirements": requirements,
        "deadline": task.deadline.map(Micros::micros),
        "depends_on": depends_on,
        "waiting_on": task.waiting_on,
        "attempts": task.attempts,
        "max_attempts": task.max_attempts,
        "created_by": person(&task.creator, &task.creator_name),
        "lease": lease(task),
        "created_at": task.created_at.micros(),
        "updated_at": task.updated_at.micros(),
        "finished_at": task.finished_at.map(Micros::micros),
    })
}

/// A task with what the database says it depends on.
///
/// # Errors
/// The store's.
pub(super) fn shown(conn: &Connection, task: &Task) -> store::Result<Value> {
    Ok(show(task, &tasks::dependencies_of(conn, task.seq)?))
}

/// What is woken when a task of a space may have become free.
pub fn topic(space_id: &str) -> String {
    format!("tasks:{space_id}")
}

/// Tells what became of tasks, after the commit: to those who wait for one, to the streams, to the clock of leases.
#[derive(Clone)]
pub(super) struct TaskNews {
    streams: Arc<Streams>,
    leases: Arc<Leases>,
    sleeper: Arc<Sleeper>,
}

impl TaskNews {
    pub(super) fn new(app: &App) -> Self {
        Self { streams: Arc::clone(&app.streams), leases: Arc::clone(&app.leases), sleeper: Arc::clone(&app.sleeper) }
    }

    /// Tells of one task, shown as `view`.
    pub(super) fn tell(&self, action: &'static str, task: &Task, view: &Value) {
        self.note(task);
        publish(&self.streams, action, task, view);
    }

    /// Notes, within the transaction, that a task was assigned to somebody: news for an agent, if it is one and not the
    /// caller itself. Whom to tell afterwards.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn assigned(&self, tx: &Tx<'_>, assignee: &str) -> store::Result<Option<String>> {
        if assignee.is_empty() || tx.caller.agent_id() == Some(assignee) {
            return Ok(None);
        }
        let heard = self.streams.listening.is_anywhere(&format!("agent:{assignee}"));
        Ok(news::note(tx.conn, assignee, heard, tx.now)?.then(|| assignee.to_owned()))
    }

    /// Tells of news that is on disk.
    pub(super) fn news(&self, agent: Option<String>) {
        if let Some(agent) = agent {
            self.sleeper.news(vec![agent]);
        }
    }

    /// Wakes those who wait for a task of this space.
    pub(super) fn wake(&self, space_id: &str) {
        self.streams.wake(&topic(space_id));
    }

    /// Tells the clock of leases alone.
    pub(super) fn note(&self, task: &Task) {
        match (&task.holder, task.lease_seconds, task.lease_until) {
            (Some(_), Some(seconds), Some(until)) => {
                self.leases.note(Lease { task_id: task.id.clone(), fence: task.fence, seconds, until });
            }
            _ => self.leases.forget(&task.id),
        }
    }
}

fn publish(streams: &Streams, action: &'static str, task: &Task, view: &Value) {
    if task.holder.is_none() && !task.is_finished() {
        streams.wake(&topic(&task.space_id));
    }
    streams.tell(&space(&task.space_id), Event::new("task", &json!({"action": action, "task": view})));
}

/// Tells that a lease has run out.
pub fn ended(streams: &Streams, ended: &EndedLease) {
    let action = if ended.task.status == tasks::BLOCKED { "blocked" } else { "lease_ended" };
    publish(streams, action, &ended.task, &show(&ended.task, &ended.depends_on));
}
