//! The request to each kind of channel about a notification: title, text and link, never a secret.

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::webhook::signature;
use crate::client::endpoint::Endpoint;
use crate::client::http::ClientRequest;
use crate::secret::redacted;
use crate::store::channels::ChannelKind;
use crate::store::notifications::{Level, Notification};
use crate::time::Micros;

/// The most that is sent of a text: in characters to Gotify, in bytes to ntfy, which takes 4096 of them, and in UTF-16
/// units to Telegram, which takes 4096 of them with the title. Both refuse a longer message for good.
const GOTIFY_TEXT: usize = 3000;
const NTFY_TEXT: usize = 3500;
const TELEGRAM_TEXT: usize = 3500;
/// The end of a text that was cut.
const CUT: &str = "...";
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
    /// The title on one line, which is all that a receiver shows.
    fn title(&self) -> String {
        redacted(&self.record.title).replace(char::is_control, " ")
    }

    /// The text, followed by the path if there is no link to follow; together at most `most`, as `size` counts.
    fn text(&self, most: usize, size: fn(char) -> usize) -> String {
        let mut end = match (&self.record.action_url, self.link()) {
            (Some(path), None) => format!("\n\n{}", redacted(path)),
            _ => String::new(),
        };
        if size_of(&end, size) > most {
            end.clear();
        }
        let text = cut(&redacted(&self.record.message), most - size_of(&end, size), size);
        format!("{text}{end}")
    }

    /// The link as a whole URL.
    fn link(&self) -> Option<String> {
        let to = redacted(self.record.action_url.as_deref()?);
        if to.starts_with('/') {
            return Some(format!("{}{to}", self.public_url?.trim_end_matches('/')));
        }
        Some(to.into_owned())
    }

    /// Returns the request that delivers the notification.
    ///
    /// # Errors
    /// The part that the channel's URL lacks, as a text for the channel's owner.
    pub fn request(&self, kind: ChannelKind, to: &Endpoint, deadline: Instant) -> Result<ClientRequest, String> {
        let (path, body) = match kind {
            ChannelKind::Webhook => (to.path.clone(), without_secrets(self.shown)),
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
        let mut body = json!({"topic": topic, "title": self.title(), "message": self.text(NTFY_TEXT, char::len_utf8),
            "priority": priority});
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
        let text = self.text(GOTIFY_TEXT, |_| 1);
        let mut body = json!({"title": self.title(), "message": text, "priority": priority});
        if let Some(link) = self.link() {
            body["extras"] = json!({"client::notification": {"click": {"url": link}}});
        }
        body
    }

    fn telegram(&self, to: &Endpoint) -> Result<(String, Value), String> {
        let query = to.path.split_once('?').map_or("", |(_, query)| query);
        let chat = query.split('&').find_map(|pair| pair.strip_prefix("chat_id=")).filter(|chat| !chat.is_empty());
        let chat = chat.ok_or("the url of a telegram channel names its chat: https://api.telegram.org/?chat_id=ID")?;
        let text = self.text(TELEGRAM_TEXT, char::len_utf16);
        let mut body = json!({"chat_id": chat, "text": format!("{}\n\n{text}", self.title())});
        if let Some(link) = self.link() {
            body["reply_markup"] = json!({"inline_keyboard": [[{"text": OPEN, "url": link}]]});
        }
        body["disable_notification"] = json!(self.record.level == Level::Low);
        Ok((format!("{}/bot{}/sendMessage", folder(&to.path), to.secret.reveal()), body))
    }
}

/// The record with its texts redacted.
pub(super) fn without_secrets(record: &Value) -> Value {
    match record {
        Value::String(text) => json!(redacted(text)),
        Value::Array(all) => all.iter().map(without_secrets).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), without_secrets(value))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

fn size_of(text: &str, size: fn(char) -> usize) -> usize {
    text.chars().map(size).sum()
}

/// Returns a text of at most `most`, as `size` counts its characters.
fn cut(text: &str, most: usize, size: fn(char) -> usize) -> String {
    if size_of(text, size) <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(size_of(CUT, size));
    let fits = |c: &char| {
        let room = left.checked_sub(size(*c));
        left = room.unwrap_or(0);
        room.is_some()
    };
    text.chars().take_while(fits).chain(CUT.chars()).collect()
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
    fn a_long_text_is_cut_to_what_each_receiver_takes() {
        for (text, path) in [("a", "/ui/requests/7"), ("ж", "/п"), ("🚨", "/ui"), ("字x🚨", &"/п".repeat(1024))]
        {
            let record = Notification {
                title: text.repeat(120),
                message: text.repeat(64 * 1024),
                action_url: Some(path.to_owned()),
                ..record(Level::Low)
            };
            let message = ChannelMessage { record: &record, shown: &json!({}), public_url: None };
            for (kind, url, field) in [
                (ChannelKind::Ntfy, "https://ntfy.sh/my-topic", "message"),
                (ChannelKind::Gotify, "https://a/gotify/", "message"),
                (ChannelKind::Telegram, "https://api.telegram.org/?chat_id=-42", "text"),
            ] {
                let to = Endpoint::parse(url, Plaintext::new("1:abc".into())).unwrap();
                let request = message.request(kind, &to, Instant::now()).unwrap();
                let body: Value = serde_json::from_slice(request.body()).unwrap();
                let sent = body[field].as_str().unwrap();
                let size = match kind {
                    ChannelKind::Ntfy => sent.len(),
                    ChannelKind::Telegram => sent.encode_utf16().count(),
                    _ => sent.chars().count(),
                };
                assert!((2900..=4096).contains(&size), "{kind:?} {size}");
                assert!(sent.contains(CUT), "{kind:?} {sent}");
            }
        }
        assert_eq!(cut("short", 5, char::len_utf8), "short");
        assert_eq!(cut("жжжж", 7, char::len_utf8), "жж...");
    }

    #[test]
    fn links_and_records_are_without_secrets_and_titles_are_one_line() {
        let secret = UserToken::generate().plaintext.reveal().to_owned();
        for link in [format!("https://x.example/?t={secret}"), format!("/ui/x?t={secret}")] {
            let record = Notification { action_url: Some(link.clone()), title: "a\r\nb".into(), ..record(Level::High) };
            let shown = json!({"title": "t", "action_url": link, "more": [{"text": secret}], "read": false});
            for (kind, url) in [
                (ChannelKind::Webhook, "https://a/hook"),
                (ChannelKind::Ntfy, "https://ntfy.sh/my-topic"),
                (ChannelKind::Gotify, "https://a/gotify/"),
                (ChannelKind::Telegram, "https://api.telegram.org/?chat_id=-42"),
            ] {
                for public_url in [None, Some("https://box.example")] {
                    let to = Endpoint::parse(url, Plaintext::new("1:abc".into())).unwrap();
                    let message = ChannelMessage { record: &record, shown: &shown, public_url };
                    let request = message.request(kind, &to, Instant::now()).unwrap();
                    let body = String::from_utf8(request.body().to_vec()).unwrap();
                    assert!(!body.contains(&secret), "{kind:?} {body}");
                    assert!(kind == ChannelKind::Webhook || body.contains("a  b"), "{kind:?} {body}");
                }
            }
        }
        assert_eq!(without_secrets(&json!({"a": [1, null, "b"], "c": true})), json!({"a": [1, null, "b"], "c": true}));
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
