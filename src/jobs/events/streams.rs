//! Event streams and waits: one thread writes every open stream (Server-Sent Events, WHATWG HTML section 9.2), and
//! whoever waits for a topic is woken when something was committed there.
//!
//! What is on a stream is its [`Feed`]'s business. What belongs to every stream is here: a sign of life every 15 s, an
//! end within 5 s of its credential's, a bound for each principal, and little memory for a client that reads slowly.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::http::StatusCode;
use rusqlite::Connection;
use serde_json::Value;

use super::listening::{Ear, Listening};
use crate::access::{Action, Caller, Gate};
use crate::config::Watched;
use crate::limits::STREAM_HEARTBEAT;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::reply::{Body, Reply};
use crate::rest::stream::{self, Signal, StreamSender, Wait};
use crate::store::{self, Store};
use crate::threads::lock;
use crate::time::Micros;

/// Bytes of one chunk and chunks in waiting: what a client that does not read costs.
const CHUNK_BYTES: usize = 16 * 1024;
const CHUNKS: usize = 4;
/// How often a stream's credential is looked at again; with one turn of the thread it stays below 5 s.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// The longest turn of the thread while a stream is open.
const TURN: Duration = Duration::from_secs(1);
/// The turn while a client has to make room.
const BLOCKED_TURN: Duration = Duration::from_millis(20);
/// Events of one stream in one turn: one that catches up does not hold up the others.
const EVENTS_A_TURN: usize = 64;
/// Events of the moment that may wait for one stream; a client that reads more slowly is cut.
const EVENTS_IN_WAITING: usize = 512;
/// What a stream begins with: the head is sent at once, and clients come back after 2 s.
const HELLO: &str = "retry: 2000\n\n";
const HEARTBEAT: &str = ": still here\n\n";

/// The topic of a user's notifications and those of its agents, for [`Streams::wake`].
pub fn notifications_of(user_id: &str) -> String {
    format!("notifications:{user_id}")
}

/// The topic of everything that is committed.
pub const CHANGES: &str = "changes";

/// The topic of a space's shared context.
pub fn context(space_id: &str) -> String {
    format!("context:{space_id}")
}

/// The topic of what happens in a space.
pub fn space(space_id: &str) -> String {
    format!("space:{space_id}")
}

/// Something that happens and is not kept: those who listen now hear it, on the streams of its topic.
#[derive(Debug, Clone)]
pub struct Event {
    name: String,
    text: Bytes,
    to: Option<Vec<String>>,
}

impl Event {
    /// An event of this name for all who listen.
    pub fn new(name: &str, data: &Value) -> Self {
        Self { name: name.to_owned(), text: event(name, data).into(), to: None }
    }

    /// For these principals alone, each as [`Caller::principal_key`] names it.
    #[must_use]
    pub fn only_to(self, principals: Vec<String>) -> Self {
        Self { to: Some(principals), ..self }
    }
}

/// An event as it goes over the wire. JSON has no line break of its own, so the data is one line.
pub fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// What a stream tells.
pub trait Feed: Send {
    /// The next event, complete with its empty line; `None` if there is nothing new.
    ///
    /// # Errors
    /// The store's; the stream asks again later.
    fn next(&mut self, conn: &Connection) -> store::Result<Option<String>>;

    /// True once there will never be another event: the stream ends.
    fn is_over(&self) -> bool {
        false
    }

    /// True while the caller may hear of this topic at all. Asked every few seconds, and before each event of the
    /// moment.
    ///
    /// # Errors
    /// The store's; the stream asks again later.
    fn may_be_heard(&self, _conn: &Connection) -> store::Result<bool> {
        Ok(true)
    }

    /// True if the stream tells events of the moment as they are; otherwise the feed hears of them, and may have something
    /// of its own to tell.
    fn tells_events(&self) -> bool {
        true
    }

    /// One of the stream's topics was woken, by an event of the moment if it is named. False if the feed is not to be asked
    /// before it is due.
    fn hears(&mut self, _topic: &str, _event: Option<&str>) -> bool {
        true
    }

    /// The topics of the stream, where they are others than before.
    fn new_topics(&mut self) -> Option<Vec<String>> {
        None
    }

