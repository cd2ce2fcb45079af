//! Wakes sleeping agents when there is news for them, puts idle ones to sleep, and keeps the inbox file of running
//! containers current (workspace contract, section 4). The waiting news is in the database; this thread only acts on
//! it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::access::Presence;
use crate::jobs::events::listening::Listening;
use crate::jobs::events::notifier::{Notice, Notifier};
use crate::jobs::operations::{Jobs, inbox, progress};
use crate::limits::WAKES_AN_HOUR;
use crate::store::agents::AgentStatus;
use crate::store::credentials::Maker;
use crate::store::news::{self, Dozer, WaitingAgent};
use crate::store::notifications::Level;
use crate::store::operations::{self, Operation, OperationKind};
use crate::store::{self, Store};
use crate::threads::{EventThread, Monitor};
use crate::time::Micros;

/// Agents read in one query.
const BATCH: u64 = 500;
/// The pause while something waits.
const SOON: Duration = Duration::from_secs(1);
/// How often idle agents are checked: while there are some, and while there are none.
const TICK: Duration = Duration::from_secs(10);
const REST: Duration = Duration::from_secs(30);
/// The least time between two writes of one container's file.
const FILES_APART: Duration = Duration::from_secs(2);
/// How long the record may say that a stopped container runs: the reconciler checks every 10 s.
const RECORD_LAGS: i64 = 15 * Micros::SECOND;
/// The least time between two wakes of one agent, so that a failed start is not repeated at once.
const WAKES_APART: i64 = 20 * Micros::SECOND;
const HOUR: i64 = 3600 * Micros::SECOND;

#[derive(Default)]
struct SleeperState {
    /// The ids of agents whose file must be written.
    touched: BTreeSet<String>,
    /// Set when an agent may have to be woken.
    nudged: bool,
    begun: bool,
    closed: bool,
    /// Wakes of agents since the start.
    wakes: u64,
}

/// The thread that wakes agents and puts them to sleep; dropping it ends it.
pub struct Sleeper {
    shared: Arc<Monitor<SleeperState>>,
    thread: EventThread,
}

/// The parts that the thread uses.
pub struct SleeperTools {
    /// The database.
    pub store: Arc<Store>,
    /// The jobs, which run the operations.
    pub jobs: Arc<Jobs>,
    /// The principals that listen now.
    pub listening: Arc<Listening>,
    /// When agents were last seen.
    pub presence: Arc<Presence>,
    /// The notifier for owners.
    pub notifier: Notifier,
}

impl Sleeper {
    /// Starts the thread; it works from [`Sleeper::begin`] on.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(tools: SleeperTools) -> std::io::Result<Self> {
        let shared = Arc::<Monitor<SleeperState>>::default();
        let mut keeper =
            SleepKeeper { shared: Arc::clone(&shared), tools, idle: HashMap::new(), written: HashMap::new() };
        let thread = EventThread::on("sleeper", &shared, |state| state.closed = true, move |_| keeper.serve())?;
        Ok(Self { shared, thread })
    }

    /// Begins once the daemon serves: handles what waits since the last run.
    pub fn begin(&self) {
        let mut state = self.shared.lock();
        (state.begun, state.nudged) = (true, true);
        self.shared.notify_all();
    }

    /// Announces that news for these agents is on disk. Fast; may be called from any thread.
    pub fn news(&self, agent_ids: Vec<String>) {
        let mut state = self.shared.lock();
        state.touched.extend(agent_ids);
        state.nudged = true;
        self.shared.notify_one();
    }

    /// Announces that settings have changed. Fast; may be called from any thread.
    pub fn nudge(&self) {
        self.news(Vec::new());
    }

    /// Wakes of agents since the start.
    pub fn wakes(&self) -> u64 {
        self.shared.lock().wakes
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.thread.stop();
    }
}

struct SleepKeeper {
    shared: Arc<Monitor<SleeperState>>,
    tools: SleeperTools,
    /// For each agent that may be put to sleep: since when it has been idle, and when it was last seen at that time.
    idle: HashMap<String, (Instant, Option<Micros>)>,
    /// When the file of each container was last written.
    written: HashMap<String, Instant>,
}

