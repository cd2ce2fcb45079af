//! Work on messages that no request does: reports overdue replies once, and deletes what exceeds a space's limits, in
//! small batches (workspace contract, sections 2 and 5).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::config::LiveConfig;
use crate::jobs::events::feed::Event;
use crate::jobs::events::notifier::{Notice, Notifier};
use crate::jobs::events::streams::{Streams, space};
use crate::limits::{CLIENT_ID_LIFE, SWEEP_BATCH, seconds};
use crate::store::messages::overdue::{self, Overdue};
use crate::store::messages::retention::{self, Retention, SpaceReader};
use crate::store::messages::{settle, tidy};
use crate::store::notifications::Level;
use crate::store::{self, Store, Swept};
use crate::threads::{EventThread, Monitor, lock};
use crate::time::{Clock, Micros};

/// Overdue messages reported in one transaction.
const TOLD: u64 = 100;
/// Messages deleted in one transaction.
const BATCH: u64 = 200;
/// Merge steps of the word index in one round.
const TIDIED: usize = 200;
/// Spaces checked in one round; the next round continues after them.
const SPACES: u64 = 500;
/// Readers checked in one round: do they still exist?
const READERS: u64 = 200;
/// The longest pause while a reply is due later, so that a clock that was set meanwhile is noticed.
const LONGEST: Duration = Duration::from_secs(60);
/// How long to wait after a failure.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Default)]
struct MessagesState {
    /// The ids of spaces that hold more than they may.
    full: BTreeSet<String>,
    /// When the next reply is due, as far as known.
    due: Option<Micros>,
    closed: bool,
    /// Messages deleted since the start.
    removed: u64,
}

/// The thread that maintains messages; dropping it ends it.
pub struct Upkeep {
    shared: Arc<Monitor<MessagesState>>,
    _thread: EventThread,
}

impl Upkeep {
    /// Starts the thread.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(
        store: Arc<Store>,
        streams: Arc<Streams>,
        notifier: Notifier,
        clock: Arc<Clock>,
        config: Arc<LiveConfig>,
    ) -> std::io::Result<Self> {
        let shared = Arc::<Monitor<MessagesState>>::default();
        // Report now what became due while the daemon was off.
        shared.lock().due = Some(Micros(0));
        let mut keeper = MessageKeeper {
            shared: Arc::clone(&shared),
            store,
            streams,
            notifier,
            clock,
            config,
            after: String::new(),
            after_reader: SpaceReader::default(),
        };
        let thread = EventThread::on("messages", &shared, |state| state.closed = true, move |_| keeper.serve())?;
        Ok(Self { shared, _thread: thread })
    }

    /// Notes that a reply is due at this time. Fast; may be called from any thread.
    pub fn expect(&self, due: Micros) {
        let mut state = self.shared.lock();
        if state.due.is_none_or(|known| due < known) {
            state.due = Some(due);
            self.shared.notify_one();
        }
    }

    /// Notes that a space holds more than it may. Fast; may be called from any thread.
    pub fn nudge(&self, space_id: &str) {
        let mut state = self.shared.lock();
        if !state.full.contains(space_id) {
            state.full.insert(space_id.to_owned());
            self.shared.notify_one();
        }
    }

    /// Messages deleted since the start because they were too old or too many.
    pub fn removed(&self) -> u64 {
        self.shared.lock().removed
    }
}

struct MessageKeeper {
    shared: Arc<Monitor<MessagesState>>,
    store: Arc<Store>,
    streams: Arc<Streams>,
    notifier: Notifier,
    /// While the clock is in doubt nothing is due, so nothing is deleted or reported because of its age.
    clock: Arc<Clock>,
    config: Arc<LiveConfig>,
    /// The id of the last space that was checked.
    after: String,
    /// The last reader that was checked.
    after_reader: SpaceReader,
}

impl MessageKeeper {
    fn serve(&mut self) {
        let mut next_round = Instant::now();
        loop {
            let now = Instant::now();
            if now >= next_round {
                self.round();
                next_round = now + seconds(self.config.read(|now| now.limits.sweep_interval));
            }
            let judged = self.clock.judging();
            let told = self.tell_overdue(judged).inspect_err(|error| log::warn!("overdue replies: {error}"));
            let mut state = self.shared.lock();
            if let Ok(due) = &told {
                // A message that was sent meanwhile may be due sooner.
                state.due = state.due.filter(|at| *at > judged).into_iter().chain(*due).min();
            }
            while !state.closed && state.full.is_empty() {
                let now = Instant::now();
                let judged = self.clock.judging();
                let until_due =
                    state.due.map(|at| Duration::from_micros(at.0.saturating_sub(judged.0).max(0).unsigned_abs()));
                let until_due = if told.is_err() { Some(AGAIN) } else { until_due };
                let rest = next_round.saturating_duration_since(now).min(until_due.unwrap_or(LONGEST)).min(LONGEST);
                if rest.is_zero() {
                    break;
                }
                state = self.shared.wait_timeout(state, rest);
                if now.elapsed() >= rest {
                    break;
                }
            }
            if state.closed {
                return;
            }
            let full = std::mem::take(&mut state.full);
            drop(state);
            full.iter().for_each(|space_id| self.trim(space_id));
        }
    }