    /// When the feed will have something to tell that it has not now.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// What the stream ends with, where the daemon ends it.
    fn farewell(&self) -> Option<String> {
        None
    }

    /// What the stream begins with.
    fn hello(&self) -> String {
        String::new()
    }

    /// What says every 15 s that the stream is alive.
    fn heartbeat(&self) -> String {
        HEARTBEAT.to_owned()
    }
}

enum Order {
    Open(Box<Stream>),
    Wake(String),
    Tell(String, Event),
    LookAgain,
    /// Ends every stream, and says so.
    Close(Sender<()>),
}

/// All open streams, and the topics that can be waited for.
pub struct Streams {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    signals: Mutex<HashMap<String, Signal>>,
    closing: AtomicBool,
    places: Places,
    per_principal: Watched<u64>,
    /// Who listens now.
    pub listening: Arc<Listening>,
}

/// How many streams each principal holds.
type Places = Arc<Mutex<HashMap<String, u64>>>;

/// A principal's hold on one stream; given back on drop.
struct Place {
    places: Places,
    key: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = lock(&self.places);
        if let Some(held) = places.get_mut(&self.key) {
            *held -= 1;
            if *held == 0 {
                places.remove(&self.key);
            }
        }
    }
}

impl Streams {
    /// Starts the thread. `per_principal`: streams of one principal.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn start(store: Arc<Store>, gate: Arc<Gate>, per_principal: Watched<u64>) -> std::io::Result<Self> {
        let (orders, receiver) = channel();
        let hub = Hub { store, gate, open: Vec::new() };
        let thread = std::thread::Builder::new().name("streams".into()).spawn(move || hub.serve(&receiver))?;
        Ok(Self {
            orders: Some(orders),
            thread: Some(thread),
            signals: Mutex::default(),
            closing: AtomicBool::new(false),
            places: Arc::default(),
            per_principal,
            listening: Arc::default(),
        })
    }

    /// Opens a stream for a caller that was admitted for `action`; `feed` is asked whenever `topic` is woken.
    ///
    /// # Errors
    /// `too_many_streams`.
    pub fn open(&self, caller: &Caller, action: Action, topic: String, feed: Box<dyn Feed>) -> Result<Reply, ApiError> {
        let ear = self.listening.start(&caller.principal_key(), &topic);
        self.open_to(caller, vec![action], vec![topic], feed, Some(ear))
    }

    /// The same for several topics, for as long as the caller may do all of `actions`. Nobody is said to be listening.
    ///
    /// # Errors
    /// `too_many_streams`.
    pub fn open_on(
        &self,
        caller: &Caller,
        actions: Vec<Action>,
        topics: Vec<String>,
        feed: Box<dyn Feed>,
    ) -> Result<Reply, ApiError> {
        // Commits are announced only while somebody follows them. This listener has no name, so the caller is not shown as
        // listening.
        let ear = topics.iter().any(|topic| topic == CHANGES).then(|| self.listening.start("", CHANGES));
        self.open_to(caller, actions, topics, feed, ear)
    }

    fn open_to(
        &self,
        caller: &Caller,
        actions: Vec<Action>,
        topics: Vec<String>,
        feed: Box<dyn Feed>,
        ear: Option<Ear>,
    ) -> Result<Reply, ApiError> {
        let place = self.place(caller)?;
        let (sender, body) = stream::stream(CHUNKS);
        let now = Instant::now();
        let principal = caller.principal_key();
        let stream = Stream {
            sender,
            rest: format!("{HELLO}{}", feed.hello()).into(),
            _ear: ear,
            topics,
            feed,
            principal,
            caller: caller.clone(),
            actions,
            awake: true,
            waiting: VecDeque::new(),
            beat_at: now + STREAM_HEARTBEAT,
            look_at: now + LOOK_AGAIN,
            _place: place,
        };
        self.order(Order::Open(Box::new(stream)));
        let mut reply = Reply::typed(StatusCode::OK, "text/event-stream; charset=utf-8", Bytes::new());
        reply.body = Body::Stream(body);
        Ok(reply)
    }

    fn place(&self, caller: &Caller) -> Result<Place, ApiError> {
        let key = caller.principal_key();
        let mut places = lock(&self.places);
        let held = places.get(&key).copied().unwrap_or(0);
        if held >= self.per_principal.now() {
            return Err(ApiError::new(codes::TOO_MANY_STREAMS)
                .detail(format!("This principal has {held} event streams, which is the maximum.")));
        }
        places.insert(key.clone(), held + 1);
        Ok(Place { places: Arc::clone(&self.places), key })
    }

    /// Starts to wait for a topic: a [`Streams::wake`] after this call is not missed.
    pub fn wait(&self, topic: &str) -> Wait {
        lock(&self.signals).entry(topic.to_owned()).or_default().wait()
    }

    /// Says that something was committed under a topic. Quick; from any thread.
    pub fn wake(&self, topic: &str) {
        if let Some(signal) = lock(&self.signals).get(topic) {
            signal.raise();
        }
        self.order(Order::Wake(topic.to_owned()));
    }

    /// Tells those who listen to a topic of something that is not kept. Quick; from any thread.
    pub fn tell(&self, topic: &str, event: Event) {
        self.order(Order::Tell(topic.to_owned(), event));
    }

    /// Says that something was committed, to those who follow all there is. Quick; on the writer's thread.
    pub fn committed(&self) {
        if self.listening.is_heard(CHANGES) {
            self.order(Order::Wake(CHANGES.to_owned()));
        }
    }

    /// Looks at every stream's credential now instead of within seconds, and wakes all who wait: somebody was cut off.
    pub fn look_again(&self) {
        self.order(Order::LookAgain);
        lock(&self.signals).values().for_each(Signal::raise);
    }

    /// Ends every wait and every stream, each with its farewell: the daemon stops.
    pub fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        lock(&self.signals).values().for_each(Signal::raise);
        let (closed, told) = channel();
        self.order(Order::Close(closed));
        // A thread that is kept from it holds up nothing.
        let _ = told.recv_timeout(TURN);
    }

    /// True once waits are to end with what there is.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // Fails only once the thread has ended, and with it every stream.
            let _ = orders.send(order);
        }
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Stream {
    sender: StreamSender,
    topics: Vec<String>,
    feed: Box<dyn Feed>,
    caller: Caller,
    /// The caller, as events name those they are for.
    principal: String,
    actions: Vec<Action>,
    /// Events of the moment that it has not been told yet.
    waiting: VecDeque<Bytes>,
    /// The feed may have something.
    awake: bool,
    /// What of the last event is not yet sent.
    rest: Bytes,
    beat_at: Instant,
    look_at: Instant,
    _place: Place,
    _ear: Option<Ear>,
}

