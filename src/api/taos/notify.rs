//! Notifying users: `POST /api/ui/notify` (taOS contract, section 4). The sender comes from the credential alone.
//! Nothing else runs inside the request: streams, waits and the webhook are told after the commit.

use std::sync::Arc;

use hyper::http::Method;
use serde_json::json;

use super::notifications::{self, DOC_NOTIFY};
use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{After, Call, Handled, Tx, Written};
use crate::limits::{ACTION_URL_CHARS, TEXT_BYTES, TITLE_CHARS};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::input::Fields;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::rest::service::Outcome;
use crate::rest::tool::{Effect, Tool};
use crate::store::notifications::{self as rows, Level, NewNotification};
use crate::store::{self, webhook};

const TITLE: Field =
    Field::text("title", TITLE_CHARS, "The title, one line of 1 to 120 characters.").not_empty().required();
const BODY: Field =
    Field::text("body", TEXT_BYTES, "The text, 1 to 65536 bytes of UTF-8. Shown as text, never as HTML.")
        .not_empty()
        .required();
const PRIORITY: Field = Field::unbounded("priority", "low, normal or high; normal if absent.")
    .told(r#"{"enum": ["low", "normal", "high"]}"#);
const PRIORITY_WORD: Field = Field::word("priority", &["low", "normal", "high"], "The priority; normal if absent.");
const APP_ORIGIN: Field = Field::text(
    "app_origin",
    64,
    "The app that the notification is about: a-z, 0-9, then also . _ and -. Shown beside the sender.",
)
.told(r#"{"pattern": "^[a-z0-9][a-z0-9._-]*$"}"#);
const ACTION_URL: Field = Field::unbounded(
    "action_url",
    "The link of the notification: an http(s) URL, or a path on this box. At most 2048 characters.",
)
.told(r#"{"maxLength": 2048, "pattern": "^(/|/[A-Za-z0-9._~-][A-Za-z0-9._~/-]*|https?://[a-z0-9.-]+(/[A-Za-z0-9._~/-]*)?)$"}"#);

/// The routes for sending notifications.
pub const ROUTES: &[ApiRoute] = &[ApiRoute::checked(Method::POST, "/api/ui/notify", Taos, Action::UiNotify, notify)
    .described(
        "ui_notify",
        "Notify the user",
        "An agent notifies its owner; a user notifies itself. delivered means that the notification is on disk.",
        DOC_NOTIFY,
    )
    .taking(
        &[TITLE, BODY, PRIORITY, APP_ORIGIN, ACTION_URL],
        r#"{"title": "Build finished", "body": "All 214 tests passed.", "priority": "normal", "action_url": "/docs"}"#,
    )
    .repeatable()
    .answering(
        200,
        Answer::Object(&[
            Field::flag("delivered", "Always true: the notification is on disk.").required(),
            Field::unbounded("notification_id", "The notification's id.").required(),
        ]),
    )
    .failing(&[codes::INVALID_PRIORITY, codes::INVALID_ACTION_URL])
    .offering(
        Tool::new(
            "ui_notify",
            Effect::Adds,
            "Tell the user something in their notifications, such as that long work is done. It does not wait for an \
                answer: to ask a question use user_ask.",
        )
        .narrowed(&[PRIORITY_WORD]),
    )];

fn notify(app: &App, call: Call) -> Handled {
    check(&call.input.body)?;
    let topic = notifications::topic(&call.caller);
    let (streams, forwarder) = (Arc::clone(&app.streams), Arc::clone(&app.webhook));
    let to_webhook = app.config.read(|now| now.webhook.is_some());
    call.write(app, move |tx| {
        let reply = insert(tx, to_webhook)?;
        let tell: After = Box::new(move |reply, _| {
            streams.wake(&topic);
            forwarder.nudge();
            Outcome::Done(reply)
        });
        Ok(Written::Then(reply, tell))
    })
}

fn insert(tx: &Tx<'_>, to_webhook: bool) -> Result<Reply, ApiError> {
    let (id, body) = (store::new_id(), &tx.input.body);
    rows::insert(
        tx.conn,
        &NewNotification {
            id: &id,
            user_id: &tx.caller.user().id,
            agent_id: tx.caller.agent_id(),
            source: &tx.caller.source(),
            app_origin: body.text(&APP_ORIGIN),
            level: level(body)?,
            title: body.required(&TITLE),
            message: body.required(&BODY),
            action_url: body.text(&ACTION_URL),
            created_at: tx.now,
        },
    )?;
    if to_webhook {
        webhook::queue(tx.conn, &id, tx.now)?;
    }
    Ok(Reply::ok(&json!({"delivered": true, "notification_id": id})))
}

fn check(body: &Fields) -> Result<(), ApiError> {
    if body.text(&BODY).is_some_and(|text| text.len() > TEXT_BYTES) {
        return Err(ApiError::field("body", format!("must be at most {TEXT_BYTES} bytes long")));
    }
    if body.text(&APP_ORIGIN).is_some_and(|text| !is_app(text)) {
        return Err(ApiError::field(
            "app_origin",
            "must be a-z or 0-9, then a-z, 0-9, ., _ or -, at most 64 characters",
        ));
    }
    level(body)?;
    if body.text(&ACTION_URL).is_some_and(|url| !is_action_url(url)) {
        return Err(codes::INVALID_ACTION_URL.into());
    }
    Ok(())
}

/// Reads the priority; normal if absent.
fn level(body: &Fields) -> Result<Level, ApiError> {
    body.text(&PRIORITY).map_or(Ok(Level::Normal), |word| Ok(word.parse().map_err(|_| codes::INVALID_PRIORITY)?))
}

fn is_app(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.len() <= 64
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || matches!(b, b'.' | b'_' | b'-'))
}

/// Returns true for a path on this box, or `http(s)://HOST...` without a user. Such a link runs no code and does not
/// hide where it leads.
pub(crate) fn is_action_url(url: &str) -> bool {
    if url.is_empty()
        || url.chars().count() > ACTION_URL_CHARS
        || url.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\')
    {
        return false;
    }
    if url.starts_with('/') {
        return !url.starts_with("//");
    }
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")) && is_host_and_port(authority)
}

fn is_host_and_port(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("v6", port),
            _ => return false,
        },
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port_is_good = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()) && (n.is_empty() || n.parse::<u16>().is_ok()));
    !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_')) && port_is_good
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_action_url_is_a_plain_link_or_a_path() {
        for good in [
            "/",
            "/docs/a?b=c#d",
            "http://a",
            "https://a.example/x?y=<z>",
            "HTTPS://a:8443/",
            "http://[::1]:80/",
            "http://bücher.example/",
            &format!("/{}", "x".repeat(2047)),
        ] {
            assert!(is_action_url(good), "{good}");
        }
        for bad in [
            "",
            "x",
            "//evil",
            "/\\evil",
            "javascript:alert(1)",
            "data:text/html,x",
            "http:",
            "http://",
            "http:///x",
            "http://u@h/",
            "http://u:p@h/",
            "http://a b",
            "/a b",
            "/a\tb",
            "http://h:99999/",
            "http://h:x/",
            "ftp://a",
            "http:/a",
            "http://%61/",
            "http://[::1",
            "java\nscript://a",
            "/a\u{a0}b",
            &format!("/{}", "x".repeat(2048)),
        ] {
            assert!(!is_action_url(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_passes_has_a_safe_scheme_and_nothing_that_breaks_a_line(url in "\\PC{0,40}|(https?://|/)\\PC{0,40}") {
            if is_action_url(&url) {
                let lower = url.to_lowercase();
                prop_assert!(lower.starts_with('/') || lower.starts_with("http://") || lower.starts_with("https://"));
                prop_assert!(!lower.starts_with("//") && !lower.contains(char::is_whitespace) && !lower.contains('\\'));
            }
        }
    }
}
