//! A task in the form that clients get, and the events about its changes.

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

/// Returns the caller as the actor of a change.
pub(super) fn actor(caller: &Caller) -> TaskActor {
    TaskActor { key: caller.principal_key(), name: caller.name().to_owned() }
}

/// Returns `user:ID` or `agent:ID` with its name as JSON.
fn person(key: &str, name: &str) -> Value {
    let (kind, id) = key.split_once(':').unwrap_or(("user", key));
    json!({"id": id, "type": kind, "name": name})
}

/// Returns the lease of a task as JSON; null if there is none.
pub(super) fn lease(task: &Task) -> Value {
    match (&task.holder, &task.holder_name, task.lease_until) {
        (Some(holder), Some(name), Some(until)) => {
            json!({"holder": person(holder, name), "fence": task.fence, "until": until.micros()})
        }
        _ => Value::Null,
    }
}

/// Returns a task as JSON, with the ids of the tasks that it depends on.
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

/// Returns a task as JSON; the database gives the tasks that it depends on.
///
/// # Errors
/// Any `StoreError`.
pub(super) fn shown(conn: &Connection, task: &Task) -> store::Result<Value> {
    Ok(show(task, &tasks::dependencies_of(conn, task.seq)?))
}

/// Returns the topic that is woken when a task of a space may have become free.
pub fn topic(space_id: &str) -> String {
    format!("tasks:{space_id}")
}

/// Announces changes of tasks after the commit: to callers that wait for a task, to the streams, to the lease thread.
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

    /// Announces a change of one task, shown as `view`. While the task is held, its lease goes on as it is.
    pub(super) fn tell(&self, action: &'static str, task: &Task, view: &Value) {
        if task.holder.is_none() {
            self.leases.forget(&task.id, task.fence);
        }
        publish(&self.streams, action, task, view);
    }

    /// Records in the transaction that a task was assigned: this is news for the assignee if it is an agent other than
    /// the caller. Returns the agent to notify after the commit.
    ///
    /// # Errors
    /// Any `StoreError`.
    pub(super) fn assigned(&self, tx: &Tx<'_>, assignee: &str) -> store::Result<Option<String>> {
        if assignee.is_empty() || tx.caller.agent_id() == Some(assignee) {
            return Ok(None);
        }
        let heard = self.streams.listening.is_anywhere(&format!("agent:{assignee}"));
        Ok(news::note(tx.conn, assignee, heard, tx.now)?.then(|| assignee.to_owned()))
    }

    /// Notifies an agent of news that is on disk.
    pub(super) fn news(&self, agent: Option<String>) {
        if let Some(agent) = agent {
            self.sleeper.news(vec![agent]);
        }
    }

    /// Wakes the callers that wait for a task of this space.
    pub(super) fn wake(&self, space_id: &str) {
        self.streams.wake(&topic(space_id));
    }

    /// Tells the lease thread of a lease that was given or renewed.
    pub(super) fn lease(&self, task: &Task) {
        if let (Some(seconds), Some(until)) = (task.lease_seconds, task.lease_until) {
            self.leases.note(Lease { task_id: task.id.clone(), fence: task.fence, seconds, until });
        }
    }
}

fn publish(streams: &Streams, action: &'static str, task: &Task, view: &Value) {
    if task.holder.is_none() && !task.is_finished() {
        streams.wake(&topic(&task.space_id));
    }
    streams.tell(&space(&task.space_id), Event::new("task", &json!({"action": action, "task": view})));
}

/// Announces that a lease has run out.
pub fn ended(streams: &Streams, ended: &EndedLease) {
    let action = if ended.task.status == tasks::BLOCKED { "blocked" } else { "lease_ended" };
    publish(streams, action, &ended.task, &show(&ended.task, &ended.depends_on));
}