/// How a stream stands after its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nothing to send.
    Rests,
    /// More to send, and room for it.
    More,
    /// More to send once the client has read, or the store answers again.
    Blocked,
    /// It is over.
    Ended,
}

struct Hub {
    store: Arc<Store>,
    gate: Arc<Gate>,
    open: Vec<Stream>,
}

impl Hub {
    fn serve(mut self, orders: &Receiver<Order>) {
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

    fn take(&mut self, order: Order) {
        match order {
            Order::Open(stream) => self.open.push(*stream),
            Order::Wake(topic) => {
                self.open.iter_mut().filter(|stream| stream.topics.contains(&topic)).for_each(|stream| {
                    stream.awake |= stream.feed.hears(&topic, None);
                });
            }
            Order::Tell(topic, event) => {
                let of_topic = self.open.iter_mut().filter(|stream| stream.topics.contains(&topic));
                of_topic.for_each(|stream| stream.hear(&topic, &event));
            }
            Order::LookAgain => {
                let now = Instant::now();
                self.open.iter_mut().for_each(|stream| stream.look_at = now);
            }
            Order::Close(closed) => {
                self.open.drain(..).for_each(|mut stream| stream.say_farewell());
                let _ = closed.send(());
            }
        }
    }

    /// Gives every stream its turn. How long the next may be away.
    fn turn(&mut self) -> Duration {
        let now = Instant::now();
        let mut patience = TURN;
        let (store, gate) = (&self.store, &self.gate);
        self.open.retain_mut(|stream| {
            let turn = stream.turn(store, gate, now);
            if let Some(due) = stream.feed.due() {
                patience = patience.min(due.saturating_duration_since(now).max(BLOCKED_TURN));
            }
            match turn {
                Turn::More => patience = Duration::ZERO,
                Turn::Blocked => patience = patience.min(BLOCKED_TURN),
                Turn::Rests | Turn::Ended => {}
            }
            if turn == Turn::Ended {
                stream.say_farewell();
            }
            turn != Turn::Ended
        });
        patience
    }
}

impl Stream {
    fn turn(&mut self, store: &Store, gate: &Gate, now: Instant) -> Turn {
        if self.sender.is_closed() {
            return Turn::Ended;
        }
        if self.waiting.len() > EVENTS_IN_WAITING || self.caller.expires_at().is_some_and(|at| at <= Micros::now()) {
            return Turn::Ended;
        }
        if now >= self.look_at {
            let is_good = self.actions.iter().all(|action| gate.is_still_good(&self.caller, *action));
            if !is_good || !self.may_be_heard(store) {
                return Turn::Ended;
            }
            self.look_at = now + LOOK_AGAIN;
        }
        self.awake |= self.feed.due().is_some_and(|at| at <= now);
        for _ in 0..EVENTS_A_TURN {
            if let Some(turn) = self.send_rest(now) {
                return turn;
            }
            if self.feed.is_over() {
                return Turn::Ended;
            }
            if let Some(event) = self.waiting.pop_front() {
                if !self.may_be_heard(store) {
                    return Turn::Ended;
                }
                self.rest = event;
                continue;
            }
            if !self.awake {
                return self.beat(now);
            }
            let next = store.lookup(|conn| self.feed.next(conn));
            if let Some(topics) = self.feed.new_topics() {
                self.topics = topics;
            }
            match next {
                Ok(Some(event)) => self.rest = event.into(),
                Ok(None) => self.awake = false,
                Err(error) => {
                    log::warn!("events could not be sent to a stream, trying again: {error}");
                    return Turn::Blocked;
                }
            }
        }
        Turn::More
    }

