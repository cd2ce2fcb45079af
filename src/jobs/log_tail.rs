//! Following containers' logs: one thread reads the log of every container that someone follows, once a second each, and
//! gives its followers what is new. No container is read for nobody.
//!
//! A console has no line numbers; what is new is told by laying its last lines over those seen before.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;

use super::streams::{Feed, Streams};
use super::{Jobs, within};
use crate::access::{self, AgentRole, Caller};
use crate::containers::{ContainerName, Error, LogLimits};
use crate::store;
use crate::store::agents::{self, Agent};

/// How often a followed log is read.
const PERIOD: Duration = Duration::from_secs(1);
/// Seconds for one reading.
const CALL: u64 = 5;
/// How much of a log is laid over what was seen before; also what one follower may have in waiting.
const LINES: usize = 2000;
const BYTES: usize = 256 * 1024;

/// The thread that reads the logs that are followed; dropping it ends it.
pub struct LogTail {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    followers: Vec<Weak<Follower>>,
    stopping: bool,
}

/// One stream's place in a log.
struct Follower {
    agent_id: String,
    container: ContainerName,
    place: Mutex<Place>,
}

#[derive(Default)]
struct Place {
    /// The end of the log at the last look; `None` before the first.
    seen: Option<Arc<Vec<String>>>,
    /// Lines of the log's end that the first look gives.
    first: usize,
    waiting: VecDeque<String>,
    left_out: usize,
    over: bool,
}

/// The feed of one stream.
struct Lines {
    follower: Arc<Follower>,
    caller: Caller,
    told_end: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The topic of an agent's log, for [`Streams::wake`].
pub fn topic(agent_id: &str) -> String {
    format!("log:{agent_id}")
}

impl LogTail {
    /// Starts the thread; without followers it sleeps.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn start(jobs: &Arc<Jobs>, streams: Arc<Streams>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (jobs, own) = (Arc::clone(jobs), Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("log-tail".into()).spawn(move || own.serve(&jobs, &streams))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What a stream about this agent's log tells `caller`, beginning with the log's last `lines` lines.
    pub fn follow(&self, agent: &Agent, container: ContainerName, caller: &Caller, lines: usize) -> Box<dyn Feed> {
        let place = Mutex::new(Place { first: lines, ..Place::default() });
        let follower = Arc::new(Follower { agent_id: agent.id.clone(), container, place });
        lock(&self.shared.state).followers.push(Arc::downgrade(&follower));
        self.shared.changed.notify_all();
        Box::new(Lines { follower, caller: caller.clone(), told_end: false })
    }
}

impl Drop for LogTail {
    fn drop(&mut self) {
        lock(&self.shared.state).stopping = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn serve(&self, jobs: &Arc<Jobs>, streams: &Streams) {
        let mut state = lock(&self.state);
        loop {
            if state.stopping {
                return;
            }
            let followers: Vec<Arc<Follower>> = state.followers.iter().filter_map(Weak::upgrade).collect();
            if followers.is_empty() {
                state.followers.clear();
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.followers.retain(|follower| follower.strong_count() > 0);
            drop(state);
            let mut by_container: BTreeMap<ContainerName, Vec<Arc<Follower>>> = BTreeMap::new();
            for follower in followers {
                by_container.entry(follower.container.clone()).or_default().push(follower);
            }
            for (container, followers) in by_container {
                look(jobs, streams, &container, &followers);
            }
            state = lock(&self.state);
            if !state.stopping {
                state = self.changed.wait_timeout(state, PERIOD).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

/// Reads one container's log and tells its followers.
fn look(jobs: &Arc<Jobs>, streams: &Streams, container: &ContainerName, followers: &[Arc<Follower>]) {
    let read = jobs
        .any_driver()
        .map_err(|error| error.to_string())
        .map(|driver| driver.logs(container, LogLimits { lines: LINES, bytes: BYTES }, within(CALL)));
    let now = match read {
        Ok(Ok(logs)) => Some(Arc::new(logs.text.lines().map(str::to_owned).collect::<Vec<_>>())),
        Ok(Err(Error::NotFound(_))) => None,
        // It may answer again; the followers hear nothing meanwhile.
        Ok(Err(error)) => return log::debug!("the log of {container} could not be read: {error}"),
        Err(error) => return log::debug!("the log of {container} could not be read: {error}"),
    };
    for follower in followers {
        let lives = jobs.store.lookup(|conn| agents::by_id(conn, &follower.agent_id));
        let lives = lives.is_ok_and(|live| {
            live.is_some_and(|live| live.agent.container_name.as_deref() == Some(container.as_str()))
        });
        let mut place = lock(&follower.place);
        match &now {
            Some(now) if lives => place.take(now),
            _ => place.over = true,
        }
        let wake = place.over || !place.waiting.is_empty();
        drop(place);
        if wake {
            streams.wake(&topic(&follower.agent_id));
        }
    }
}

impl Place {
    fn take(&mut self, now: &Arc<Vec<String>>) {
        let new = match &self.seen {
            None => &now[now.len().saturating_sub(self.first)..],
            Some(seen) => news(seen, now),
        };
        self.waiting.extend(new.iter().cloned());
        // A client that reads slowly loses the oldest, and is told how many.
        let excess = self.waiting.len().saturating_sub(LINES);
        self.waiting.drain(..excess);
        self.left_out += excess;
        self.seen = Some(Arc::clone(now));
    }
}

/// The lines of `now` that come after those of `before`, where both are ends of one log: `before` may have lost lines at
/// its beginning, and its last line may have grown since.
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

impl Feed for Lines {
    fn next(&mut self, conn: &Connection) -> store::Result<Option<String>> {
        let mut place = lock(&self.follower.place);
        if place.waiting.is_empty() && !place.over {
            return Ok(None);
        }
        // Whoever may not read the agent any more is told no further line.
        if access::role_on(conn, &self.caller, &self.follower.agent_id)? < Some(AgentRole::Viewer) {
            place.waiting.clear();
            place.over = true;
        }
        if place.left_out > 0 {
            let lines = std::mem::take(&mut place.left_out);
            return Ok(Some(format!("event: gap\ndata: {}\n\n", json!({"lines": lines}))));
        }
        if let Some(line) = place.waiting.pop_front() {
            // JSON has no line break of its own.
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
        let mut place = Place { first: 1, ..Place::default() };
        place.take(&Arc::new(lines("a b")));
        assert_eq!(place.waiting, ["b"]);
        let many: Vec<String> = ["b".to_owned()].into_iter().chain((0..LINES).map(|n| n.to_string())).collect();
        place.take(&Arc::new(many));
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
