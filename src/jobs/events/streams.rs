//! Event streams (Server-Sent Events, WHATWG HTML section 9.2) and waits: opens streams, and wakes all who wait for a
//! topic when something was committed there.
//!
//! A [`Feed`] supplies the events of a stream. Every stream has a heartbeat every 15 s, ends within 5 s after its
//! credential ends, counts against its principal's limit, and needs little memory for a client that reads slowly.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use hyper::body::Bytes;
use hyper::http::StatusCode;

use super::feed::{Event, Feed};
use super::listening::{Ear, Listening};
use super::signals::Signals;
use super::stream_quota::StreamQuota;
use super::stream_writer::{Hub, Stream, StreamOrder, TURN};
use crate::access::{Action, Caller, Gate};
use crate::config::Watched;
use crate::rest::error::ApiError;
use crate::rest::reply::{Body, Reply};
use crate::rest::stream::{self, Wait};
use crate::store::Store;
use crate::threads::{EventThread, lock};

/// The most chunks that wait; times the size of a chunk, that is the memory for a client that does not read.
const CHUNKS: usize = 4;

/// The topic of the notifications of a user and its agents, for [`Streams::wake`].
pub fn notifications_of(user_id: &str) -> String {
    format!("notifications:{user_id}")
}

/// Where those count as listening who follow several topics: to nothing in particular, so that no message is said to
/// reach them at once.
const SEVERAL: &str = "several";

/// The topic of all commits.
pub const CHANGES: &str = "changes";

/// The topic of a space's shared context.
pub fn context(space_id: &str) -> String {
    format!("context:{space_id}")
}

/// The topic of events in a space.
pub fn space(space_id: &str) -> String {
    format!("space:{space_id}")
}

/// All open streams, and the topics that can be waited for.
pub struct Streams {
    // Dropped before the thread, which ends when this is gone.
    orders: Sender<StreamOrder>,
    _thread: EventThread,
    signals: Mutex<Signals>,
    closing: AtomicBool,
    quota: StreamQuota,
    /// The principals that listen now.
    pub listening: Arc<Listening>,
}

impl Streams {
    /// Starts the thread. `per_principal` is the number of streams that one principal may have.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(store: Arc<Store>, gate: Arc<Gate>, per_principal: Watched<u64>) -> std::io::Result<Self> {
        let (orders, receiver) = channel();
        let mut hub = Hub::new(store, gate);
        let thread = EventThread::steady("streams", move || hub.serve(&receiver))?;
        Ok(Self {
            orders,
            _thread: thread,
            signals: Mutex::default(),
            closing: AtomicBool::new(false),
            quota: StreamQuota::new(per_principal),
            listening: Arc::default(),
        })
    }

    /// Opens a stream for a caller that was admitted for `action`. Its `feed` is asked whenever `topic` is woken.
    ///
    /// # Errors
    /// `too_many_streams`.
    pub fn open(&self, caller: &Caller, action: Action, topic: String, feed: Box<dyn Feed>) -> Result<Reply, ApiError> {
        let ear = self.listening.start(&caller.principal_key(), &topic);
        self.open_to(caller, vec![action], vec![topic], feed, vec![ear])
    }

    /// Opens a stream on several topics, for as long as the caller may do all of `actions`. The caller is recorded as
    /// listening, but to none of these topics.
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
        let mut ears = vec![self.listening.start(&caller.principal_key(), SEVERAL)];
        // Commits are announced only while somebody follows them. This listener has no name.
        ears.extend(topics.iter().any(|topic| topic == CHANGES).then(|| self.listening.start("", CHANGES)));
        self.open_to(caller, actions, topics, feed, ears)
    }

    fn open_to(
        &self,
        caller: &Caller,
        actions: Vec<Action>,
        topics: Vec<String>,
        feed: Box<dyn Feed>,
        ears: Vec<Ear>,
    ) -> Result<Reply, ApiError> {
        let place = self.quota.take(caller.principal_key())?;
        let (sender, body) = stream::stream(CHUNKS);
        let stream = Stream::new((sender, place, ears), caller, actions, topics, feed);
        self.order(StreamOrder::Open(Box::new(stream)));
        let mut reply = Reply::typed(StatusCode::OK, "text/event-stream; charset=utf-8", Bytes::new());
        reply.body = Body::Stream(body);
        Ok(reply)
    }

    /// Starts to wait for a topic: a [`Streams::wake`] after this call is not missed.
    pub fn wait(&self, topic: &str) -> Wait {
        lock(&self.signals).wait(topic)
    }

    /// Announces that something was committed under a topic. Fast; may be called from any thread.
    pub fn wake(&self, topic: &str) {
        lock(&self.signals).raise(topic);
        self.order(StreamOrder::Wake(topic.to_owned()));
    }

    /// Sends a transient event to all who listen to a topic. Fast; may be called from any thread.
    pub fn tell(&self, topic: &str, event: Event) {
        self.order(StreamOrder::Tell(topic.to_owned(), event));
    }

    /// Announces a commit to those who follow all commits. Fast; called on the writer thread.
    pub fn committed(&self) {
        if self.listening.is_heard(CHANGES) {
            self.order(StreamOrder::Wake(CHANGES.to_owned()));
        }
    }

    /// Checks every stream's credential now instead of within seconds, and wakes all waits: somebody has lost access.
    pub fn look_again(&self) {
        self.order(StreamOrder::LookAgain);
        lock(&self.signals).raise_all();
    }

    /// Ends every wait and every stream, each with its farewell, because the daemon stops.
    pub fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        lock(&self.signals).raise_all();
        let (closed, told) = channel();
        self.order(StreamOrder::Close(closed));
        // Do not wait longer for a thread that is blocked.
        let _ = told.recv_timeout(TURN);
    }

    /// True once waits must end with what they have.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    fn order(&self, order: StreamOrder) {
        // Fails only after the thread and every stream have ended.
        let _ = self.orders.send(order);
    }
}
