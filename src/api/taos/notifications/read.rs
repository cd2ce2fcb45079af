//! Reading notifications: lists, counts and the wait for the next one, which holds no thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::header::{HeaderName, VARY};
use hyper::http::StatusCode;
use rusqlite::Connection;
use serde_json::json;

use super::fields::{AFTER, UNREAD_ONLY, WAIT, holder, show, topic};
use super::html;
use crate::access::{Action, Gate};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Step};
use crate::api::engine::dispatch::render;
use crate::api::engine::paging::Listing;
use crate::jobs::events::streams::Streams;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::input::Input;
use crate::rest::reply::{Decided, Reply};
use crate::rest::service::Outcome;
use crate::store::notifications::{self as rows, Inbox, Notification, NotificationSpan};
use crate::store::page::Page;
use crate::store::{self, Store};
use crate::time::Micros;

const HX_REQUEST: HeaderName = HeaderName::from_static("hx-request");
const VARIES: &str = "HX-Request";
/// The two orders. A cursor of one is not valid in the other.
const NEWEST_FIRST: &str = "notifications";
const OLDEST_FIRST: &str = "notifications-after";

fn wants_html(input: &Input) -> bool {
    input.header(&HX_REQUEST) == Some("true")
}

const HTML: &str = "text/html; charset=utf-8";

fn fragment(html: String) -> Reply {
    Reply::typed(StatusCode::OK, HTML, html)
}

pub(crate) fn get(app: &App, call: Call) -> Handled {
    let found = app.store.lookup(|conn| rows::get(conn, &holder(&call.caller), call.input.param(0)))?;
    Ok(Reply::ok(&show(&found.ok_or(codes::NOTIFICATION_NOT_FOUND)?)).decided(Decided::ByDatabase).into())
}

pub(crate) fn count(app: &App, call: Call) -> Handled {
    let (total, unread) = app.store.lookup(|conn| rows::counts(conn, &holder(&call.caller)))?;
    let reply = if wants_html(&call.input) {
        fragment(html::badge(unread))
    } else {
        Reply::ok(&json!({"unread": unread, "total": total}))
    };
    Ok(reply.with(VARY, VARIES).decided(Decided::ByDatabase).into())
}

/// Returns the place of the notification `after` in the order.
///
/// # Errors
/// `validation_error` (422) if `after` is not an id, or a `StoreError`.
pub(crate) fn place(conn: &Connection, after: &str) -> Result<i64, ApiError> {
    let is_id = after.len() == 36 && after.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    if !is_id {
        return Err(ApiError::field("after", "must be the id of a notification"));
    }
    Ok(rows::position(conn, after)?)
}

pub(crate) fn list(app: &App, call: Call) -> Handled {
    let query = &call.input.query;
    let wait = query.integer(&WAIT).and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
    let after = match query.text(&AFTER) {
        Some(id) => Some(app.store.lookup(|conn| place(conn, id))?),
        None => None,
    };
    let order = if after.is_some() || wait > 0 { OLDEST_FIRST } else { NEWEST_FIRST };
    let page = Listing::of(&call.input, order)?.page();
    let cursor = page.after.as_ref().map(|(seq, _)| seq.0);
    let holder = holder(&call.caller);
    let Some(until) = (wait > 0).then(|| Instant::now() + Duration::from_secs(wait)) else {
        let span = match (after, cursor) {
            (Some(seq), cursor) => NotificationSpan::After(cursor.unwrap_or(seq)),
            (None, cursor) => NotificationSpan::Before(cursor.unwrap_or(i64::MAX)),
        };
        let unread_only = query.flag(&UNREAD_ONLY).unwrap_or(false);
        let found = app.store.lookup(|conn| read(conn, &call.input, order, &page, &holder, span, unread_only))?;
        return Ok(reply(&call.input, found).decided(Decided::ByDatabase).into());
    };
    let from = match cursor.or(after) {
        Some(seq) => seq,
        None => app.store.lookup(rows::last)?,
    };
    let poll = Poll {
        store: Arc::clone(&app.store),
        gate: Arc::clone(&app.gate),
        streams: Arc::clone(&app.streams),
        topic: topic(&call.caller),
        call,
        holder,
        page,
        from,
        until,
    };
    Ok(Step::Later(poll.look()?))
}

/// Reads a page, as HTML or JSON, whichever the caller asks for.
fn read(
    conn: &Connection,
    input: &Input,
    order: &'static str,
    page: &Page,
    holder: &Inbox,
    span: NotificationSpan,
    unread_only: bool,
) -> store::Result<Listing> {
    let as_html = wants_html(input);
    let mut list = Listing::new(order, page.clone());
    if as_html {
        list = list.of_texts(HTML);
    }
    rows::list(conn, holder, span, unread_only, page.limit + 1, &mut |one: Notification| {
        let place = (Micros(one.seq), String::new());
        if as_html { list.push_text(place, &html::item(&one)) } else { list.push(place, &show(&one)) }
    })?;
    Ok(list)
}

fn reply(input: &Input, list: Listing) -> Reply {
    let reply = if list.is_empty() && wants_html(input) { fragment(html::NONE.to_owned()) } else { list.reply(input) };
    reply.with(VARY, VARIES)
}

/// A list that a caller waits for.
struct Poll {
    store: Arc<Store>,
    gate: Arc<Gate>,
    streams: Arc<Streams>,
    topic: String,
    call: Call,
    holder: Inbox,
    page: Page,
    from: i64,
    until: Instant,
}

impl Poll {
    /// Replies if there is a notification, the time is up or the daemon stops; otherwise waits.
    fn look(self) -> Result<Outcome, ApiError> {
        // The wait begins before the read, so that no commit in between is missed.
        let wait = self.streams.wait(&self.topic);
        let unread_only = self.call.input.query.flag(&UNREAD_ONLY).unwrap_or(false);
        let (input, span) = (&self.call.input, NotificationSpan::After(self.from));
        let found: store::Result<_> =
            self.store.lookup(|conn| read(conn, input, OLDEST_FIRST, &self.page, &self.holder, span, unread_only));
        let found = found?;
        if !found.is_empty() || Instant::now() >= self.until || self.streams.is_closing() {
            return Ok(Outcome::Done(reply(&self.call.input, found)));
        }
        let until = self.until;
        Ok(Outcome::Later { wait, until, again: Box::new(move || self.again()) })
    }

    /// Looks again, if the caller would still be admitted.
    fn again(mut self) -> Outcome {
        let (dialect, request_id) = (self.call.input.dialect, self.call.caller.request_id().to_owned());
        let looked = if self.gate.renew(&mut self.call.caller, &[Action::NotificationsRead]) {
            self.look()
        } else {
            Err(codes::INVALID_TOKEN.into())
        };
        looked.unwrap_or_else(|error| Outcome::Done(render(&error, dialect, &request_id)))
    }
}
