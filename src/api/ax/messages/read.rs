//! Reading messages: lists, single ones, replies, receipts, search. A message that a recipient gets counts as fetched.
//! That is recorded in memory, so a read writes nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::channel;
use super::fields::{
    ADDRESSED, AFTER, AFTER_ID, AFTER_SEQ, BEFORE_SEQ, CHANNEL, LIMIT, MARK_READ, QUERY, SPACE, UNREAD_ONLY, WAIT,
};
use super::send::SendTools;
use super::show::{self, owns_space, parts, show, visible};
use crate::access::{self, Action, Gate, SpaceRole, resolve_space};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Step};
use crate::api::engine::dispatch::render;
use crate::api::engine::paging;
use crate::jobs::events::fetched::Fetched;
use crate::jobs::events::listening::Ear;
use crate::jobs::events::streams;
use crate::limits::PAGE_DEFAULT;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::rest::stream;
use crate::store::messages::find::{self, MessageFilter, MessagePage, MessageSpan};
use crate::store::messages::receipts::{self, ReceiptState};
use crate::store::messages::{Message, reading, search as found_words};
use crate::store::{self, Store, spaces};
use crate::time::Micros;

/// Records as fetched those of these messages that are queued for this reader.
pub(super) fn note(conn: &Connection, fetched: &Fetched, me: &str, messages: &[Message]) -> store::Result<()> {
    for message in messages.iter().filter(|message| message.author != me) {
        if receipts::is_queued(conn, message.place, me)? {
            fetched.note(message.place, me);
        }
    }
    Ok(())
}

pub(super) fn get(app: &App, call: Call) -> Handled {
    let shown = app.store.read(|conn| {
        let message = visible(conn, &call.caller, call.input.param(0))?;
        note(conn, &app.fetched, &call.caller.principal_key(), std::slice::from_ref(&message))?;
        Ok::<_, ApiError>(show(&message))
    })?;
    Ok(Reply::ok(&shown).into())
}

/// The maximum replies that are shown with their message.
const REPLIES: u64 = 50;

pub(super) fn thread(app: &App, call: Call) -> Handled {
    let me = call.caller.principal_key();
    let reply = app.store.read(|conn| {
        let message = visible(conn, &call.caller, call.input.param(0))?;
        let found = find::replies(conn, &message.id, &me, message.place, REPLIES, paging::bytes_for(&call.input))?;
        note(conn, &app.fetched, &me, std::slice::from_ref(&message))?;
        note(conn, &app.fetched, &me, &found.messages)?;
        let replies: Vec<Value> = found.messages.iter().map(show).collect();
        Ok::<_, ApiError>(json!({"message": show(&message), "replies": replies, "more": found.more}))
    })?;
    Ok(Reply::ok(&reply).into())
}

pub(super) fn replies(app: &App, call: Call) -> Handled {
    let (query, me) = (&call.input.query, call.caller.principal_key());
    let limit = query.integer(&LIMIT).and_then(|n| u64::try_from(n).ok()).unwrap_or(PAGE_DEFAULT);
    let reply = app.store.read(|conn| {
        let parent = visible(conn, &call.caller, call.input.param(0))?;
        let after = match query.text(&AFTER).filter(|id| !id.is_empty()) {
            Some(id) => visible(conn, &call.caller, id)?.place,
            None => parent.place,
        };
        let found = find::replies(conn, &parent.id, &me, after, limit, paging::bytes_for(&call.input))?;
        note(conn, &app.fetched, &me, &found.messages)?;
        let messages: Vec<Value> = found.messages.iter().map(show).collect();
        Ok::<_, ApiError>(json!({"count": messages.len(), "messages": messages, "more": found.more}))
    })?;
    Ok(Reply::ok(&reply).into())
}

pub(super) fn receipts_of(app: &App, call: Call) -> Handled {
    let reply = app.store.read(|conn| {
        let message = visible(conn, &call.caller, call.input.param(0))?;
        if message.author != call.caller.principal_key() && !owns_space(conn, &call.caller, &message)? {
            return Err(ApiError::new(codes::FORBIDDEN)
                .detail("Only the message's author and owners of the space can read the receipts."));
        }
        let mut all = Vec::new();
        for receipt in receipts::of(conn, message.place)? {
            let (kind, id) = parts(&receipt.principal);
            let mut state = app.fetched.state(message.place, &receipt.principal, receipt.state);
            let mut at = receipt.at;
            if state < ReceiptState::Read {
                // Marking all as read writes one row, not one receipt per message.
                let reader = reading::reader(conn, &message.space_id, &receipt.principal)?;
                if reader.read.contains(message.seq) {
                    (state, at) = (ReceiptState::Read, reader.all_read_at.unwrap_or(at).max(at));
                }
            }
            let listens = app.streams.listening.is(&receipt.principal, &streams::space(&message.space_id));
            let listening = show::listening(conn, &receipt.principal, listens)?;
            all.push(json!({
                "id": id,
                "name": receipt.name,
                "type": kind,
                "state": state,
                "at": at.micros(),
                "listening": listening,
            }));
        }
        Ok(json!({"receipts": all}))
    })?;
    Ok(Reply::ok(&reply).into())
}

