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

/// Uses of one tripwire by one peer within this time are one alarm.
const QUIET: Duration = Duration::from_secs(60);
/// The most peers that each raise an alarm of one tripwire within [`QUIET`]; the uses of the others are counted.
const PEERS: usize = 8;
/// The most counts in memory. When there are more, all are written and may raise an alarm again.
const REMEMBERED: usize = 1024;
/// The page of archived agents.
const ARCHIVE: &str = "/ui/agents?tab=archive";
/// The actor in records.
const DAEMON: &str = "taosd";

/// Raises alarms about used tripwires. It keeps nothing alive after the daemon's stop.
pub struct TripwireAlarm {
    store: Weak<Store>,
    streams: Weak<Streams>,
    webhook: Weak<WebhookSender>,
    jobs: Weak<Jobs>,
    to_webhook: Watched<bool>,
    counts: Mutex<TouchCounts>,
}

/// The uses of the running minutes, by tripwire and peer. The peer is empty for those that raise no alarm of their own.
#[derive(Default)]
struct TouchCounts(HashMap<(String, String), TouchRun>);

/// The uses of a minute that are not written yet.
struct TouchRun {
    since: Instant,
    last: Touch,
    more: u64,
}

/// Uses to be written as one.
#[derive(Debug)]
struct TouchReport {
    /// The last of them.
    touch: Touch,
    times: u64,
    /// Whether the owner is notified, and the agent frozen if the tripwire says so.
    alarms: bool,
}

impl TouchCounts {
    /// Counts a use. Returns what is to be written now.
    fn note(&mut self, touch: Touch, now: Instant) -> Vec<TouchReport> {
        let mut due = Vec::new();
        let key = self.key(&touch);
        if let Some(run) = self.0.get_mut(&key)
            && now.saturating_duration_since(run.since) < QUIET
        {
            (run.last, run.more) = (touch, run.more + 1);
            return due;
        }
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&key) {
            due.extend(self.take(now, true));
        }
        let alarms = !key.1.is_empty();
        let run = TouchRun { since: now, last: touch.clone(), more: u64::from(!alarms) };
        due.extend(self.0.insert(key, run).and_then(TouchRun::rest));
        due.extend(alarms.then_some(TouchReport { touch, times: 1, alarms }));
        due
    }

    fn key(&self, touch: &Touch) -> (String, String) {
        let own = (touch.wire.id.clone(), touch.peer.clone());
        let others = self.0.keys().filter(|(wire, peer)| *wire == own.0 && !peer.is_empty());
        if self.0.contains_key(&own) || others.count() < PEERS { own } else { (own.0, String::new()) }
    }

    /// Ends the minutes that are over, or all of them. Returns what is to be written.
    fn take(&mut self, now: Instant, all: bool) -> Vec<TouchReport> {
        let over = self.0.extract_if(|_, run| all || now.saturating_duration_since(run.since) >= QUIET);
        over.filter_map(|(_, run)| run.rest()).collect()
    }
}

impl TouchRun {
    fn rest(self) -> Option<TouchReport> {
        (self.more > 0).then_some(TouchReport { touch: self.last, times: self.more, alarms: false })
    }
}

/// What the transaction wrote that still needs work after it.
struct AlarmWritten {
    users: Vec<String>,
    operation: Option<Operation>,
}

impl TripwireAlarm {
    /// Returns what the gate reports to.
    pub fn of(
        store: &Arc<Store>,
        streams: &Arc<Streams>,
        webhook: &Arc<WebhookSender>,
        jobs: &Arc<Jobs>,
        to_webhook: Watched<bool>,
    ) -> Arc<dyn OnTouch> {
        Arc::new(Self {
            store: Arc::downgrade(store),
            streams: Arc::downgrade(streams),
            webhook: Arc::downgrade(webhook),
            jobs: Arc::downgrade(jobs),
            to_webhook,
            counts: Mutex::default(),
        })
    }

    fn write(self: Arc<Self>, reports: Vec<TouchReport>) {
        let Some(store) = self.store.upgrade().filter(|_| !reports.is_empty()) else { return };
        let to_webhook = self.to_webhook.now();
        store.submit(
            move |conn| reports.iter().map(|report| write(conn, report, to_webhook)).collect(),
            move |written: store::Result<Vec<AlarmWritten>>| match written {
                Ok(told) => told.into_iter().for_each(|told| self.tell(told)),
                Err(error) => log::error!("the use of a tripwire could not be written down: {error}"),
            },
        );
    }

