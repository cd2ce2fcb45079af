//! What a stream tells: its [`Feed`], and [`Event`]s that are told and not kept.

use std::time::Instant;

use hyper::body::Bytes;
use rusqlite::Connection;
use serde_json::Value;

use crate::store;

const HEARTBEAT: &str = ": still here\n\n";

/// Something that happens and is not kept: those who listen now hear it, on the streams of its topic.
#[derive(Debug, Clone)]
pub struct Event {
    pub(super) name: String,
    pub(super) text: Bytes,
    pub(super) to: Option<Vec<String>>,
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

    /// Called right before the last part of an event is sent. What a feed notes here is there before anybody has read the
    /// event.
    fn goes_out(&mut self) {}

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
