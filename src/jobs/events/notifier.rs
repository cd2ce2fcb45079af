//! Notifications from the daemon itself; their source is `taosd`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;

use super::streams::{Streams, notifications_of};
use super::webhook::WebhookSender;
use crate::config::Watched;
use crate::store::notifications::{self, Level, NewNotification, Notification};
use crate::store::{self, Store, users, webhook as outbox};
use crate::time::Micros;

/// The source of these notifications; no credential can claim it.
const SOURCE: &str = "taosd";

/// The content of a notification from the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Notice {
    /// How urgent it is.
    pub level: Level,
    /// The title, one line.
    pub title: String,
    /// The text.
    pub message: String,
    /// The path of the page that says what to do, or shows what happened.
    pub page: Cow<'static, str>,
    /// The subject in one word, if there is one.
    pub topic: Option<&'static str>,
}

/// Sends notifications from the daemon. They are stored, streamed and sent to the webhook like all others.
pub struct Notifier {
    store: Arc<Store>,
    streams: Arc<Streams>,
    webhook: Arc<WebhookSender>,
    /// True if the webhook has a receiver.
    to_webhook: Watched<bool>,
}

impl Notifier {
    /// A notifier that uses these parts.
    pub fn new(
        store: Arc<Store>,
        streams: Arc<Streams>,
        webhook: Arc<WebhookSender>,
        to_webhook: Watched<bool>,
    ) -> Self {
        Self { store, streams, webhook, to_webhook }
    }

    /// Notifies every enabled admin.
    ///
    /// # Errors
    /// Any `StoreError`; then nobody was notified.
    pub fn tell_admins(&self, notice: Notice) -> store::Result<()> {
        self.tell(move |conn| {
            let admins = users::enabled_admins(conn)?;
            Ok(admins.into_iter().map(|user_id| (user_id, notice.clone())).collect())
        })?;
        Ok(())
    }

    /// Notifies the admins of a fault of the database itself. If nothing can be written, only the webhook gets the
    /// notice, if one is set. True if anybody was notified.
    pub fn alert(&self, notice: Notice) -> bool {
        if self.tell_admins(notice.clone()).is_ok() {
            return true;
        }
        let now = self.to_webhook.now();
        if now {
            self.webhook.urge(unwritten(notice));
        }
        now
    }

    /// Stores the notices that `choose` returns, each for its user, in one transaction; `choose` may write as well.
    /// Returns the number of notices.
    ///
    /// # Errors
    /// Any `StoreError`; then nobody was notified and nothing was written.
    pub fn tell(
        &self,
        choose: impl FnOnce(&Connection) -> store::Result<Vec<(String, Notice)>> + Send + 'static,
    ) -> store::Result<usize> {
        let to_webhook = self.to_webhook.now();
        let told = self.store.write(move |conn| {
            let notices = choose(conn)?;
            for (user_id, notice, at) in dated(&notices, Micros::now()) {
                write(conn, user_id, notice, to_webhook, at)?;
            }
            store::Result::Ok(notices)
        })?;
        let users: Vec<String> = told.into_iter().map(|(user_id, _)| user_id).collect();
        self.told(&users);
        Ok(users.len())
    }

    /// True if stored notices are queued for the webhook as well; call it before the transaction.
    pub fn reaches_webhook(&self) -> bool {
        self.to_webhook.now()
    }

    /// Announces that notices for these users are on disk.
    pub fn told(&self, users: &[String]) {
        for user_id in users {
            self.streams.wake(&notifications_of(user_id));
        }
        if !users.is_empty() {
            self.webhook.nudge();
        }
    }
}

/// Gives each notice its time: the same to all users of the same notice, because a channel of all admins gets what has
/// one time and title once; another one to each other notice.
pub fn dated(notices: &[(String, Notice)], now: Micros) -> impl Iterator<Item = (&str, &Notice, Micros)> {
    let mut seen: HashMap<&Notice, i64> = HashMap::new();
    notices.iter().map(move |(user_id, notice)| {
        let nth = seen.len() as i64;
        (user_id.as_str(), notice, now.plus(*seen.entry(notice).or_insert(nth)))
    })
}

/// A notification that is in no table.
fn unwritten(notice: Notice) -> Notification {
    Notification {
        seq: 0,
        id: store::new_id(),
        agent_id: None,
        source: SOURCE.into(),
        app_origin: notice.topic.map(str::to_owned),
        level: notice.level,
        title: notice.title,
        message: notice.message,
        action_url: Some(notice.page.into_owned()),
        read: false,
        created_at: Micros::now(),
    }
}

/// Stores a notice for a user in the caller's transaction. Call [`Notifier::told`] after the commit.
///
/// # Errors
/// Any `StoreError`.
pub fn write(conn: &Connection, user_id: &str, notice: &Notice, to_webhook: bool, now: Micros) -> store::Result<()> {
    let id = store::new_id();
    notifications::insert(
        conn,
        &NewNotification {
            id: &id,
            user_id,
            agent_id: None,
            source: SOURCE,
            app_origin: notice.topic,
            level: notice.level,
            title: &notice.title,
            message: &notice.message,
            action_url: Some(&notice.page),
            created_at: now,
        },
    )?;
    if to_webhook { outbox::queue(conn, &id, now) } else { Ok(()) }
}
