//! The fields of notifications, whose notifications a caller sees, and their record.

use serde_json::{Value, json};

use crate::access::Caller;
use crate::jobs::events::streams;
use crate::rest::field::Field;
use crate::store::notifications::{Inbox, Notification};
use crate::time::Micros;

pub(super) const UNREAD_ONLY: Field = Field::flag("unread_only", "Only unread notifications.");
pub(super) const AFTER: Field = Field::text("after", 36, "The id of a notification: only newer ones, oldest first.")
    .told(r#"{"pattern": "^[0-9a-f-]{36}$"}"#);
pub(super) const WAIT: Field =
    Field::integer("wait", 0, 30, "Seconds to hold the reply until one is newer than after (absent: than now).");

/// Returns the record of a notification.
pub fn show(notification: &Notification) -> Value {
    json!({
        "id": notification.id,
        "timestamp": notification.created_at.0 / Micros::SECOND,
        "created_at": notification.created_at.millis(),
        "level": notification.level,
        "title": notification.title,
        "message": notification.message,
        "read": notification.read,
        "source": notification.source,
        "agent_id": notification.agent_id,
        "app_origin": notification.app_origin,
        "action_url": notification.action_url,
    })
}

/// Returns the inbox that the caller sees.
pub fn holder(caller: &Caller) -> Inbox {
    match caller.agent_id() {
        Some(id) => Inbox::Agent(id.to_owned()),
        None => Inbox::User(caller.user().id.clone()),
    }
}

/// Returns the topic that is woken when the caller's user or the user's agents send a notification.
pub fn topic(caller: &Caller) -> String {
    streams::notifications_of(&caller.user().id)
}