pub(super) fn search(app: &App, call: Call) -> Handled {
    let (body, me) = (&call.input.body, call.caller.principal_key());
    let limit = body.integer(&LIMIT).and_then(|n| u64::try_from(n).ok()).unwrap_or(20);
    let results = app.store.read(|conn| {
        let spaces = match body.text(&SPACE).filter(|id| !id.is_empty()) {
            Some(id) => {
                access::require_space(conn, &call.caller, id, SpaceRole::Viewer)?;
                vec![id.to_owned()]
            }
            None => {
                let mut own = Vec::new();
                for space in spaces::all_of(conn, &call.caller.grantee(), Micros::now())? {
                    if access::space_role_on(conn, &call.caller, &space.id, Micros::now())?.is_some() {
                        own.push(space.id);
                    }
                }
                own
            }
        };
        let found =
            found_words(conn, body.text(&QUERY).unwrap_or(""), &spaces, &me, limit, paging::bytes_for(&call.input))?;
        note(conn, &app.fetched, &me, &found)?;
        Ok::<_, ApiError>(found.iter().map(show).collect::<Vec<Value>>())
    })?;
    Ok(Reply::ok(&json!({"count": results.len(), "results": results})).into())
}

pub(super) fn list(app: &App, call: Call) -> Handled {
    let query = &call.input.query;
    let wait = query.integer(&WAIT).and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
    let named = query.text(&SPACE).filter(|id| !id.is_empty());
    let (space_id, span) = app.store.read(|conn| {
        let after = match query.text(&AFTER_ID).filter(|id| !id.is_empty()) {
            Some(id) => Some(visible(conn, &call.caller, id)?),
            None => None,
        };
        let of_message = after.as_ref().map(|message| message.space_id.as_str());
        let space_id = resolve_space(conn, &call.caller, named.or(of_message), SpaceRole::Viewer)?;
        if of_message.is_some_and(|own| own != space_id) {
            return Err(codes::MESSAGE_NOT_FOUND.into());
        }
        let after_seq = after.map(|message| message.seq).or(query.integer(&AFTER_SEQ));
        let span = match (after_seq, query.integer(&BEFORE_SEQ)) {
            (Some(_), Some(_)) => return Err(super::fields::bad("before_seq", "cannot stand beside after_seq")),
            (Some(seq), None) => MessageSpan::After(seq),
            (None, Some(seq)) => MessageSpan::Before(seq),
            // Without a position, a caller waits for later messages, or for unread ones.
            (None, None) if wait > 0 && !query.flag(&UNREAD_ONLY).unwrap_or(false) => {
                MessageSpan::After(reading::counts(conn, &space_id)?.0)
            }
            (None, None) => MessageSpan::Before(i64::MAX),
        };
        Ok((space_id, span))
    })?;
    let topic = streams::space(&space_id);
    let me = call.caller.principal_key();
    let ear = (wait > 0).then(|| app.streams.listening.start(&me, &topic));
    let listing = MessageListing {
        store: Arc::clone(&app.store),
        gate: Arc::clone(&app.gate),
        tools: SendTools::of(app),
        topic,
        me,
        space_id,
        span,
        marks: query.flag(&MARK_READ).unwrap_or(false),
        until: Instant::now() + Duration::from_secs(wait),
        _ear: ear,
        call,
    };
    Ok(Step::Later(listing.look()?))
}

/// A list of messages whose request may wait.
struct MessageListing {
    store: Arc<Store>,
    gate: Arc<Gate>,
    tools: SendTools,
    topic: String,
    me: String,
    space_id: String,
    span: MessageSpan,
    marks: bool,
    until: Instant,
    call: Call,
    _ear: Option<Ear>,
}

