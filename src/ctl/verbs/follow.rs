//! Follows messages across disconnects and restarts. Each request waits at the daemon for a while and names the
//! position to continue from. While the daemon does not reply, the request is repeated with growing pauses.

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::patience::patiently;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::path;
use crate::ctl::core::text;
use crate::ctl::login::session::Session;
use crate::say::Said;

/// The most seconds that one request waits for messages.
const WAIT: u64 = 30;

/// The messages to follow.
#[derive(Debug, Clone, Default)]
pub struct MessageQuery {
    /// The query of the list, without the position.
    pub query: Map<String, Value>,
}

impl MessageQuery {
    /// A list of messages; waits for it until `end`.
    ///
    /// # Errors
    /// The server refuses the request, the reply is not a list of messages, or there is no reply until `end`.
    pub fn wait(&self, session: &Session<'_>, after: Option<i64>, end: Option<Instant>) -> Result<List, Failure> {
        let route = path::route("messages_list");
        // At most half of the timeout, so that the reply does not miss its deadline.
        let most = WAIT.min(session.context.timeout.as_secs() / 2).max(1);
        patiently(end, || {
            let left = end.map_or(most, |end| end.saturating_duration_since(Instant::now()).as_secs());
            let mut query = self.query.clone();
            query.insert("wait".to_owned(), json!(left.min(most)));
            if let Some(seq) = after {
                query.insert("after_seq".to_owned(), json!(seq));
            }
            List::read(session.send_for_json(route, &path::target(route, &[], &query), None)?)
        })
    }

    /// Passes every message after `after` to `take`, oldest first, until `take` returns true or `end` is reached.
    /// Returns true in the first case.
    ///
    /// # Errors
    /// Those of [`MessageQuery::wait`], and those of `take`.
    pub fn each(
        &self,
        session: &Session<'_>,
        mut after: i64,
        end: Option<Instant>,
        mut take: impl FnMut(&Value) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        loop {
            let list = self.wait(session, Some(after), end)?;
            for message in &list.messages {
                after = after.max(seq_of(message)?);
                if take(message)? {
                    return Ok(true);
                }
            }
            if list.messages.is_empty() && end.is_some_and(|end| Instant::now() >= end) {
                return Ok(false);
            }
        }
    }
}

/// A list of messages from a reply.
#[derive(Debug)]
pub struct List {
    /// The messages.
    pub messages: Vec<Value>,
    /// The last position that was assigned in the space.
    pub last_seq: i64,
}

impl List {
    /// Reads the list from a reply.
    ///
    /// # Errors
    /// [`Failure::Unexpected`] if the reply is not a list of messages.
    pub fn read(mut reply: Value) -> Result<Self, Failure> {
        let wrong = || Failure::Unexpected("The answer is no list of messages.".to_owned());
        let last_seq = reply["last_seq"].as_i64().ok_or_else(wrong)?;
        match reply["messages"].take() {
            Value::Array(messages) => Ok(Self { messages, last_seq }),
            _ => Err(wrong()),
        }
    }
}

/// The position of a message in its space.
///
/// # Errors
/// [`Failure::Unexpected`] if it has none.
pub fn seq_of(message: &Value) -> Result<i64, Failure> {
    message["seq"].as_i64().ok_or_else(|| Failure::Unexpected("A message has no place.".to_owned()))
}

/// Prints a message on one line: as JSON, or for people. Returns false if the reader has closed the pipe.
///
/// # Errors
/// [`Failure::Output`] if the output cannot be written.
pub fn print(message: &Value, as_json: bool) -> Result<bool, Failure> {
    Ok(Output::text(line(message, as_json)).print_more()? == Said::Whole)
}

/// A message on one line.
pub fn line(message: &Value, as_json: bool) -> String {
    if as_json {
        return format!("{}\n", text::json_line(message));
    }
    let field = |name: &str| text::clean(&text::plain(&message[name]));
    format!("{}  {}  {}  {}\n", field("created_at"), field("id"), field("sender_handle"), field("content"))
}
