//! Follows containers' logs: the log of every followed container is read repeatedly, and its followers get the new
//! lines. A container without followers is not read, and none is read twice at the same time. A container that hangs
//! delays only its own followers.
//!
//! A log has no line numbers, so new lines are found by comparing its last lines with those seen before.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;

use super::feed::Feed;
use super::streams::Streams;
use crate::access::{self, AgentRole, Caller};
use crate::containers::{self, Error, LogLimits, LogSource, read_log};
use crate::jobs::operations::{Jobs, lifecycle, within};
use crate::store;
use crate::store::agents::{self, Agent};
use crate::threads::{EventThread, Monitor, lock};

/// How often a followed console is read.
const PERIOD: Duration = Duration::from_secs(1);
/// A journal is read only once in this many periods, because that runs a program inside the container.
const JOURNAL_PERIODS: u64 = 3;
/// Seconds for one read.
const CALL: u64 = 5;
/// How long a log is not read after a read took too long, so that the threads stay free for others.
const REST: Duration = Duration::from_secs(30);
/// How much of a log's end is compared with what was seen before; also the most that may wait for one follower.
const LINES: usize = 2000;
const BYTES: usize = 256 * 1024;

/// The thread that reads followed logs; dropping it ends it.
pub struct LogTail {
    shared: Arc<Monitor<TailState>>,
    _thread: EventThread,
}

#[derive(Default)]
struct TailState {
    followers: Vec<Weak<Follower>>,
    /// Logs that are being read now.
    looking: BTreeSet<Log>,
    /// Logs that did not reply in time, and until when they are not read.
    resting: BTreeMap<Log, Instant>,
    turn: u64,
    stopping: bool,
}

/// A followed log: its container, and its source if that is known.
type Log = (containers::ContainerPlace, Option<LogSource>);

/// One stream's position in a log.
struct Follower {
    agent_id: String,
    container: containers::ContainerPlace,
    wish: Option<LogSource>,
    place: Mutex<LogPlace>,
}

#[derive(Default)]
struct LogPlace {
    /// The end of the log at the last read; `None` before the first.
    seen: Option<Arc<Vec<String>>>,
    /// The source of those lines: a follower stays with the source that it began with.
    source: Option<LogSource>,
    /// How many of the log's last lines the first read gives.
    first: usize,
    waiting: VecDeque<String>,
    left_out: usize,
    over: bool,
}

/// The feed of one stream.
struct LogLines {
    follower: Arc<Follower>,
    caller: Caller,
    told_end: bool,
}

/// The topic of an agent's log, for [`Streams::wake`].
pub fn topic(agent_id: &str) -> String {
    format!("log:{agent_id}")
}

impl LogTail {
    /// Starts the thread; without followers it sleeps.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(jobs: &Arc<Jobs>, streams: Arc<Streams>) -> std::io::Result<Self> {
        let shared = Arc::<Monitor<TailState>>::default();
        let (jobs, own) = (Arc::clone(jobs), Arc::clone(&shared));
        let work = move |_: &Monitor<TailState>| serve(&own, &jobs, &streams);
        let thread = EventThread::on("log-tail", &shared, |state| state.stopping = true, work)?;
        Ok(Self { shared, _thread: thread })
    }

    /// Returns the feed of a stream of this agent's log for `caller`. It begins with the log's last `lines` lines.
    /// Without a `wish`, [`read_log`] says which log is read.
    pub fn follow(
        &self,
        agent: &Agent,
        container: containers::ContainerPlace,
        wish: Option<LogSource>,
        caller: &Caller,
        lines: usize,
    ) -> Box<dyn Feed> {
        let place = Mutex::new(LogPlace { first: lines, ..LogPlace::default() });
        let follower = Arc::new(Follower { agent_id: agent.id.clone(), container, wish, place });
        self.shared.lock().followers.push(Arc::downgrade(&follower));
        self.shared.notify_all();
        Box::new(LogLines { follower, caller: caller.clone(), told_end: false })
    }
}