    /// Puts an event of the moment in waiting, if it is for this caller. One more than may wait ends the stream.
    fn hear(&mut self, topic: &str, event: &Event) {
        let is_for_me = event.to.as_ref().is_none_or(|principals| principals.contains(&self.principal));
        if is_for_me && !self.feed.tells_events() {
            self.awake |= self.feed.hears(topic, Some(&event.name));
        } else if is_for_me && self.waiting.len() <= EVENTS_IN_WAITING {
            self.waiting.push_back(event.text.clone());
        }
    }

    /// Says how the stream ends, if nothing is half told and there is room for it.
    fn say_farewell(&mut self) {
        if self.rest.is_empty()
            && let Some(text) = self.feed.farewell()
        {
            self.sender.send(text);
        }
    }

    /// Where the store does not answer, nothing is told.
    fn may_be_heard(&self, store: &Store) -> bool {
        store.lookup(|conn| self.feed.may_be_heard(conn)).unwrap_or_else(|error| {
            log::warn!("an event stream's caller could not be looked at again: {error}");
            false
        })
    }

    /// Sends what is left of an event; how the turn ends if it could not all be sent.
    fn send_rest(&mut self, now: Instant) -> Option<Turn> {
        while !self.rest.is_empty() {
            // A client that takes nothing for 30 s is cut by the edge.
            if self.sender.room() == 0 {
                return Some(Turn::Blocked);
            }
            let chunk = self.rest.split_to(self.rest.len().min(CHUNK_BYTES));
            if !self.sender.send(chunk) {
                return Some(Turn::Ended);
            }
            self.beat_at = now + STREAM_HEARTBEAT;
        }
        None
    }

    fn beat(&mut self, now: Instant) -> Turn {
        if now >= self.beat_at {
            self.rest = self.feed.heartbeat().into();
            return self.send_rest(now).unwrap_or(Turn::Rests);
        }
        Turn::Rests
    }
}
