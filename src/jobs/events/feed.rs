//! The contents of a stream: its [`Feed`], and [`Event`]s that are sent but not stored.

use std::time::Instant;

use hyper::body::Bytes;
use rusqlite::Connection;
use serde_json::Value;

use crate::store;

const HEARTBEAT: &str = ": still here\n\n";

/// A transient event: it is not stored, and only those who listen to its topic now get it.
#[derive(Debug, Clone)]
pub struct Event {
    pub(super) name: String,
    pub(super) text: Bytes,
    pub(super) to: Option<Vec<String>>,
}

impl Event {
    /// An event with this name for all who listen.
    pub fn new(name: &str, data: &Value) -> Self {
        Self { name: name.to_owned(), text: event(name, data).into(), to: None }
    }

    /// The event, only for these principals, each given by its [`Caller::principal_key`].
    #[must_use]
    pub fn only_to(self, principals: Vec<String>) -> Self {
        Self { to: Some(principals), ..self }
    }
}

/// The text of an event in a stream. JSON contains no raw line break, so the data is one line.
pub fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// The source of a stream's events.
pub trait Feed: Send {
    /// Returns the next event, complete with its empty line; `None` if there is nothing new.
    ///
    /// # Errors
    /// Any `StoreError`; the stream tries again later.
    fn next(&mut self, conn: &Connection) -> store::Result<Option<String>>;

    /// Called right before the last part of an event is sent. So what a feed records here is there before any client
    /// has read the event.
    fn goes_out(&mut self) {}

    /// True once there will never be another event: the stream ends.
    fn is_over(&self) -> bool {
        false
    }

    /// True while the caller may hear of this topic at all. Called every few seconds, and before each transient event.
    ///
    /// # Errors
    /// Any `StoreError`; the stream then ends.
    fn may_be_heard(&self, _conn: &Connection) -> store::Result<bool> {
        Ok(true)
    }

    /// True if the stream sends transient events as they are. Otherwise the feed only hears of them, and may have its
    /// own events to send.
    fn tells_events(&self) -> bool {
        true
    }

    /// Called when one of the stream's topics was woken; `event` is the name of the transient event that woke it, if
    /// one did. Returns false if the feed must not be asked before it is due.
    fn hears(&mut self, _topic: &str, _event: Option<&str>) -> bool {
        true
    }

    /// Returns the topics of the stream if they have changed.
    fn new_topics(&mut self) -> Option<Vec<String>> {
        None
    }

    /// Returns when the feed will have something to send that it does not have now.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// The last text of a stream that the daemon ends.
    fn farewell(&self) -> Option<String> {
        None
    }

    /// The first text of a stream.
    fn hello(&self) -> String {
        String::new()
    }

    /// The text that is sent every 15 s to show that the stream is alive.
    fn heartbeat(&self) -> String {
        HEARTBEAT.to_owned()
    }
}