fn serve(shared: &Arc<Monitor<TailState>>, jobs: &Arc<Jobs>, streams: &Arc<Streams>) {
    let mut state = shared.lock();
    loop {
        if state.stopping {
            return;
        }
        let followers: Vec<Arc<Follower>> = state.followers.iter().filter_map(Weak::upgrade).collect();
        if followers.is_empty() {
            state.followers.clear();
            state = shared.wait(state);
            continue;
        }
        state.followers.retain(|follower| follower.strong_count() > 0);
        state.turn += 1;
        let now = Instant::now();
        state.resting.retain(|_, until| *until > now);
        let mut by_log: BTreeMap<Log, Vec<Arc<Follower>>> = BTreeMap::new();
        for follower in followers.into_iter().filter(|follower| follower.is_due(state.turn)) {
            by_log.entry(follower.log()).or_default().push(follower);
        }
        for (log, followers) in by_log {
            if !state.resting.contains_key(&log) && state.looking.insert(log.clone()) {
                let look = LogRead { log, shared: Arc::clone(shared) };
                let (streams, key) = (Arc::clone(streams), look.log.0.to_string());
                // If too many jobs wait, this one is dropped and the next turn tries again.
                drop(state);
                let node = look.log.0.node.clone();
                let _ = jobs.look_on(node.as_ref(), Some(&key), move |jobs| look.read(jobs, &streams, &followers));
                state = shared.lock();
            }
        }
        if !state.stopping {
            state = shared.wait_timeout(state, PERIOD);
        }
    }
}

impl Follower {
    fn log(&self) -> Log {
        (self.container.clone(), lock(&self.place).source.or(self.wish))
    }

    fn is_due(&self, turn: u64) -> bool {
        let place = lock(&self.place);
        place.seen.is_none() || place.source != Some(LogSource::Journal) || turn.is_multiple_of(JOURNAL_PERIODS)
    }
}

/// One read of a log; dropping it allows the next one.
struct LogRead {
    log: Log,
    shared: Arc<Monitor<TailState>>,
}

impl Drop for LogRead {
    fn drop(&mut self) {
        self.shared.lock().looking.remove(&self.log);
    }
}

impl LogRead {
    /// Reads the log and gives its followers the new lines.
    fn read(&self, jobs: &Arc<Jobs>, streams: &Streams, followers: &[Arc<Follower>]) {
        let (container, wish) = &self.log;
        let limits = LogLimits { lines: LINES, bytes: BYTES };
        let read = jobs.driver_on(container.node.as_ref()).map_err(|error| error.to_string()).map(|driver| {
            let state = driver.brief(&container.container, within(CALL))?;
            Ok((state, read_log(driver.as_ref(), &container.container, *wish, limits, within(CALL))?))
        });
        let (state, now) = match read {
            Ok(Ok((state, found))) => {
                let now = found
                    .map(|(source, logs)| (source, Arc::new(logs.text.lines().map(str::to_owned).collect::<Vec<_>>())));
                (state, now)
            }
            Ok(Err(Error::NotFound(_))) => return self.tell(jobs, streams, followers, LogPlace::end),
            // The next read may succeed; meanwhile the followers get nothing.
            Ok(Err(error)) => {
                if matches!(error, Error::Deadline(_) | Error::JournalHangs) {
                    self.shared.lock().resting.insert(self.log.clone(), Instant::now() + REST);
                }
                return log::debug!("the log of {container} could not be read: {error}");
            }
            Err(error) => return log::debug!("the log of {container} could not be read: {error}"),
        };
        let (own, others): (Vec<_>, Vec<_>) =
            followers.iter().cloned().partition(|follower| lifecycle::is_own(&state, &follower.agent_id));
        self.tell(jobs, streams, &others, LogPlace::end);
        self.tell(jobs, streams, &own, |place| match &now {
            Some((source, now)) => place.take(*source, now),
            // A journal that existed comes back with the container's next start; one that never existed does not.
            None if place.seen.is_none() => place.end(),
            None => {}
        });
    }

    fn tell(&self, jobs: &Arc<Jobs>, streams: &Streams, followers: &[Arc<Follower>], news: impl Fn(&mut LogPlace)) {
        for follower in followers {
            let lives = jobs.store.lookup(|conn| agents::by_id(conn, &follower.agent_id));
            let lives = lives.is_ok_and(|live| {
                live.is_some_and(|live| live.agent.container_name.as_deref() == Some(self.log.0.to_string().as_str()))
            });
            let mut place = lock(&follower.place);
            if lives {
                news(&mut place)
            } else {
                place.end()
            }
            let wake = place.over || !place.waiting.is_empty();
            drop(place);
            if wake {
                streams.wake(&topic(&follower.agent_id));
            }
        }
    }
}

