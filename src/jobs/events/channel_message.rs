//! The request to each kind of channel about a notification: title, text and link, never a secret.

use std::time::Instant;

use serde_json::{Value, json};

use super::webhook::signature;
use crate::client::endpoint::Endpoint;
use crate::client::http::ClientRequest;
use crate::secret::redacted;
use crate::store::channels::ChannelKind;
use crate::store::notifications::{Level, Notification};
use crate::time::Micros;

/// The most characters of a text that are sent; receivers accept some thousand bytes.
const TEXT: usize = 3000;
/// The most bytes of a reply that are read.
const ANSWER_BYTES: usize = 64 * 1024;
/// The label of a button.
const OPEN: &str = "Open";

/// A notification to be sent to a channel.
pub struct ChannelMessage<'a> {
    /// The notification.
    pub record: &'a Notification,
    /// The notification in the form of the API.
    pub shown: &'a Value,
    /// The URL at which people reach the box, if it is known.
    pub public_url: Option<&'a str>,
}

impl ChannelMessage<'_> {
    fn title(&self) -> String {
        redacted(&self.record.title).into_owned()
    }

    /// The text, followed by the path if there is no link to follow.
    fn text(&self) -> String {
        let text: String = redacted(&self.record.message).chars().take(TEXT).collect();
        match (&self.record.action_url, self.link()) {
            (Some(path), None) => format!("{text}\n\n{path}"),
            _ => text,
        }
    }

    /// The link as a whole URL.
    fn link(&self) -> Option<String> {
        let to = self.record.action_url.as_deref()?;
        if to.starts_with('/') {
            return Some(format!("{}{to}", self.public_url?.trim_end_matches('/')));
        }
        Some(to.to_owned())
    }

    /// Returns the request that delivers the notification.
    ///
    /// # Errors
    /// The part that the channel's URL lacks, as a text for the channel's owner.
    pub fn request(&self, kind: ChannelKind, to: &Endpoint, deadline: Instant) -> Result<ClientRequest, String> {
        let (path, body) = match kind {
            ChannelKind::Webhook => (to.path.clone(), self.shown.clone()),
            ChannelKind::Ntfy => self.ntfy(&to.path)?,
            ChannelKind::Gotify => (format!("{}/message", folder(&to.path)), self.gotify()),
            ChannelKind::Telegram => self.telegram(to)?,
        };
        let body = body.to_string();
        let mut request = ClientRequest::new("POST", path, deadline)
            .with_header("user-agent", concat!("taosd/", env!("CARGO_PKG_VERSION")))
            .with_max_response(ANSWER_BYTES);
        let secret = to.secret.reveal();
        request = match kind {
            ChannelKind::Webhook => request
                .with_header("x-taos-event", "notification")
                .with_header("x-taos-delivery", self.record.id.clone())
                .with_header("x-taos-signature", signature(to, Micros::now().0 / Micros::SECOND, &body)),
            ChannelKind::Ntfy if !secret.is_empty() => request.with_header("authorization", format!("Bearer {secret}")),
            ChannelKind::Gotify => request.with_header("x-gotify-key", secret),
            ChannelKind::Ntfy | ChannelKind::Telegram => request,
        };
        Ok(request.with_body("application/json", body))
    }

    /// The request for ntfy: JSON to the server's root, because a header cannot carry every title.
    fn ntfy(&self, path: &str) -> Result<(String, Value), String> {
        let plain = folder(path);
        let (root, topic) = plain.rsplit_once('/').unwrap_or(("", plain));
        if topic.is_empty() {
            return Err("the url of an ntfy channel ends with its topic".to_owned());
        }
        let priority = match self.record.level {
            Level::Low => 2,
            Level::Normal => 3,
            Level::High => 5,
        };
        let mut body = json!({"topic": topic, "title": self.title(), "message": self.text(), "priority": priority});
        if let Some(link) = self.link() {
            body["click"] = json!(link);
            body["actions"] = json!([{"action": "view", "label": OPEN, "url": link}]);
        }
        Ok((format!("{root}/"), body))
    }

    fn gotify(&self) -> Value {
        let priority = match self.record.level {
            Level::Low => 2,
            Level::Normal => 5,
            Level::High => 8,
        };
        let mut body = json!({"title": self.title(), "message": self.text(), "priority": priority});
        if let Some(link) = self.link() {
            body["extras"] = json!({"client::notification": {"click": {"url": link}}});
        }
        body
    }

    fn telegram(&self, to: &Endpoint) -> Result<(String, Value), String> {
        let query = to.path.split_once('?').map_or("", |(_, query)| query);
        let chat = query.split('&').find_map(|pair| pair.strip_prefix("chat_id=")).filter(|chat| !chat.is_empty());
        let chat = chat.ok_or("the url of a telegram channel names its chat: https://api.telegram.org/?chat_id=ID")?;
        let mut body = json!({"chat_id": chat, "text": format!("{}\n\n{}", self.title(), self.text())});
        if let Some(link) = self.link() {
            body["reply_markup"] = json!({"inline_keyboard": [[{"text": OPEN, "url": link}]]});
        }
        body["disable_notification"] = json!(self.record.level == Level::Low);
        Ok((format!("{}/bot{}/sendMessage", folder(&to.path), to.secret.reveal()), body))
    }
}