impl SleepKeeper {
    fn serve(&mut self) {
        let mut patience = Duration::ZERO;
        let mut next_tick = Instant::now();
        while let Some(touched) = self.wait(patience) {
            patience = REST;
            if self.write_files(touched) {
                patience = FILES_APART;
            }
            match self.wake_all() {
                Ok(false) => {}
                Ok(true) => patience = patience.min(SOON),
                Err(error) => {
                    log::warn!("agents that sleep could not be looked at, trying again: {error}");
                    patience = patience.min(SOON);
                }
            }
            let now = Instant::now();
            if now >= next_tick {
                let some = self.doze(now).unwrap_or_else(|error| {
                    log::warn!("idle agents could not be looked at, trying again: {error}");
                    true
                });
                next_tick = now + if some { TICK } else { REST };
            }
            patience = patience.min(next_tick.saturating_duration_since(now));
        }
    }

    /// Waits until there is something to do. Returns the agents whose files must be written; `None` at the end.
    fn wait(&self, patience: Duration) -> Option<BTreeSet<String>> {
        let until = Instant::now() + patience;
        let mut state = self.shared.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if state.closed {
                return None;
            }
            if state.begun && (state.nudged || left.is_zero()) {
                state.nudged = false;
                return Some(std::mem::take(&mut state.touched));
            }
            let rest = if state.begun { left } else { REST };
            state = self.shared.wait_timeout(state, rest);
        }
    }

    /// Queues the writing of these agents' files. True if some have to wait.
    fn write_files(&mut self, touched: BTreeSet<String>) -> bool {
        let now = Instant::now();
        self.written.retain(|_, at| now.duration_since(*at) < FILES_APART);
        let mut later = BTreeSet::new();
        for agent_id in touched {
            let id = agent_id.clone();
            let queued = !self.written.contains_key(&agent_id)
                && self.tools.jobs.look(Some(&agent_id), move |jobs| inbox::write(jobs, &id)).is_ok();
            if queued {
                self.written.insert(agent_id, now);
            } else {
                later.insert(agent_id);
            }
        }
        let some = !later.is_empty();
        self.shared.lock().touched.extend(later);
        some
    }

    /// Wakes sleeping agents that have something waiting. True while something waits.
    fn wake_all(&self) -> store::Result<bool> {
        let (mut some, mut after) = (false, (Micros(i64::MIN), String::new()));
        loop {
            let waiting = self.tools.store.lookup(|conn| news::waiting(conn, (after.0, &after.1), BATCH))?;
            let Some(last) = waiting.last() else { return Ok(some) };
            after = (last.since, last.agent_id.clone());
            for agent in &waiting {
                some |= self.wake(agent)?;
            }
        }
    }

    /// Wakes one agent if that is due. True if it must be checked again soon.
    fn wake(&self, agent: &WaitingAgent) -> store::Result<bool> {
        let (now, id) = (Micros::now(), agent.agent_id.clone());
        match verdict(agent, self.is_heard(agent), now) {
            Verdict::Later => Ok(true),
            Verdict::Rest => Ok(false),
            Verdict::Settled => self.tools.store.write(move |conn| news::settle(conn, &id)).map(|()| false),
            Verdict::TooOften => {
                let notice = too_often(&agent.slug);
                let owner = agent.owner_user_id.clone();
                self.tools.notifier.tell(move |conn| {
                    Ok(news::set_told(conn, &id)?.then_some((owner, notice)).into_iter().collect())
                })?;
                Ok(false)
            }
            // It is woken once its runtime replies.
            Verdict::Wake(_) if self.tools.jobs.is_away(&id) => Ok(true),
            Verdict::Wake(woken) => {
                let op = self.promise(&agent.agent_id, &agent.slug, OperationKind::Wake, Some(woken))?;
                if let Some(op) = &op {
                    self.shared.lock().wakes += 1;
                    progress::take_up(&self.tools.jobs, op);
                }
                Ok(true)
            }
        }
    }

    /// True if a client of the agent listens, or has called since the news came.
    fn is_heard(&self, agent: &WaitingAgent) -> bool {
        self.tools.listening.is_anywhere(&format!("agent:{}", agent.agent_id))
            || self.tools.presence.last_seen(&agent.agent_id).is_some_and(|at| at > agent.since)
    }

    /// Stores an operation of the daemon's own, unless another one on this agent is open.
    fn promise(
        &self,
        agent_id: &str,
        slug: &str,
        kind: OperationKind,
        woken: Option<String>,
    ) -> store::Result<Option<Operation>> {
        let (id, slug) = (agent_id.to_owned(), slug.to_owned());
        self.tools.store.write(move |conn| {
            if operations::open_of_agent(conn, &id)?.is_some() {
                return Ok(None);
            }
            let mut op = Operation::new(store::new_id(), kind, Maker::system(), "-", Micros::now());
            (op.agent_id, op.agent_name) = (Some(id.clone()), Some(slug));
            operations::insert(conn, &op)?;
            if let Some(woken) = woken {
                news::set_woken(conn, &id, &woken)?;
            }
            Ok(Some(op))
        })
    }

    /// Puts agents to sleep that have been idle for long enough. True if there are agents to watch.
    fn doze(&mut self, now: Instant) -> store::Result<bool> {
        let mut idle = HashMap::new();
        let mut after = String::new();
        loop {
            let dozers = self.tools.store.lookup(|conn| news::dozers(conn, &after, BATCH))?;
            let Some(last) = dozers.last() else { break };
            after.clone_from(&last.agent_id);
            for dozer in dozers.iter().filter(|dozer| !dozer.frozen) {
                let since = self.idle_since(dozer, now)?;
                idle.insert(dozer.agent_id.clone(), since);
                let minutes = u64::try_from(dozer.minutes).unwrap_or(u64::MAX);
                if now.duration_since(since.0) >= Duration::from_secs(minutes.saturating_mul(60)) {
                    let op = self.promise(&dozer.agent_id, &dozer.slug, OperationKind::Sleep, None)?;
                    op.iter().for_each(|op| progress::take_up(&self.tools.jobs, op));
                }
            }
        }
        self.idle = idle;
        Ok(!self.idle.is_empty())
    }

    /// Since when an agent has had no call, no stream, no lease and no operation.
    fn idle_since(&self, dozer: &Dozer, now: Instant) -> store::Result<(Instant, Option<Micros>)> {
        let id = &dozer.agent_id;
        let seen = self.tools.presence.last_seen(id);
        let busy = self.tools.listening.is_anywhere(&format!("agent:{id}"))
            || self.tools.store.lookup(|conn| {
                store::Result::Ok(
                    news::holds_a_lease(conn, id)?
                        || news::waits(conn, id)?
                        || operations::open_of_agent(conn, id)?.is_some(),
                )
            })?;
        let before = self.idle.get(id).filter(|(_, was)| *was == seen && !busy);
        Ok((before.map_or(now, |(since, _)| *since), seen))
    }
}

