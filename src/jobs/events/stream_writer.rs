//! The thread that writes all open streams; each stream gets a turn in every turn of the thread.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use hyper::body::Bytes;

use super::feed::{Event, Feed};
use super::listening::Ear;
use super::stream_quota::StreamPlace;
use crate::access::{Action, Caller, Gate};
use crate::limits::STREAM_HEARTBEAT;
use crate::rest::stream::StreamSender;
use crate::store::{Store, StoreError};
use crate::time::Micros;

/// The most bytes of one chunk.
const CHUNK_BYTES: usize = 16 * 1024;
/// How often a stream's credential is checked again; with one turn of the thread that stays below 5 s.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// The longest pause of the thread while a stream is open.
pub(super) const TURN: Duration = Duration::from_secs(1);
/// The pause while a client has to make room.
const BLOCKED_TURN: Duration = Duration::from_millis(20);
/// The pauses of a stream whose events cannot be read: the first, and the longest, to which they grow.
const RETRY_FIRST: Duration = TURN;
const RETRY_MOST: Duration = Duration::from_secs(60);
/// The most events of one stream in one turn, so that a stream that catches up does not delay the others.
const EVENTS_A_TURN: usize = 64;
/// The most transient events that may wait for one stream; a client that reads more slowly is disconnected.
const EVENTS_IN_WAITING: usize = 512;
/// The beginning of a stream: it makes the head go out at once, and tells clients to reconnect after 2 s.
const HELLO: &str = "retry: 2000\n\n";

/// An order to the thread.
pub(super) enum StreamOrder {
    Open(Box<Stream>),
    Wake(String),
    Tell(String, Event),
    LookAgain,
    /// Ends every stream, and reports that on the channel.
    Close(Sender<()>),
}

/// One open stream.
pub(super) struct Stream {
    sender: StreamSender,
    topics: Vec<String>,
    feed: Box<dyn Feed>,
    caller: Caller,
    /// The caller's key, as in [`Event`]s for certain principals.
    principal: String,
    actions: Vec<Action>,
    /// Transient events that have not been sent yet.
    waiting: VecDeque<Bytes>,
    /// True if the feed may have something to send.
    awake: bool,
    /// The part of the last event that has not been sent yet.
    rest: Bytes,
    beat_at: Instant,
    look_at: Instant,
    /// Set while the events cannot be read.
    retry: Option<Retry>,
    _place: StreamPlace,
    _ears: Vec<Ear>,
}

/// When a stream whose events could not be read tries again, and the pause before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Retry {
    at: Instant,
    pause: Duration,
}

impl Retry {
    /// The try after this one, which failed: each pause is twice as long as the one before.
    fn after(last: Option<Self>, now: Instant) -> Self {
        let pause = last.map_or(RETRY_FIRST, |last| (last.pause * 2).min(RETRY_MOST));
        Self { at: now + pause, pause }
    }
}

/// The state of a stream after its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StreamTurn {
    /// It has nothing to send.
    Rests,
    /// It has more to send, and room for it.
    More,
    /// It has more to send, but the client must read first.
    Blocked,
    /// It has ended.
    Ended,
}

/// The open streams, which belong to the thread.
pub(super) struct Hub {
    store: Arc<Store>,
    gate: Arc<Gate>,
    open: Vec<Stream>,
}

impl Hub {
    /// A hub without streams.
    pub(super) fn new(store: Arc<Store>, gate: Arc<Gate>) -> Self {
        Self { store, gate, open: Vec::new() }
    }

    /// Writes streams until every sender of orders is dropped.
    pub(super) fn serve(&mut self, orders: &Receiver<StreamOrder>) {
        let mut patience = TURN;
        loop {
            let order = if self.open.is_empty() {
                orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                orders.recv_timeout(patience)
            };
            match order {
                Ok(order) => self.take(order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.open.iter_mut().for_each(Stream::say_farewell);
                    return;
                }
            }
            while let Ok(order) = orders.try_recv() {
                self.take(order);
            }
            patience = self.turn();
        }
    }

    fn take(&mut self, order: StreamOrder) {
        match order {
            StreamOrder::Open(stream) => self.open.push(*stream),
            StreamOrder::Wake(topic) => {
                self.open.iter_mut().filter(|stream| stream.topics.contains(&topic)).for_each(|stream| {
                    stream.awake |= stream.feed.hears(&topic, None);
                });
            }
            StreamOrder::Tell(topic, event) => {
                let of_topic = self.open.iter_mut().filter(|stream| stream.topics.contains(&topic));
                of_topic.for_each(|stream| stream.hear(&topic, &event));
            }
            StreamOrder::LookAgain => {
                let now = Instant::now();
                self.open.iter_mut().for_each(|stream| stream.look_at = now);
            }
            StreamOrder::Close(closed) => {
                self.open.drain(..).for_each(|mut stream| stream.say_farewell());
                let _ = closed.send(());
            }
        }
    }

    /// Gives every stream its turn. Returns how long the thread may wait for the next one.
    fn turn(&mut self) -> Duration {
        let now = Instant::now();
        let mut patience = TURN;
        let (store, gate) = (&self.store, &self.gate);
        self.open.retain_mut(|stream| {
            // A stream whose feed panics ends, and no other one waits for it.
            let turn = catch_unwind(AssertUnwindSafe(|| stream.turn(store, gate, now))).unwrap_or(StreamTurn::Ended);
            if turn != StreamTurn::Ended
                && let Some(due) = stream.due()
            {
                patience = patience.min(due.saturating_duration_since(now).max(BLOCKED_TURN));
            }
            match turn {
                StreamTurn::More => patience = Duration::ZERO,
                StreamTurn::Blocked => patience = patience.min(BLOCKED_TURN),
                StreamTurn::Rests | StreamTurn::Ended => {}
            }
            if turn == StreamTurn::Ended {
                stream.say_farewell();
            }
            turn != StreamTurn::Ended
        });
        patience
    }
}

