//! Changes as Server-Sent Events: requests, operations, agents and notifications, each with its current record. The
//! console uses this stream. An event's id, `CHANGE.NOTIFICATION`, says how far the client is in both orders.

use std::collections::VecDeque;
use std::str::FromStr;

use hyper::header::HeaderName;
use hyper::http::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::agents::record;
use super::{notifications, operations};
use crate::access::{self, Action, Caller};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::requests;
use crate::jobs::events::feed::{Feed, event};
use crate::jobs::events::streams;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::route::Answer;
use crate::store::changes::{self, Change, Changed};
use crate::store::notifications::{self as rows, Inbox, NotificationSpan};
use crate::store::{self, StoreError, agents};
use crate::time::Micros;

const DOC: &str = "recipes/deciding-requests#follow";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The most changes that one read returns.
const BATCH: u64 = 64;
/// The types of event, and the action that a credential needs for each.
const TYPES: &[(&str, Action)] = &[
    ("request", Action::RequestsRead),
    ("operation", Action::OperationsRead),
    ("agent", Action::AgentsRead),
    ("notification", Action::NotificationsRead),
];

const WANTED: Field = Field::text(
    "types",
    64,
    "The events to follow, separated by commas: request,operation,agent,notification; all if absent.",
)
.told(r#"{"pattern": "^(request|operation|agent|notification)(,(request|operation|agent|notification))*$"}"#);

/// The routes for the stream of changes.
pub const ROUTES: &[ApiRoute] = &[ApiRoute::checked(Method::GET, "/api/events", Taos, Action::EventsRead, open)
    .described(
        "events",
        "Follow what changes",
        "Server-Sent Events named request, operation, agent and notification, each with the current record. Only \
            records that the caller may read. With the header Last-Event-ID the stream continues after that event; the \
            daemon keeps the last 10000 changes.",
        DOC,
    )
    .asking(&[WANTED])
    .answering(200, Answer::Other(&["text/event-stream"]))
    .failing(&[codes::TOO_MANY_STREAMS])];

/// The events that a caller has not received yet.
struct EventFeed {
    caller: Caller,
    inbox: Inbox,
    types: Vec<&'static str>,
    /// The place in the order of changes; `notification` is that in the order of notifications.
    change: i64,
    notification: i64,
    found: VecDeque<Change>,
}

impl EventFeed {
    fn follows(&self, name: &str) -> bool {
        let may = |action: &Action| self.caller.scopes().allow(*action);
        self.types.contains(&name) && TYPES.iter().any(|(known, action)| *known == name && may(action))
    }

    /// Reads the caller's rights again, because a stream may outlast a role. A caller whose credential is no longer
    /// valid gets no more events; its stream ends a little later.
    fn look_again(&mut self, conn: &Connection) -> store::Result<()> {
        match access::found_again(conn, &self.caller)? {
            Some(now) => self.caller = now,
            None => self.types.clear(),
        }
        Ok(())
    }

    /// Returns the id of the event that the client gets now.
    fn id(&self) -> String {
        format!("{}.{}", self.change, self.notification)
    }

    fn next_change(&mut self, conn: &Connection) -> store::Result<Option<String>> {
        loop {
            if self.found.is_empty() {
                self.found = changes::after(conn, self.change, BATCH)?.into();
            }
            let Some(change) = self.found.pop_front() else { return Ok(None) };
            self.change = change.seq;
            if !self.follows(change.kind.slug()) {
                continue;
            }
            if let Some(value) = self.shown(conn, &change)? {
                return Ok(Some(format!("id: {}\n{}", self.id(), event(change.kind.slug(), &value))));
            }
        }
    }

    /// Returns the record, if the caller may see it.
    fn shown(&self, conn: &Connection, change: &Change) -> store::Result<Option<Value>> {
        let found = match change.kind {
            Changed::Request => requests::find(conn, &self.caller, &change.id, Micros::now())
                .and_then(|request| Ok(requests::show(conn, &request, &self.caller, Micros::now())?)),
            Changed::Operation => {
                operations::find(conn, &self.caller, &change.id).map(|operation| operations::show(&operation))
            }
            Changed::Agent => agent(conn, &self.caller, &change.id),
        };
        match found {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.code.status < 500 => Ok(None),
            Err(error) => Err(StoreError::Other(error.to_string())),
        }
    }

    fn next_notification(&mut self, conn: &Connection) -> store::Result<Option<String>> {
        let mut found = None;
        rows::list(conn, &self.inbox, NotificationSpan::After(self.notification), false, 1, &mut |one| {
            found = Some(one);
            false
        })?;
        Ok(found.map(|one| {
            self.notification = one.seq;
            format!("id: {}\n{}", self.id(), event("notification", &notifications::show(&one)))
        }))
    }
}

/// Returns an agent's record; of an archived one only id, name and status.
fn agent(conn: &Connection, caller: &Caller, id: &str) -> Result<Value, ApiError> {
    if let Some(live) = agents::by_id(conn, id)? {
        access::role_on(conn, caller, id)?.ok_or(codes::AGENT_NOT_FOUND)?;
        return Ok(json!(record::show(&live)));
    }
    let gone = agents::archived(conn, id)?.filter(|gone| caller.may_touch(&gone.id)).ok_or(codes::AGENT_NOT_FOUND)?;
    if !caller.is_admin() && (gone.owner_user_id != caller.user().id || caller.agent_id().is_some()) {
        return Err(codes::AGENT_NOT_FOUND.into());
    }
    Ok(json!({"id": gone.id, "name": gone.slug, "status": "archived"}))
}

impl Feed for EventFeed {
    fn next(&mut self, conn: &Connection) -> store::Result<Option<String>> {
        self.look_again(conn)?;
        if let Some(text) = self.next_change(conn)? {
            return Ok(Some(text));
        }
        if self.follows("notification") { self.next_notification(conn) } else { Ok(None) }
    }
}

/// Returns the types of event that the query asks for and the caller may read.
fn types(call: &Call) -> Result<Vec<&'static str>, ApiError> {
    let named: Option<Vec<&str>> = call.input.query.text(&WANTED).map(|text| text.split(',').collect());
    let known = |name: &&str| TYPES.iter().any(|(known, _)| known == name);
    if named.as_ref().is_some_and(|named| !named.iter().all(known)) {
        return Err(ApiError::field("types", "must be request, operation, agent or notification, with commas"));
    }
    let wanted = |name: &str| named.as_ref().is_none_or(|named| named.contains(&name));
    let may = |action: &Action| call.caller.scopes().allow(*action);
    Ok(TYPES.iter().filter(|(name, action)| wanted(name) && may(action)).map(|(name, _)| *name).collect())
}