impl LogPlace {
    fn end(&mut self) {
        self.over = true;
    }

    fn take(&mut self, source: LogSource, now: &Arc<Vec<String>>) {
        self.source = Some(source);
        let new = match &self.seen {
            None => &now[now.len().saturating_sub(self.first)..],
            Some(seen) => news(seen, now),
        };
        self.waiting.extend(new.iter().cloned());
        // A client that reads slowly loses the oldest lines, and is told how many.
        let excess = self.waiting.len().saturating_sub(LINES);
        self.waiting.drain(..excess);
        self.left_out += excess;
        self.seen = Some(Arc::clone(now));
    }
}

/// Returns the lines of `now` that come after those of `before`, if both are ends of one log. `before` may have lost
/// lines at its beginning, and its last line may have grown since.
pub fn news<'a>(before: &[String], now: &'a [String]) -> &'a [String] {
    for lost in 0..before.len() {
        let rest = &before[lost..];
        let (whole, last) = rest.split_at(rest.len() - 1);
        if rest.len() <= now.len() && now.starts_with(whole) && now[whole.len()].starts_with(&last[0]) {
            let same = now[whole.len()] == last[0];
            return &now[whole.len() + usize::from(same)..];
        }
    }
    now
}

impl Feed for LogLines {
    fn next(&mut self, conn: &Connection) -> store::Result<Option<String>> {
        let mut place = lock(&self.follower.place);
        if place.waiting.is_empty() && !place.over {
            return Ok(None);
        }
        // A caller that may no longer see the agent gets no further lines.
        if access::role_on(conn, &self.caller, &self.follower.agent_id)? < Some(AgentRole::Viewer) {
            place.waiting.clear();
            place.over = true;
        }
        if place.left_out > 0 {
            let lines = std::mem::take(&mut place.left_out);
            return Ok(Some(format!("event: gap\ndata: {}\n\n", json!({"lines": lines}))));
        }
        if let Some(line) = place.waiting.pop_front() {
            // JSON contains no raw line break.
            return Ok(Some(format!("event: line\ndata: {}\n\n", json!({"line": line}))));
        }
        if self.told_end {
            return Ok(None);
        }
        self.told_end = true;
        Ok(Some("event: end\ndata: {}\n\n".to_owned()))
    }

    fn is_over(&self) -> bool {
        self.told_end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_is_new_is_told_by_laying_one_end_over_the_other() {
        for (before, now, new) in [
            ("", "a b", "a b"),
            ("a b", "a b", ""),
            ("a b", "a b c d", "c d"),
            ("a b c", "b c d", "d"),
            ("a b", "c d", "c d"),
            ("a par", "a partial b", "partial b"),
            ("x x", "x x x", "x"),
            ("a b", "", ""),
        ] {
            assert_eq!(news(&lines(before), &lines(now)), lines(new), "{before} / {now}");
        }
    }

    #[test]
    fn a_slow_reader_loses_the_oldest_and_is_told() {
        let mut place = LogPlace { first: 1, ..LogPlace::default() };
        place.take(LogSource::Console, &Arc::new(lines("a b")));
        assert_eq!(place.waiting, ["b"]);
        let many: Vec<String> = ["b".to_owned()].into_iter().chain((0..LINES).map(|n| n.to_string())).collect();
        place.take(LogSource::Console, &Arc::new(many));
        assert_eq!((place.waiting.len(), place.left_out), (LINES, 1));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_of_a_log_of_different_lines(total in 1usize..60, seen in 1usize..60, keep in 1usize..60) {
            let all: Vec<String> = (0..total).map(|n| format!("line {n} end")).collect();
            let seen = seen.min(total);
            let before = &all[seen.saturating_sub(keep)..seen];
            let now = &all[total.saturating_sub(keep)..];
            let overlap = total.saturating_sub(keep) < seen;
            let new = news(before, now);
            let wanted = if overlap { &all[seen..] } else { now };
            prop_assert_eq!(new, wanted);
        }
    }
}
