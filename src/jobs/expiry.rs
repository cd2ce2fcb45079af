//! Warnings that a credential ends soon, as notifications to its owner (aX contract, section 2; DESIGN D17). The
//! notification and the note that it was given are one commit: neither a restart nor a crash repeats or loses it.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::Connection;

use super::streams::{self, Streams};
use super::webhook::Webhook;
use crate::store::expiry::{self, Notice};
use crate::store::notifications::{self, NewNotification};
use crate::store::{self, Store, webhook};
use crate::time::Micros;

/// The sender of what the daemon itself has to tell. No credential's source is without a colon.
const SOURCE: &str = "taosd";
const PAGE: &str = "/docs/agents/concepts/authentication#expiry";

/// Whom to tell of a new notification beside the database.
pub struct Expiry {
    /// Event streams and waits.
    pub streams: Arc<Streams>,
    /// Deliveries to the webhook, if there is one.
    pub webhook: Option<Arc<Webhook>>,
}

impl Expiry {
    /// Sends the warnings that are due; looks first, and writes nothing where there are none.
    pub fn warn(&self, store: &Store, now: Micros) {
        loop {
            match store.lookup(|conn| expiry::is_due(conn, now)) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return log::warn!("looking for credentials that expire: {error}"),
            }
            let to_webhook = self.webhook.is_some();
            match store.write(move |conn| send(conn, to_webhook, now)) {
                Ok(users) if users.is_empty() => return,
                Ok(users) => self.wake(&users),
                Err(error) => return log::warn!("warning of credentials that expire: {error}"),
            }
        }
    }

    fn wake(&self, users: &BTreeSet<String>) {
        for user in users {
            self.streams.wake(&streams::notifications_of(user));
        }
        if let Some(webhook) = &self.webhook {
            webhook.nudge();
        }
    }
}

/// Stores the warnings; the users that were warned.
fn send(conn: &Connection, to_webhook: bool, now: Micros) -> store::Result<BTreeSet<String>> {
    let notices = expiry::take(conn, now)?;
    for notice in &notices {
        let id = store::new_id();
        let new = NewNotification {
            id: &id,
            user_id: &notice.user_id,
            agent_id: None,
            source: SOURCE,
            app_origin: None,
            level: if notice.days > 1 { "normal" } else { "high" },
            title: &title(notice),
            message: &message(notice),
            action_url: Some(PAGE),
            created_at: now,
        };
        notifications::insert(conn, &new)?;
        if to_webhook {
            webhook::queue(conn, &id, now)?;
        }
    }
    Ok(notices.into_iter().map(|notice| notice.user_id).collect())
}

fn title(notice: &Notice) -> String {
    let what = if notice.kind.ends_with("_token") { "token" } else { "key" };
    let whose = notice.agent.as_deref().map_or_else(|| "A".to_owned(), |agent| format!("{agent}: a"));
    match notice.days {
        1 => format!("{whose} {what} expires within a day"),
        days => format!("{whose} {what} expires within {days} days"),
    }
}

fn message(notice: &Notice) -> String {
    let label = if notice.label.is_empty() { String::new() } else { format!(" \"{}\"", notice.label) };
    let end = notice.expires_at.millis();
    let replace = match (notice.kind.as_str(), &notice.agent) {
        ("agent_token", Some(agent)) => format!("Issue a new one: taosctl agents token issue {agent}"),
        ("user_token", _) => "Issue a new one with taosctl users token issue, change over, and revoke this one".into(),
        ("agent_key", _) => "Make a new one, change over, and delete this one".into(),
        _ => format!("Replace it: taosctl keys rotate {}", notice.credential_id),
    };
    format!("The credential {}{label} is good until {end}. {replace}.", notice.credential_id)
}