impl MessageListing {
    /// Replies if there are messages or the time is up; otherwise waits.
    fn look(self) -> Result<Outcome, ApiError> {
        // The wait begins before the read, so that no commit in between is missed.
        let wait = self.tools.streams.wait(&self.topic);
        let (found, shown) = self.store.read(|conn| {
            access::require_space(conn, &self.call.caller, &self.space_id, SpaceRole::Viewer)?;
            let found = self.find(conn)?;
            let shown = self.shown(conn, &found, 0)?;
            Ok::<_, ApiError>((found, shown))
        })?;
        if found.messages.is_empty() && Instant::now() < self.until && !self.tools.streams.is_closing() {
            let until = self.until;
            return Ok(Outcome::Later { wait, until, again: Box::new(move || self.again()) });
        }
        if self.marks && !found.messages.is_empty() {
            return Ok(self.marked());
        }
        Ok(Outcome::Done(Reply::ok(&shown)))
    }

    /// Reads again, if the caller would still be admitted.
    fn again(mut self) -> Outcome {
        let (dialect, request_id) = (self.call.input.dialect, self.call.caller.request_id().to_owned());
        let looked = if self.gate.renew(&mut self.call.caller, &[Action::MessagesList]) {
            self.look()
        } else {
            Err(codes::INVALID_TOKEN.into())
        };
        looked.unwrap_or_else(|error| Outcome::Done(render(&error, dialect, &request_id)))
    }

    fn find(&self, conn: &Connection) -> store::Result<MessagePage> {
        let query = &self.call.input.query;
        let reader = match query.flag(&UNREAD_ONLY) {
            Some(true) => Some(reading::reader(conn, &self.space_id, &self.me)?),
            _ => None,
        };
        let channel = match query.text(&CHANNEL).filter(|text| !text.is_empty()) {
            Some(channel) => Some(channel::as_stored(conn, &self.call.caller, &self.space_id, channel)?),
            None => None,
        };
        let wanted = MessageFilter {
            space_id: &self.space_id,
            reader: &self.me,
            channel: channel.as_deref(),
            addressed: query.flag(&ADDRESSED).unwrap_or(false),
            unread: reader.as_ref().map(|reader| &reader.read),
            limit: query.integer(&LIMIT).and_then(|n| u64::try_from(n).ok()).unwrap_or(PAGE_DEFAULT),
            max_bytes: paging::bytes_for(&self.call.input),
        };
        let found = find::list(conn, &wanted, self.span)?;
        note(conn, &self.tools.fetched, &self.me, &found.messages)?;
        Ok(found)
    }

    fn shown(&self, conn: &Connection, found: &MessagePage, marked: u64) -> store::Result<Value> {
        let reader = reading::reader(conn, &self.space_id, &self.me)?;
        let messages: Vec<Value> = found.messages.iter().map(show).collect();
        Ok(json!({
            "count": messages.len(),
            "messages": messages,
            "unread_count": reader.unread(conn, &self.space_id)?,
            "marked_read_count": marked,
            "more": found.more,
            "last_seq": reading::counts(conn, &self.space_id)?.0,
        }))
    }

    /// Lists the messages in the transaction that marks them as read.
    fn marked(self) -> Outcome {
        let (fulfiller, promise) = stream::promise();
        let (dialect, request_id) = (self.call.input.dialect, self.call.caller.request_id().to_owned());
        let store = Arc::clone(&self.store);
        let work = move |conn: &Connection| -> Result<Value, ApiError> {
            let caller = access::require_still_good(conn, &self.call.caller, Action::MessagesList, Dialect::Ax)?;
            access::require_space(conn, &caller, &self.space_id, SpaceRole::Viewer)?;
            let before = conn.total_changes();
            let found = self.find(conn)?;
            let whole = self.whole(&found.messages);
            let marked = reading::mark(conn, &self.space_id, &self.me, &found.messages, whole, Micros::now())?;
            self.call.charge(conn.total_changes() - before, 0);
            Ok(self.shown(conn, &found, marked)?)
        };
        store.submit(work, move |result| {
            fulfiller.keep(Outcome::Done(match result {
                Ok(shown) => Reply::ok(&shown),
                Err(error) => render(&error, dialect, &request_id),
            }));
        });
        Outcome::Pending(promise)
    }

    /// Returns the range of positions in which the caller can read no other messages than these.
    fn whole(&self, messages: &[Message]) -> Option<(i64, i64)> {
        let query = &self.call.input.query;
        let narrowed = query.text(&CHANNEL).is_some_and(|text| !text.is_empty())
            || [&UNREAD_ONLY, &ADDRESSED].iter().any(|&field| query.flag(field) == Some(true));
        if narrowed {
            return None;
        }
        let seqs = || messages.iter().map(|message| message.seq);
        let (lowest, highest) = (seqs().min()?, seqs().max()?);
        match self.span {
            MessageSpan::After(seq) => Some((seq.saturating_add(1).max(1), highest)),
            MessageSpan::Before(_) => Some((lowest, highest)),
        }
    }
}
