//! Handles the use of a tripwire: records it, notifies the agent's owner, and freezes the agent if the tripwire says
//! so, all in one transaction. The request that used it does not wait for this.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;

use super::notifier::{self, Notice};
use super::streams::{Streams, notifications_of};
use super::webhook::WebhookSender;
use crate::access::{OnTouch, Touch};
use crate::config::Watched;
use crate::jobs::operations::Jobs;
use crate::jobs::operations::freeze::{self, Freezing};
use crate::jobs::operations::progress;
use crate::store::agents::{self, Freezable};
use crate::store::audit::{self, AuditEntry, AuditOutcome};
use crate::store::credentials::Maker;
use crate::store::notifications::Level;
use crate::store::operations::{Operation, OperationKind};
use crate::store::{self, Store, tripwires};
use crate::threads::lock;
use crate::time::Micros;

/// Uses of one tripwire within this time are one alarm.
const QUIET: Duration = Duration::from_secs(60);
/// The most tripwires that are remembered. When there are more, all are forgotten and may raise an alarm again.
const REMEMBERED: usize = 1024;
/// The actor in records.
const DAEMON: &str = "taosd";

/// Raises alarms about used tripwires. It keeps nothing alive after the daemon's stop.
pub struct TripwireAlarm {
    store: Weak<Store>,
    streams: Weak<Streams>,
    webhook: Weak<WebhookSender>,
    jobs: Weak<Jobs>,
    to_webhook: Watched<bool>,
    /// When each tripwire last raised an alarm, and how many times it was used since.
    told: Mutex<HashMap<String, (Instant, u64)>>,
}

/// What the transaction wrote that still needs work after it.
struct AlarmWritten {
    users: Vec<String>,
    operation: Option<Operation>,
}

impl TripwireAlarm {
    /// Returns the function that the gate calls.
    pub fn of(
        store: &Arc<Store>,
        streams: &Arc<Streams>,
        webhook: &Arc<WebhookSender>,
        jobs: &Arc<Jobs>,
        to_webhook: Watched<bool>,
    ) -> OnTouch {
        let alarm = Arc::new(Self {
            store: Arc::downgrade(store),
            streams: Arc::downgrade(streams),
            webhook: Arc::downgrade(webhook),
            jobs: Arc::downgrade(jobs),
            to_webhook,
            told: Mutex::default(),
        });
        Box::new(move |touch| alarm.touched(touch))
    }

    fn touched(self: &Arc<Self>, touch: Touch) {
        let Some(times) = self.count(&touch.wire.id) else { return };
        let Some(store) = self.store.upgrade() else { return };
        log::warn!("tripwire {} of agent {} was used from {}", touch.wire.id, touch.wire.agent_id, touch.peer);
        let (alarm, to_webhook) = (Arc::clone(self), self.to_webhook.now());
        store.submit(
            move |conn| write(conn, &touch, times, to_webhook),
            move |written: store::Result<AlarmWritten>| match written {
                Ok(told) => alarm.tell(told),
                Err(error) => log::error!("the use of a tripwire could not be written down: {error}"),
            },
        );
    }

    /// Returns how many uses to report now; `None` if this tripwire raised an alarm less than [`QUIET`] ago.
    fn count(&self, wire: &str) -> Option<u64> {
        let mut told = lock(&self.told);
        if told.len() >= REMEMBERED && !told.contains_key(wire) {
            told.clear();
        }
        match told.get_mut(wire) {
            Some((last, more)) if last.elapsed() < QUIET => {
                *more += 1;
                None
            }
            Some((last, more)) => {
                *last = Instant::now();
                Some(std::mem::take(more) + 1)
            }
            None => {
                told.insert(wire.to_owned(), (Instant::now(), 0));
                Some(1)
            }
        }
    }

    fn tell(&self, told: AlarmWritten) {
        let (Some(streams), Some(webhook)) = (self.streams.upgrade(), self.webhook.upgrade()) else { return };
        if let (Some(op), Some(jobs)) = (&told.operation, self.jobs.upgrade()) {
            progress::take_up(&jobs, op);
        }
        streams.look_again();
        for user in &told.users {
            streams.wake(&notifications_of(user));
        }
        webhook.nudge();
    }
}

fn write(conn: &Connection, touch: &Touch, times: u64, to_webhook: bool) -> store::Result<AlarmWritten> {
    let (wire, now) = (&touch.wire, Micros::now());
    let none = AlarmWritten { users: Vec::new(), operation: None };
    let Some(live) = agents::by_id(conn, &wire.agent_id)? else { return Ok(none) };
    let agent = live.agent;
    tripwires::touch(conn, &wire.id, times, now, &touch.peer)?;
    let entry = AuditEntry::new(
        format!("peer:{}", touch.peer),
        touch.action.slug(),
        format!("tripwire:{}", wire.id),
        touch.request_id.clone(),
    );
    audit::append(conn, &AuditEntry { count: times, ..entry.at(now).ended(AuditOutcome::Denied) })?;
    let operation = if wire.freeze { freeze_agent(conn, touch, &agent, now)? } else { None };
    let state = if wire.freeze { " The agent is frozen." } else { "" };
    let notice = Notice {
        level: Level::High,
        title: format!("A tripwire of agent {} was used", agent.slug),
        message: format!(
            "Somebody read {} in its container and presented what is in it, from {} for {}.{state}",
            wire.path,
            touch.peer,
            touch.action.slug()
        ),
        page: format!("/ui/agents/{}", agent.slug).into(),
        topic: Some("tripwire"),
    };
    notifier::write(conn, &agent.owner_user_id, &notice, to_webhook, now)?;
    Ok(AlarmWritten { users: vec![agent.owner_user_id], operation })
}

fn freeze_agent(
    conn: &Connection,
    touch: &Touch,
    agent: &agents::Agent,
    now: Micros,
) -> store::Result<Option<Operation>> {
    let freezable = Freezable {
        place: 0,
        id: agent.id.clone(),
        slug: agent.slug.clone(),
        owner_user_id: agent.owner_user_id.clone(),
        container: agent.container_name.clone(),
        frozen_at: agent.frozen_at,
        by_admin: false,
    };
    let reason = format!("Its tripwire {} was used from {}", touch.wire.path, touch.peer);
    let freezing = Freezing {
        by: DAEMON.to_owned(),
        admin: None,
        reason: reason.chars().take(crate::limits::FREEZE_REASON_CHARS).collect(),
        at: now,
    };
    if !freeze::mark(conn, &freezable, &freezing)? {
        return Ok(None);
    }
    let entry =
        AuditEntry::new("system", "agents.freeze", format!("agent:{}", agent.id), touch.request_id.clone()).at(now);
    audit::append(conn, &entry)?;
    let op = Operation::new(store::new_id(), OperationKind::Freeze, Maker::system(), &touch.request_id, now);
    freeze::promise(conn, op, &[freezable], &json!({"status": "frozen", "name": agent.slug}))
}