    fn tell(&self, told: AlarmWritten) {
        if told.users.is_empty() {
            return;
        }
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

impl OnTouch for TripwireAlarm {
    fn touched(self: Arc<Self>, touch: Touch) {
        let due = lock(&self.counts).note(touch, Instant::now());
        for TouchReport { touch, .. } in due.iter().filter(|report| report.alarms) {
            log::warn!("tripwire {} of agent {} was used from {}", touch.wire.id, touch.wire.agent_id, touch.peer);
        }
        self.write(due);
    }

    fn flush(self: Arc<Self>, all: bool) {
        let due = lock(&self.counts).take(Instant::now(), all);
        self.write(due);
    }
}

fn write(conn: &Connection, report: &TouchReport, to_webhook: bool) -> store::Result<AlarmWritten> {
    let TouchReport { touch, times, alarms } = report;
    let (wire, now) = (&touch.wire, Micros::now());
    let none = AlarmWritten { users: Vec::new(), operation: None };
    let Some((agent, archived)) = agent_of(conn, &wire.agent_id)? else { return Ok(none) };
    tripwires::touch(conn, &wire.id, *times, now, &touch.peer)?;
    let entry = AuditEntry::new(
        format!("peer:{}", touch.peer),
        touch.action.slug(),
        format!("tripwire:{}", wire.id),
        touch.request_id.clone(),
    );
    audit::append(conn, &AuditEntry { count: *times, ..entry.at(now).ended(AuditOutcome::Denied) })?;
    if !alarms {
        return Ok(none);
    }
    let freezes = wire.freeze && !archived;
    let operation = if freezes { freeze_agent(conn, touch, &agent, now)? } else { None };
    let state = match (archived, freezes) {
        (true, _) => " The agent is archived.",
        (false, true) => " The agent is frozen.",
        (false, false) => "",
    };
    let notice = Notice {
        level: Level::High,
        title: format!("A tripwire of agent {} was used", agent.slug),
        message: format!(
            "Somebody read {} in its container and presented what is in it, from {} for {}.{state}",
            wire.path,
            touch.peer,
            touch.action.slug()
        ),
        page: if archived { ARCHIVE.into() } else { format!("/ui/agents/{}", agent.slug).into() },
        topic: Some("tripwire"),
    };
    notifier::write(conn, &agent.owner_user_id, &notice, to_webhook, now)?;
    Ok(AlarmWritten { users: vec![agent.owner_user_id], operation })
}

/// Returns the agent, and whether it is archived. The container of an archived agent keeps its files.
fn agent_of(conn: &Connection, id: &str) -> store::Result<Option<(agents::Agent, bool)>> {
    if let Some(live) = agents::by_id(conn, id)? {
        return Ok(Some((live.agent, false)));
    }
    Ok(agents::archived(conn, id)?.map(|agent| (agent, true)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Action;
    use crate::secret::Kind;
    use crate::store::tripwires::Tripwire;

    fn touch(wire: usize, peer: &str) -> Touch {
        let wire = Tripwire {
            id: format!("w{wire}"),
            agent_id: "a".into(),
            kind: Kind::UserToken,
            path: "/p".into(),
            freeze: false,
            planted: true,
            created_by: "user:u".into(),
            created_at: Micros(0),
            touches: 0,
            touched_at: None,
            touched_by: None,
        };
        Touch { wire, peer: peer.into(), action: Action::AgentsRead, request_id: "r".into() }
    }

    fn shown(reports: Vec<TouchReport>) -> Vec<(String, u64, bool)> {
        reports.into_iter().map(|report| (report.touch.peer, report.times, report.alarms)).collect()
    }

    #[test]
    fn each_peer_raises_an_alarm_at_once_and_the_rest_of_its_minute_is_one_row() {
        let (mut counts, start) = (TouchCounts::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(shown(counts.note(touch(1, "p"), at(0))), [("p".into(), 1, true)]);
        assert!(counts.note(touch(1, "p"), at(1)).is_empty() && counts.note(touch(1, "p"), at(2)).is_empty());
        assert_eq!(shown(counts.note(touch(1, "q"), at(3))), [("q".into(), 1, true)]);
        assert!(counts.take(at(59), false).is_empty());
        assert_eq!(shown(counts.take(at(60), false)), [("p".into(), 2, false)]);
        // A use behind the minute that nobody has taken yet.
        assert!(counts.note(touch(1, "q"), at(4)).is_empty());
        assert_eq!(shown(counts.note(touch(1, "q"), at(70))), [("q".into(), 1, false), ("q".into(), 1, true)]);
        assert!(counts.note(touch(1, "q"), at(71)).is_empty());
        assert_eq!(shown(counts.take(at(72), true)), [("q".into(), 1, false)], "nothing is lost at the end");
        assert!(counts.0.is_empty());
    }

    #[test]
    fn many_peers_and_many_tripwires_need_little() {
        let (mut counts, now) = (TouchCounts::default(), Instant::now());
        let alarms: usize = (0..100).map(|peer| counts.note(touch(1, &peer.to_string()), now).len()).sum();
        assert_eq!((alarms, counts.0.len()), (PEERS, PEERS + 1));
        assert_eq!(shown(counts.take(now, true)), [("99".into(), 100 - PEERS as u64, false)]);
        for wire in 0..3 * REMEMBERED {
            counts.note(touch(wire, "p"), now);
            assert!(counts.0.len() <= REMEMBERED);
        }
    }
}