/// What to do with an agent for which something waits.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing now; check it again soon.
    Later,
    /// Nothing until something changes.
    Rest,
    /// The agent has heard of the news, or will see it itself.
    Settled,
    /// It was woken too often: notify its owner.
    TooOften,
    /// Wake it; contains the times of its wakes, including this one, as a JSON array.
    Wake(String),
}

fn verdict(agent: &WaitingAgent, heard: bool, now: Micros) -> Verdict {
    if heard {
        return Verdict::Settled;
    }
    let sleeps = agent.status == AgentStatus::Stopped || agent.asleep_at.is_some();
    if agent.paused || agent.wake == crate::store::agents::Wake::None {
        return Verdict::Rest;
    }
    if !sleeps {
        // It runs, as far as the record says, so it reads its messages itself. After a clock was set back, the news may
        // be in the future.
        let lags = (0..RECORD_LAGS).contains(&now.0.saturating_sub(agent.since.0));
        return if lags { Verdict::Later } else { Verdict::Settled };
    }
    let mut woken: Vec<i64> = serde_json::from_str(&agent.woken).unwrap_or_default();
    // After a clock was set back, some times may be in the future.
    woken.retain(|at| *at <= now.0 && now.0 - at < HOUR);
    if woken.last().is_some_and(|at| now.0 - at < WAKES_APART) {
        return Verdict::Later;
    }
    if woken.len() >= WAKES_AN_HOUR {
        return if agent.told { Verdict::Rest } else { Verdict::TooOften };
    }
    woken.push(now.0);
    Verdict::Wake(json!(woken).to_string())
}