/// Parses an event's id into its two places.
fn places(id: &str) -> Option<(i64, i64)> {
    let (change, notification) = id.split_once('.')?;
    let place = |text: &str| i64::from_str(text).ok().filter(|place| *place >= 0);
    Some((place(change)?, place(notification)?))
}

fn open(app: &App, call: Call) -> Handled {
    let types = types(&call)?;
    let last = call.input.head.headers.contains_key(&LAST_EVENT_ID);
    let last = last.then(|| places(call.input.header(&LAST_EVENT_ID).unwrap_or("")));
    let (newest, newest_told) =
        app.store.read(|conn| Ok::<_, StoreError>((changes::last(conn)?, rows::last(conn)?)))?;
    let (change, notification) = match last {
        None => (newest, newest_told),
        Some(None) => return Err(ApiError::field("Last-Event-ID", "must be the id of an event of this stream")),
        // A place that does not exist yet is from the time before an older database was restored.
        Some(Some((change, notification))) => (change.min(newest), notification.min(newest_told)),
    };
    let inbox = notifications::holder(&call.caller);
    let news = EventFeed { caller: call.caller.clone(), inbox, types, change, notification, found: VecDeque::new() };
    Ok(app.streams.open(&call.caller, Action::EventsRead, streams::CHANGES.to_owned(), Box::new(news))?.into())
}
