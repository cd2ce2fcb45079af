//! What the daemon itself has to tell people: notifications from `taosd`.

use std::sync::Arc;

use rusqlite::Connection;

use super::streams::Streams;
use super::webhook::Webhook;
use crate::config::Watched;
use crate::store::notifications::{self, NewNotification};
use crate::store::{self, Store, users, webhook as outbox};
use crate::time::Micros;

/// The source of these notifications; no credential can claim it.
const SOURCE: &str = "taosd";

/// What is told.
#[derive(Debug, Clone)]
pub struct Notice {
    /// low, normal or high.
    pub level: &'static str,
    /// One line.
    pub title: String,
    /// The text.
    pub message: String,
    /// The page that says what to do.
    pub page: &'static str,
}

/// Tells people. What is told is stored, streamed and sent to the webhook like every notification.
pub struct Herald {
    store: Arc<Store>,
    streams: Arc<Streams>,
    webhook: Arc<Webhook>,
    /// Whether the webhook has a receiver.
    to_webhook: Watched<bool>,
}

impl Herald {
    /// One that tells through these.
    pub fn new(store: Arc<Store>, streams: Arc<Streams>, webhook: Arc<Webhook>, to_webhook: Watched<bool>) -> Self {
        Self { store, streams, webhook, to_webhook }
    }

    /// Tells every enabled admin.
    ///
    /// # Errors
    /// The store's; nobody was told then.
    pub fn tell_admins(&self, notice: Notice) -> store::Result<()> {
        let to_webhook = self.to_webhook.now();
        let told = self.store.write(move |conn| {
            let admins = users::enabled_admins(conn)?;
            admins.iter().try_for_each(|user_id| insert(conn, user_id, &notice, to_webhook, Micros::now()))?;
            store::Result::Ok(admins)
        })?;
        self.wake(&told);
        Ok(())
    }

    /// Says that notifications for these users are on disk.
    fn wake(&self, user_ids: &[String]) {
        for user_id in user_ids {
            self.streams.wake(&topic(user_id));
        }
        self.webhook.nudge();
    }
}

/// What is woken when a user, or one of its agents, is told something.
pub fn topic(user_id: &str) -> String {
    format!("notifications:{user_id}")
}

fn insert(conn: &Connection, user_id: &str, notice: &Notice, to_webhook: bool, now: Micros) -> store::Result<()> {
    let id = store::new_id();
    notifications::insert(
        conn,
        &NewNotification {
            id: &id,
            user_id,
            agent_id: None,
            source: SOURCE,
            app_origin: None,
            level: notice.level,
            title: &notice.title,
            message: &notice.message,
            action_url: Some(notice.page),
            created_at: now,
        },
    )?;
    if to_webhook { outbox::queue(conn, &id, now) } else { Ok(()) }
}