fn too_often(slug: &str) -> Notice {
    Notice {
        level: Level::Normal,
        title: format!("Agent {slug} was woken {WAKES_AN_HOUR} times within an hour"),
        message: format!(
            "There is news for {slug}, and it sleeps again. It is woken again an hour after the first of these wakes. \
             Look at its log, or let it sleep later."
        ),
        page: "/docs/agents/recipes/an-agent-that-sleeps#too-often".into(),
        topic: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::agents::Wake;

    const NOW: Micros = Micros(100_000 * Micros::SECOND);

    fn asleep() -> WaitingAgent {
        WaitingAgent {
            agent_id: "a".into(),
            slug: "a".into(),
            owner_user_id: "u".into(),
            wake: Wake::Start,
            status: AgentStatus::Stopped,
            paused: false,
            asleep_at: None,
            since: NOW,
            woken: "[]".into(),
            told: false,
        }
    }

    fn ago(seconds: &[i64]) -> String {
        json!(seconds.iter().map(|s| NOW.0 - s * Micros::SECOND).collect::<Vec<_>>()).to_string()
    }

    #[test]
    fn one_that_sleeps_is_woken_and_one_that_somebody_holds_is_not() {
        assert_eq!(verdict(&asleep(), false, NOW), Verdict::Wake(ago(&[0])));
        assert_eq!(verdict(&asleep(), true, NOW), Verdict::Settled);
        let frozen =
            WaitingAgent { status: AgentStatus::Running, asleep_at: Some(NOW), wake: Wake::Resume, ..asleep() };
        assert_eq!(verdict(&frozen, false, NOW), Verdict::Wake(ago(&[0])));
        assert_eq!(verdict(&WaitingAgent { paused: true, ..frozen.clone() }, false, NOW), Verdict::Rest);
        assert_eq!(verdict(&WaitingAgent { wake: Wake::None, ..asleep() }, false, NOW), Verdict::Rest);
    }

    #[test]
    fn one_that_runs_is_left_alone_once_the_record_is_sure_to_be_true() {
        let runs = WaitingAgent { status: AgentStatus::Running, ..asleep() };
        assert_eq!(verdict(&runs, false, NOW), Verdict::Later);
        assert_eq!(verdict(&runs, false, NOW.plus(RECORD_LAGS)), Verdict::Settled);
        assert_eq!(verdict(&runs, false, NOW.plus(-1)), Verdict::Settled, "the clock was set back");
    }

    #[test]
    fn six_wakes_an_hour_and_then_the_owner_is_told_once() {
        let five = WaitingAgent { woken: ago(&[3000, 2000, 1000, 500, 100]), ..asleep() };
        assert_eq!(verdict(&five, false, NOW), Verdict::Wake(ago(&[3000, 2000, 1000, 500, 100, 0])));
        let six = WaitingAgent { woken: ago(&[3599, 2000, 1000, 500, 100, 50]), ..asleep() };
        assert_eq!(verdict(&six, false, NOW), Verdict::TooOften);
        assert_eq!(verdict(&WaitingAgent { told: true, ..six.clone() }, false, NOW), Verdict::Rest);
        assert!(matches!(
            verdict(&WaitingAgent { told: true, ..six }, false, NOW.plus(Micros::SECOND)),
            Verdict::Wake(_)
        ));
        assert_eq!(verdict(&WaitingAgent { woken: ago(&[5]), ..asleep() }, false, NOW), Verdict::Later);
        let future = WaitingAgent { woken: ago(&[-10, -20, -30, -40, -50, -60]), ..asleep() };
        assert_eq!(verdict(&future, false, NOW), Verdict::Wake(ago(&[0])), "the clock was set back");
    }
}