impl Stream {
    /// A stream for a caller, open while it may do all of `actions`. The place and the ears end with the stream.
    pub(super) fn new(
        (sender, place, ears): (StreamSender, StreamPlace, Vec<Ear>),
        caller: &Caller,
        actions: Vec<Action>,
        topics: Vec<String>,
        feed: Box<dyn Feed>,
    ) -> Self {
        let now = Instant::now();
        Self {
            sender,
            rest: format!("{HELLO}{}", feed.hello()).into(),
            topics,
            feed,
            principal: caller.principal_key(),
            caller: caller.clone(),
            actions,
            awake: true,
            waiting: VecDeque::new(),
            beat_at: now + STREAM_HEARTBEAT,
            look_at: now + LOOK_AGAIN,
            retry: None,
            _place: place,
            _ears: ears,
        }
    }

    fn turn(&mut self, store: &Store, gate: &Gate, now: Instant) -> StreamTurn {
        if self.sender.is_closed() {
            return StreamTurn::Ended;
        }
        if self.waiting.len() > EVENTS_IN_WAITING || self.caller.expires_at().is_some_and(|at| at <= Micros::now()) {
            return StreamTurn::Ended;
        }
        if now >= self.look_at {
            if !gate.renew(&mut self.caller, &self.actions) || !self.may_be_heard(store) {
                return StreamTurn::Ended;
            }
            self.look_at = now + LOOK_AGAIN;
        }
        self.awake |= self.feed.due().is_some_and(|at| at <= now);
        for _ in 0..EVENTS_A_TURN {
            if let Some(turn) = self.send_rest(now) {
                return turn;
            }
            if self.feed.is_over() {
                return StreamTurn::Ended;
            }
            if let Some(event) = self.waiting.pop_front() {
                if !self.may_be_heard(store) {
                    return StreamTurn::Ended;
                }
                self.rest = event;
                continue;
            }
            if !self.awake || self.retry.is_some_and(|retry| now < retry.at) {
                return self.beat(now);
            }
            let next = store.lookup(|conn| self.feed.next(conn));
            if let Some(topics) = self.feed.new_topics() {
                self.topics = topics;
            }
            match next {
                Ok(event) => {
                    self.retry = None;
                    self.awake = event.is_some();
                    self.rest = event.unwrap_or_default().into();
                }
                Err(error) => return self.failed(&error),
            }
        }
        StreamTurn::More
    }

    /// Ends the stream, or lets it try again after a pause. Only the first failure is logged: there may be hundreds of
    /// streams, and they fail together.
    fn failed(&mut self, error: &StoreError) -> StreamTurn {
        if matches!(error, StoreError::Damaged(_) | StoreError::Gone(_)) {
            log::warn!("a stream ends because its events cannot be read: {error}");
            return StreamTurn::Ended;
        }
        if self.retry.is_none() {
            log::warn!("events could not be sent to a stream, trying again: {error}");
        }
        self.retry = Some(Retry::after(self.retry, Instant::now()));
        StreamTurn::Rests
    }

    /// Returns when the stream has something to do next, if that is known.
    fn due(&self) -> Option<Instant> {
        self.retry.map(|retry| retry.at).or_else(|| self.feed.due())
    }

    /// Queues a transient event if it is for this caller. One event more than may wait ends the stream.
    fn hear(&mut self, topic: &str, event: &Event) {
        let is_for_me = event.to.as_ref().is_none_or(|principals| principals.contains(&self.principal));
        if is_for_me && !self.feed.tells_events() {
            self.awake |= self.feed.hears(topic, Some(&event.name));
        } else if is_for_me && self.waiting.len() <= EVENTS_IN_WAITING {
            self.waiting.push_back(event.text.clone());
        }
    }

    /// Sends the farewell, if no event is half sent and there is room for it.
    fn say_farewell(&mut self) {
        if self.rest.is_empty()
            && let Some(text) = self.feed.farewell()
        {
            self.sender.send(text);
        }
    }

    /// False also if the store fails.
    fn may_be_heard(&self, store: &Store) -> bool {
        store.lookup(|conn| self.feed.may_be_heard(conn)).unwrap_or_else(|error| {
            log::warn!("an event stream's caller could not be looked at again: {error}");
            false
        })
    }

    /// Sends the rest of an event. Returns how the turn ends if not all of it could be sent.
    fn send_rest(&mut self, now: Instant) -> Option<StreamTurn> {
        while !self.rest.is_empty() {
            // The edge disconnects a client that reads nothing for 30 s.
            if self.sender.room() == 0 {
                return Some(StreamTurn::Blocked);
            }
            let chunk = self.rest.split_to(self.rest.len().min(CHUNK_BYTES));
            if self.rest.is_empty() {
                self.feed.goes_out();
            }
            if !self.sender.send(chunk) {
                return Some(StreamTurn::Ended);
            }
            self.beat_at = now + STREAM_HEARTBEAT;
        }
        None
    }

    fn beat(&mut self, now: Instant) -> StreamTurn {
        if now >= self.beat_at {
            self.rest = self.feed.heartbeat().into();
            return self.send_rest(now).unwrap_or(StreamTurn::Rests);
        }
        StreamTurn::Rests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_of_a_stream_that_fails_grow_to_a_minute() {
        let (now, mut last, mut pauses) = (Instant::now(), None, Vec::new());
        for _ in 0..8 {
            let retry = Retry::after(last, now);
            pauses.push((retry.at - now).as_secs());
            last = Some(retry);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