/// A path without its query and without slashes at its end.
fn folder(path: &str) -> &str {
    path.split('?').next().unwrap_or("").trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Plaintext, UserToken};

    fn record(level: Level) -> Notification {
        Notification {
            seq: 1,
            id: "n1".into(),
            agent_id: None,
            source: "taosd".into(),
            app_origin: None,
            level,
            title: "Größer".into(),
            message: format!("look: {}", UserToken::generate().plaintext.reveal()),
            action_url: Some("/ui/requests/7".into()),
            read: false,
            created_at: Micros(0),
        }
    }

    #[test]
    fn each_kind_gets_title_text_and_link_and_no_secret() {
        let (record, shown) = (record(Level::High), json!({"id": "n1"}));
        for (kind, url, path) in [
            (ChannelKind::Ntfy, "https://ntfy.sh/my-topic", "/"),
            (ChannelKind::Ntfy, "https://a/sub/topic", "/sub/"),
            (ChannelKind::Gotify, "https://a/gotify/", "/gotify/message"),
            (ChannelKind::Telegram, "https://api.telegram.org/?chat_id=-42", "/bot1:abc/sendMessage"),
        ] {
            let to = Endpoint::parse(url, Plaintext::new("1:abc".into())).unwrap();
            let message = ChannelMessage { record: &record, shown: &shown, public_url: Some("https://box.example") };
            let request = message.request(kind, &to, Instant::now()).unwrap();
            assert_eq!(request.path(), path, "{url}");
            let body = String::from_utf8(request.body().to_vec()).unwrap();
            assert!(body.contains("Größer") && body.contains("https://box.example/ui/requests/7"), "{body}");
            assert!(!body.contains("taos_user_"), "{body}");
            // Without a public URL the message has the path, but no link.
            let message = ChannelMessage { public_url: None, ..message };
            let request = message.request(kind, &to, Instant::now()).unwrap();
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            assert!(body.to_string().contains("/ui/requests/7") && !body.to_string().contains("https://"), "{body}");
        }
        let message = ChannelMessage { record: &record, shown: &shown, public_url: None };
        for (kind, url) in [(ChannelKind::Ntfy, "https://ntfy.sh/"), (ChannelKind::Telegram, "https://a/?x=1")] {
            let to = Endpoint::parse(url, Plaintext::new("s".into())).unwrap();
            assert!(message.request(kind, &to, Instant::now()).is_err(), "{url}");
        }
    }
}
