//! Notifications as Server-Sent Events.

use hyper::header::HeaderName;
use rusqlite::Connection;

use super::fields::{AFTER, holder, show, topic};
use super::read::place;
use crate::access::Action;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::jobs::events::feed::Feed;
use crate::store;
use crate::store::notifications::{self as rows, Inbox, NotificationSpan};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The notifications that a holder has not received yet.
struct NotificationFeed {
    holder: Inbox,
    from: i64,
}

impl Feed for NotificationFeed {
    fn next(&mut self, conn: &Connection) -> store::Result<Option<String>> {
        let mut found = None;
        rows::list(conn, &self.holder, NotificationSpan::After(self.from), false, 1, &mut |one| {
            self.from = one.seq;
            // JSON has no line break of its own, so the record is one line of data.
            found = Some(format!("id: {}\nevent: notification\ndata: {}\n\n", one.id, show(&one)));
            false
        })?;
        Ok(found)
    }
}

pub(crate) fn open(app: &App, call: Call) -> Handled {
    // A client that reconnects names the last event that it has seen, which is newer than its URL says.
    let after = call.input.header(&LAST_EVENT_ID).or_else(|| call.input.query.text(&AFTER));
    let from = match after {
        Some(id) => app.store.lookup(|conn| place(conn, id))?,
        None => app.store.lookup(rows::last)?,
    };
    let news = NotificationFeed { holder: holder(&call.caller), from };
    let reply = app.streams.open(&call.caller, Action::NotificationsRead, topic(&call.caller), Box::new(news))?;
    Ok(reply.into())
}
