//! Messages as Server-Sent Events (aX contract, section 9; workspace contract, section 2). Every message is sent once
//! and in order, across disconnects and restarts. An event's id is `SPACE.SEQ`.

use std::collections::VecDeque;
use std::sync::Arc;

use hyper::header::HeaderName;
use rusqlite::Connection;
use serde_json::json;

use super::fields::{AFTER_SEQ, SPACE, bad};
use super::read::note;
use super::show::{mentioned, show};
use crate::access::{self, Action, Caller, SpaceRole, resolve_space};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::jobs::events::feed::{Feed, event};
use crate::jobs::events::fetched::Fetched;
use crate::jobs::events::recent::{Recent, RecentMessage};
use crate::jobs::events::streams;
use crate::limits::REPLAYED_MESSAGES;
use crate::rest::error::ApiError;
use crate::store::messages::{Message, find, reading};
use crate::store::{self, Store};
use crate::time::Micros;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The messages read in one query.
const BATCH: u64 = 32;

/// The messages of a space that a caller has not received yet.
struct MessageFeed {
    space_id: String,
    caller: Caller,
    me: String,
    after: i64,
    /// The position of the next message after a gap.
    gap_to: Option<i64>,
    /// The places that were read but not sent yet.
    found: VecDeque<(i64, i64)>,
    /// Whether every message up to the space's last wake was read.
    all_found: bool,
    /// The last message, until it is sent out.
    given: Option<Arc<RecentMessage>>,
    store: Arc<Store>,
    recent: Arc<Recent>,
    fetched: Arc<Fetched>,
}

impl MessageFeed {
    fn is_member(&self, conn: &Connection) -> store::Result<bool> {
        Ok(access::space_role_on(conn, &self.caller, &self.space_id, Micros::now())?.is_some())
    }

    fn shown(&self, told: &RecentMessage) -> String {
        let RecentMessage { message, text } = told;
        let mut all = format!("id: {}.{}\nevent: message\n{text}", self.space_id, message.seq);
        if message.author != self.me && mentioned(message).iter().any(|named| named.principal == self.me) {
            all.push_str("event: mention\n");
            all.push_str(text);
        }
        all
    }

    /// Reads the places after the last sent one. It reads nothing if no message came since all were read.
    fn find(&mut self, conn: &Connection) -> store::Result<()> {
        if self.found.is_empty() && !self.all_found {
            self.found = find::after(conn, &self.space_id, &self.me, self.after, BATCH)?.into();
            self.all_found = (self.found.len() as u64) < BATCH;
        }
        Ok(())
    }

    /// False if this reader certainly has no receipt of the message: the message is no reply, has no addressee and does
    /// not mention the reader.
    fn may_be_recipient(&self, message: &Message) -> bool {
        message.parent_id.is_some() || message.addressee.is_some() || message.mentions.contains(&self.me)
    }
}

/// Returns the data of an event about a message.
fn data(message: &Message) -> String {
    format!("data: {}\n\n", show(message))
}

impl Feed for MessageFeed {
    fn next(&mut self, conn: &Connection) -> store::Result<Option<String>> {
        if let Some(next) = self.gap_to.take() {
            let gap = json!({"after_seq": self.after, "next_seq": next});
            self.after = next - 1;
            return Ok(Some(event("gap", &gap)));
        }
        loop {
            self.find(conn)?;
            let Some((place, seq)) = self.found.pop_front() else { return Ok(None) };
            self.after = seq;
            // Skip a message that was deleted meanwhile.
            let Some(told) = self.recent.get(&self.store, conn, place, data)? else { continue };
            // A caller that has left the space gets no later message; the stream itself ends shortly after.
            if !self.is_member(conn)? {
                self.found.clear();
                return Ok(None);
            }
            let text = self.shown(&told);
            self.given = Some(told);
            return Ok(Some(text));
        }
    }

    fn goes_out(&mut self) {
        let Some(given) = self.given.take().filter(|given| self.may_be_recipient(&given.message)) else { return };
        let message = std::slice::from_ref(&given.message);
        if let Err(error) = self.store.lookup(|conn| note(conn, &self.fetched, &self.me, message)) {
            log::warn!("a message went out whose receipt stays queued: {error}");
        }
    }

    fn hears(&mut self, _: &str, event: Option<&str>) -> bool {
        self.all_found &= event.is_some();
        true
    }

    fn may_be_heard(&self, conn: &Connection) -> store::Result<bool> {
        self.is_member(conn)
    }

    fn hello(&self) -> String {
        event("connected", &json!({"space_id": self.space_id, "after_seq": self.after}))
    }

    fn heartbeat(&self) -> String {
        event("heartbeat", &json!({"server_time": Micros::now().micros()}))
    }
}

/// Returns the position in the `Last-Event-ID` of a client that reconnects.
fn resumed(space_id: &str, id: &str) -> Result<i64, ApiError> {
    let seq = id.split_once('.').filter(|(space, _)| *space == space_id).and_then(|(_, seq)| seq.parse::<i64>().ok());
    seq.filter(|seq| *seq >= 0).ok_or_else(|| bad("Last-Event-ID", "must be the id of an event of this space's stream"))
}

pub(super) fn open(app: &App, call: Call) -> Handled {
    let (query, me) = (&call.input.query, call.caller.principal_key());
    let named = query.text(&SPACE).filter(|id| !id.is_empty());
    // A client that reconnects sends the last event that it has seen, which is newer than the URL.
    let last =
        call.input.head.headers.contains_key(&LAST_EVENT_ID).then(|| call.input.header(&LAST_EVENT_ID).unwrap_or(""));
    let news = app.store.read(|conn| {
        let space_id = resolve_space(conn, &call.caller, named, SpaceRole::Viewer)?;
        let (newest, _) = reading::counts(conn, &space_id)?;
        let after = match last {
            Some(id) => resumed(&space_id, id)?,
            None => query.integer(&AFTER_SEQ).unwrap_or(newest),
        };
        // A position that does not exist yet comes from a database before a restore.
        let after = after.min(newest);
        let gap_to = find::first_of_the_newest(conn, &space_id, &me, after, REPLAYED_MESSAGES)?;
        Ok::<_, ApiError>(MessageFeed {
            space_id,
            caller: call.caller.clone(),
            me,
            after,
            gap_to,
            found: VecDeque::new(),
            all_found: false,
            given: None,
            store: Arc::clone(&app.store),
            recent: Arc::clone(&app.recent),
            fetched: Arc::clone(&app.fetched),
        })
    })?;
    let topic = streams::space(&news.space_id);
    Ok(app.streams.open(&call.caller, Action::EventsRead, topic, Box::new(news))?.into())
}