    /// Reports overdue replies. Returns when the next reply is due.
    fn tell_overdue(&self, now: Micros) -> store::Result<Option<Micros>> {
        loop {
            let Some(next) = self.store.lookup(overdue::next)? else { return Ok(None) };
            if next > now {
                return Ok(Some(next));
            }
            let told = Arc::new(Mutex::new(Vec::new()));
            let telling = Arc::clone(&told);
            self.notifier.tell(move |conn| {
                let due = overdue::due(conn, now, TOLD)?;
                let mut notices = Vec::new();
                for one in &due {
                    settle(conn, one.place)?;
                    notices.extend(one.user_id(conn)?.map(|user_id| (user_id, notice(one))));
                }
                *lock(&telling) = due;
                Ok(notices)
            })?;
            let told = std::mem::take(&mut *lock(&told));
            told.iter().for_each(|one| self.streams.tell(&space(&one.space_id), event(one)));
        }
    }

    /// Checks the next spaces and readers, and deletes old client ids of messages.
    fn round(&mut self) {
        let spaces = match self.store.lookup(|conn| retention::spaces_after(conn, &self.after, SPACES)) {
            Ok(spaces) => spaces,
            Err(error) => return log::warn!("sweeping {}: {error}", Swept::Messages),
        };
        self.after =
            if spaces.len() as u64 == SPACES { spaces.last().cloned().unwrap_or_default() } else { String::new() };
        spaces.iter().for_each(|space_id| self.trim(space_id));
        if let Err(error) = self.forget_readers() {
            log::warn!("what is kept of readers who are gone: {error}");
        }
        self.tidy_words();
        let life = i64::try_from(CLIENT_ID_LIFE.as_micros()).unwrap_or(i64::MAX);
        let before = self.clock.judging().plus(-life);
        while !self.shared.lock().closed {
            match self.store.lookup(|conn| retention::client_ids_are_due(conn, before)) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return log::warn!("sweeping {}: {error}", Swept::MessageClientIds),
            }
            if let Err(error) = self.store.write(move |conn| retention::sweep_client_ids(conn, before, SWEEP_BATCH)) {
                return log::warn!("sweeping {}: {error}", Swept::MessageClientIds);
            }
        }
    }

    /// Deletes the read state of purged agents and deleted users. Each message that is deleted updates the count of
    /// every reader of its space, so such readers would slow down other writes.
    fn forget_readers(&mut self) -> store::Result<()> {
        let (gone, last) = self.store.lookup(|conn| retention::gone_readers(conn, &self.after_reader, READERS))?;
        self.after_reader = last.unwrap_or_default();
        if !gone.is_empty() {
            self.store.write(move |conn| retention::forget_readers(conn, &gone))?;
        }
        Ok(())
    }

    /// Merges parts of the word index, a little in each transaction: a search has to read every part.
    fn tidy_words(&self) {
        for _ in 0..TIDIED {
            match self.store.write_light(tidy) {
                Ok(more) if more && !self.shared.lock().closed => {}
                Ok(_) => return,
                Err(error) => return log::warn!("the index of messages: {error}"),
            }
        }
    }

    /// Deletes what exceeds a space's limits, in batches so small that other writes hardly wait.
    fn trim(&self, space_id: &str) {
        let settings = self.config.read(|now| now.workspace);
        let days = i64::try_from(settings.message_days).unwrap_or(i64::MAX);
        let keep = Retention {
            messages: settings.messages_per_space,
            bytes: settings.message_bytes_per_space,
            since: self.clock.judging().plus(-days.saturating_mul(Micros::DAY)),
        };
        while !self.shared.lock().closed {
            match self.store.lookup(|conn| retention::is_due(conn, space_id, keep)) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return log::warn!("sweeping {}: {error}", Swept::Messages),
            }
            let space = space_id.to_owned();
            match self.store.write(move |conn| retention::sweep(conn, &space, keep, BATCH)) {
                Ok(count) => {
                    self.shared.lock().removed += count as u64;
                }
                Err(error) => return log::warn!("sweeping {}: {error}", Swept::Messages),
            }
        }
    }
}

fn notice(one: &Overdue) -> Notice {
    Notice {
        level: Level::Normal,
        title: format!("Nobody has replied to {} in time", one.author_name),
        message: format!("Nobody answered message {} in time: {}", one.id, one.beginning),
        page: "/docs/agents/recipes/talking-to-another-agent#overdue".into(),
        topic: None,
    }
}

fn event(one: &Overdue) -> Event {
    let data = json!({
        "message_id": one.id,
        "space_id": one.space_id,
        "seq": one.seq,
        "expects_reply_by": one.expects_reply_by.map(Micros::micros),
    });
    Event::new("message_overdue", &data).only_to(vec![one.author.clone()])
}
