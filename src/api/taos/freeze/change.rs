//! Freezing and thawing agents together, in transactions that are so short that others' writes can wait for each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::access::Caller;
use crate::api::agents::frozen;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Tx, Written};
use crate::api::engine::slow::{self, Slow};
use crate::jobs::events::frozen as notices;
use crate::jobs::events::notifier::{self, Notifier};
use crate::jobs::events::streams::Streams;
use crate::jobs::operations::freeze::{self, Freezing};
use crate::jobs::upkeep::sleeper::Sleeper;
use crate::limits::FREEZE_REASON_CHARS;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::store;
use crate::store::agents::{self, Freezable};
use crate::store::audit::{self, AuditEntry};
use crate::store::operations::{Operation, OperationKind};
use crate::time::Micros;

pub(super) const REASON: Field =
    Field::text("reason", FREEZE_REASON_CHARS, "The reason, 1 to 500 characters. The owner reads it.").not_empty();

/// How long one transaction works on agents. It works on at least one.
const WORK: Duration = Duration::from_millis(4);
/// The agents that one read lists.
const PAGE: u64 = 256;

/// A freeze or thaw of one agent, or of all agents that a user owns; for an admin, of all agents of the box.
pub(super) struct FreezeChange {
    freezes: bool,
    freezing: Freezing,
    caller: Caller,
    to_webhook: bool,
    /// The time of the only freeze that is undone; `None`: all of them.
    only: Option<Micros>,
    /// The place after which the list of all agents goes on.
    place: i64,
    changed: Vec<Freezable>,
}

impl FreezeChange {
    pub(super) fn of(call: &Call, to_webhook: bool, freezes: bool) -> Self {
        let caller = call.caller.clone();
        let admin = caller.is_admin().then(|| caller.user().id.clone());
        let reason = call.input.body.text(&REASON).unwrap_or_default().to_owned();
        let freezing = Freezing { by: caller.source(), admin, reason, at: Micros::now() };
        Self { freezes, freezing, caller, to_webhook, only: None, place: 0, changed: Vec::new() }
    }

    /// Restricts a thaw to the agents that were frozen at this time, if there is one.
    pub(super) fn only(self, frozen_at: Option<Micros>) -> Self {
        Self { only: frozen_at, ..self }
    }

    /// Returns the time of the change, the same in all its transactions.
    pub(super) fn at(&self) -> Micros {
        self.freezing.at
    }

    pub(super) fn status(&self) -> &'static str {
        if self.freezes { "frozen" } else { "thawed" }
    }

    /// Returns how many agents changed.
    pub(super) fn agents(&self) -> usize {
        self.changed.len()
    }

    /// Changes agents for as long as one transaction may work. The last transaction stores their owners' notices and
    /// returns the owners' ids; the others return `None`.
    pub(super) fn some(&mut self, conn: &Connection) -> store::Result<Option<Vec<String>>> {
        let begun = Instant::now();
        loop {
            let page = self.page(conn)?;
            if page.is_empty() {
                return self.tell(conn).map(Some);
            }
            for agent in page {
                self.place = agent.place;
                if self.is_due(&agent) {
                    self.one(conn, agent)?;
                }
                if begun.elapsed() > WORK {
                    return Ok(None);
                }
            }
        }
    }

    fn page(&self, conn: &Connection) -> store::Result<Vec<Freezable>> {
        let owner = (!self.caller.is_admin()).then_some(self.caller.user().id.as_str());
        agents::next_freezable(conn, owner, self.place, PAGE)
    }

    fn is_due(&self, agent: &Freezable) -> bool {
        let may = self.freezes || frozen::may_end(&self.caller, agent.by_admin).is_ok();
        let is_other = agent.frozen_at.is_some() != self.freezes;
        let is_meant = self.only.is_none_or(|at| agent.frozen_at == Some(at));
        is_other && is_meant && may && self.caller.may_touch(&agent.id)
    }

    /// Changes an agent that the caller may change.
    pub(super) fn one(&mut self, conn: &Connection, agent: Freezable) -> store::Result<()> {
        let (action, changed) = if self.freezes {
            ("agents.freeze", freeze::mark(conn, &agent, &self.freezing)?)
        } else {
            ("agents.thaw", agents::thaw(conn, &agent.id, self.freezing.at)?)
        };
        if changed {
            let resource = format!("agent:{}", agent.id);
            let entry = AuditEntry::new(self.caller.audited(), action, resource, self.caller.request_id());
            audit::append(conn, &entry.at(self.freezing.at))?;
            self.changed.push(agent);
        }
        Ok(())
    }

    /// Stores the notices for the agents' owners, and returns the owners' ids.
    pub(super) fn tell(&self, conn: &Connection) -> store::Result<Vec<String>> {
        let Freezing { by, reason, at, .. } = &self.freezing;
        let mut told = Vec::new();
        let notices = notices::notices(&self.changed, self.freezes, by, reason);
        for (user_id, notice, at) in notifier::dated(&notices, *at) {
            notifier::write(conn, user_id, notice, self.to_webhook, at)?;
            told.push(user_id.to_owned());
        }
        Ok(told)
    }

    /// Promises an operation for the containers, if one of the agents has one; otherwise replies `answer`.
    pub(super) fn promise(self, tx: &Tx<'_>, slow: Slow, answer: &Value) -> Result<Written, ApiError> {
        let kind = if self.freezes { OperationKind::Freeze } else { OperationKind::Thaw };
        let op = Operation::new(store::new_id(), kind, tx.caller.maker(), tx.caller.request_id(), tx.now);
        Ok(match freeze::promise(tx.conn, op, &self.changed, answer)? {
            Some(op) => slow.follow(op, Vec::new(), pending),
            None => Reply::ok(answer).into(),
        })
    }
}

/// Returns the promise. For a freeze of all agents it has the time, so that the freeze can be undone before the
/// operation has ended.
fn pending(op: &Operation) -> Reply {
    let payload: Value = serde_json::from_str(&op.payload).unwrap_or_default();
    match payload["answer"]["frozen_at"].as_str() {
        Some(at) => slow::promise(op, &json!({"status": "pending", "operation_id": op.id, "frozen_at": at})),
        None => slow::pending(op),
    }
}

/// The parts that are told of a change after the commit.
pub(super) struct FreezeNews {
    freezes: bool,
    streams: Arc<Streams>,
    sleeper: Arc<Sleeper>,
    notifier: Notifier,
}

impl FreezeNews {
    pub(super) fn of(app: &App, freezes: bool) -> Self {
        let (streams, sleeper) = (Arc::clone(&app.streams), Arc::clone(&app.sleeper));
        Self { freezes, streams, sleeper, notifier: app.notifier() }
    }

    /// Returns true if the notices are for the webhook too.
    pub(super) fn to_webhook(&self) -> bool {
        self.notifier.reaches_webhook()
    }

    /// Tells them of the change; `users` have notices.
    pub(super) fn now(&self, users: &[String]) {
        if self.freezes {
            self.streams.look_again();
        } else {
            // News that came meanwhile wakes an agent that sleeps.
            self.sleeper.nudge();
        }
        self.notifier.told(users);
    }
}
