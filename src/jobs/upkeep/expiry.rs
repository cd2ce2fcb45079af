//! Warnings that a credential ends soon, as notifications to its owner (aX contract, section 2; DESIGN D17). One commit
//! stores the notification and marks it as given, so that neither a restart nor a crash repeats or loses it.

use rusqlite::Connection;

use crate::jobs::events::notifier::{self, Notifier};
use crate::secret::Kind;
use crate::store::expiry::{self, ExpiryNotice};
use crate::store::notifications::Level;
use crate::store::{self, Store};
use crate::time::Micros;

const PAGE: &str = "/docs/agents/concepts/authentication#expiry";

/// Warns owners of credentials through a notifier.
pub struct Expiry(pub Notifier);

impl Expiry {
    /// Sends the warnings that are due. It reads first, and writes nothing if there are none.
    pub fn warn(&self, store: &Store, now: Micros) {
        loop {
            match store.lookup(|conn| expiry::is_due(conn, now)) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return log::warn!("expiring credentials could not be read: {error}"),
            }
            match self.0.tell(move |conn| due(conn, now)) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => return log::warn!("warnings about expiring credentials could not be stored: {error}"),
            }
        }
    }
}

/// Marks the due warnings as given and returns them, each with the id of its user.
fn due(conn: &Connection, now: Micros) -> store::Result<Vec<(String, notifier::Notice)>> {
    let warning = |notice: ExpiryNotice| notifier::Notice {
        level: if notice.days > 1 { Level::Normal } else { Level::High },
        title: title(&notice),
        message: message(&notice),
        page: PAGE.into(),
        topic: None,
    };
    Ok(expiry::take(conn, now)?.into_iter().map(|notice| (notice.user_id.clone(), warning(notice))).collect())
}

fn title(notice: &ExpiryNotice) -> String {
    let what = match notice.kind {
        Kind::AgentToken | Kind::UserToken => "token",
        Kind::OauthGrant => "program's access",
        _ => "key",
    };
    let whose = notice.agent.as_deref().map_or_else(|| "A".to_owned(), |agent| format!("{agent}: a"));
    match notice.days {
        1 => format!("{whose} {what} expires within a day"),
        days => format!("{whose} {what} expires within {days} days"),
    }
}

fn message(notice: &ExpiryNotice) -> String {
    let label = if notice.label.is_empty() { String::new() } else { format!(" \"{}\"", notice.label) };
    let end = notice.expires_at.millis();
    let replace = match (notice.kind, &notice.agent) {
        (Kind::AgentToken, Some(agent)) => format!("Issue a new one: taosctl agents token issue {agent}"),
        (Kind::UserToken, _) => {
            "Have an admin issue a new one with taosctl users token issue, change over, and revoke this one".into()
        }
        (Kind::AgentKey, _) => "Make a new one, change over, and delete this one".into(),
        (Kind::OauthGrant, _) => {
            return format!(
                "The access of the program{label} is valid until {end}. The program must be used or be allowed again."
            );
        }
        _ => format!("Replace it: taosctl keys rotate {}", notice.credential_id),
    };
    format!("The credential {}{label} is valid until {end}. {replace}.", notice.credential_id)
}
