//! Channels: where a user gets notifications outside this box, such as on a phone (contract of requests, section 3). A
//! channel's secret is stored, and no reply shows it.

use std::sync::Arc;

use hyper::http::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::users;
use crate::access::{Action, Caller};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{After, Call, Handled, Step, Tx, Written};
use crate::client::endpoint::Endpoint;
use crate::jobs::events::channels::{Attempt, ChannelSender};
use crate::limits::{CHANNEL_SECRET_CHARS, CHANNEL_URL_CHARS, CHANNELS};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::{Field, Type};
use crate::rest::input::Fields;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::rest::service::Outcome;
use crate::rest::stream;
use crate::secret::Plaintext;
use crate::store;
use crate::store::channels::{self as rows, Channel, ChannelEvent, ChannelKind};
use crate::store::notifications::{Level, Notification};
use crate::time::Micros;

/// The fewest characters of a webhook's secret.
const WEBHOOK_SECRET: usize = 16;
/// The seconds that a test may take.
const TEST_SECONDS: u64 = 10;
const DOC: &str = "recipes/notifications-on-your-phone#try-it";

const KIND: Field = Field::word("kind", ChannelKind::SLUGS, "The protocol of the receiver.");
const URL: Field = Field::text(
    "url",
    CHANNEL_URL_CHARS,
    "The address; for ntfy it ends with the topic, for telegram with ?chat_id=ID. It uses https and a public host, or \
        a host that channel_hosts lists.",
)
.told(r#"{"pattern": "^https://[a-z0-9][a-z0-9.-]*[.][a-z]{2,}/[A-Za-z0-9_/-]*([?]chat_id=[0-9]+)?$"}"#);
const SECRET: Field = Field::text(
    "secret",
    CHANNEL_SECRET_CHARS,
    "The secret that signs webhooks (at least 16 characters), or the receiver's own token. No reply shows it. An empty \
        text removes it.",
)
.told(r#"{"pattern": "^[!-~]*$"}"#);
const EVENTS: Field = Field::texts(
    "events",
    8,
    32,
    "The events to send: request, notification, freeze, tripwire, system; all if absent or empty.",
)
.told(r#"{"items": {"type": "string", "enum": ["request", "notification", "freeze", "tripwire", "system"]}}"#);
const MIN_LEVEL: Field = Field::word("min_level", Level::SLUGS, "The lowest level that is sent; normal if absent.");

const RECORD: &[Field] = &[
    Field::unbounded("id", "The id of the channel.").required(),
    KIND.required(),
    Field::unbounded("url", "The address.").required(),
    Field::flag("has_secret", "True if a secret is stored for the channel.").required(),
    Field::unbounded_texts("events", "The events that are sent; all if empty.").required(),
    MIN_LEVEL.required(),
    Field::flag("configured", "True if the channel is set in taosd.toml and cannot be changed here.").required(),
    Field::unbounded("created_at", "When the channel was created.").required(),
    Field::unbounded("updated_at", "When the channel was last changed.").required(),
    Field::of(
        "delivery",
        Type::Object(&[
            Field::integer("waiting", 0, i64::MAX, "The number of waiting notifications, up to 1000.").required(),
            Field::integer("failures", 0, i64::MAX, "The number of failed attempts since the last success.").required(),
            Field::unbounded("last_attempt_at", "When the last attempt was.").required().nullable(),
            Field::unbounded("last_success_at", "When the last success was.").required().nullable(),
            Field::unbounded("last_error", "Why the last attempt failed.").required().nullable(),
        ]),
        "The state of delivery.",
    )
    .required(),
];

/// The routes for channels.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::GET, "/api/users/{username}/channels", Taos, Action::ChannelsList, list)
        .described(
            "channels_list",
            "List a user's channels",
            "The user's own channels, oldest first, then those of taosd.toml for everybody. Each has its state of \
                delivery, but no secret.",
            DOC,
        )
        .answering(200, Answer::Array(RECORD))
        .failing(&[codes::USER_NOT_FOUND]),
    ApiRoute::checked(Method::POST, "/api/users/{username}/channels", Taos, Action::ChannelsCreate, create)
        .described(
            "channels_create",
            "Make a channel",
            "From now on the daemon also sends the user's notifications there.",
            DOC,
        )
        .taking(
            &[KIND.required(), URL.required(), SECRET, EVENTS, MIN_LEVEL],
            r#"{"kind": "ntfy", "url": "https://ntfy.sh/my-long-topic-7f3a", "min_level": "high"}"#,
        )
        .secret()
        .answering(201, Answer::Object(RECORD))
        .failing(&[codes::USER_NOT_FOUND, codes::CHANNEL_NOT_FIT, codes::LIMIT_REACHED]),
    ApiRoute::checked(Method::PATCH, "/api/users/{username}/channels/{id}", Taos, Action::ChannelsUpdate, update)
        .described(
            "channels_update",
            "Change a channel",
            "Fields that are not sent stay unchanged, but a url with another scheme, host or port removes the secret: \
                send it again. Resets the state of delivery.",
            DOC,
        )
        .taking(&[URL, SECRET, EVENTS, MIN_LEVEL], r#"{"min_level": "normal"}"#)
        .answering(200, Answer::Object(RECORD))
        .failing(&[codes::USER_NOT_FOUND, codes::CHANNEL_NOT_FOUND, codes::CHANNEL_NOT_FIT]),
    ApiRoute::checked(Method::DELETE, "/api/users/{username}/channels/{id}", Taos, Action::ChannelsDelete, delete)
        .described(
            "channels_delete",
            "Delete a channel",
            "Notifications that are still waiting for it are dropped.",
            DOC,
        )
        .answering(204, Answer::Empty)
        .failing(&[codes::USER_NOT_FOUND, codes::CHANNEL_NOT_FOUND]),
    ApiRoute::checked(Method::POST, "/api/users/{username}/channels/{id}/test", Taos, Action::ChannelsTest, test)
        .described(
            "channels_test",
            "Try a channel",
            "Sends a test message now and returns the result within ten seconds.",
            DOC,
        )
        .taking(&[], "")
        .answering(
            200,
            Answer::Object(&[
                Field::flag("delivered", "True if the receiver accepted the message.").required(),
                Field::unbounded("error", "Why the delivery failed.").required().nullable(),
            ]),
        )
        .failing(&[codes::USER_NOT_FOUND, codes::CHANNEL_NOT_FOUND]),
];

fn show(channel: &Channel, waiting: i64) -> Value {
    let events: Value = serde_json::from_str(&channel.events).unwrap_or_else(|_| json!([]));
    json!({
        "id": channel.id,
        "kind": channel.kind,
        "url": channel.url,
        "has_secret": channel.secret.is_some(),
        "events": events,
        "min_level": channel.min_level,
        "configured": channel.configured,
        "created_at": channel.created_at.millis(),
        "updated_at": channel.updated_at.millis(),
        "delivery": {
            "waiting": waiting,
            "failures": channel.failures,
            "last_attempt_at": channel.last_attempt_at.map(Micros::millis),
            "last_success_at": channel.last_success_at.map(Micros::millis),
            "last_error": channel.last_error,
        },
    })
}

/// Returns the user's own channel of this id.
fn find(conn: &Connection, caller: &Caller, username: &str, id: &str) -> Result<Channel, ApiError> {
    let user = users::find(conn, caller, username)?;
    let found = rows::by_id(conn, id)?;
    let own = found.filter(|channel| !channel.configured && channel.user_id.as_deref() == Some(&user.id));
    own.ok_or_else(|| codes::CHANNEL_NOT_FOUND.into())
}

/// The fields of a request, checked as far as possible without the stored channel.
struct ChannelInput {
    url: Option<String>,
    /// An empty one removes the stored one.
    secret: Option<Plaintext>,
    events: Option<String>,
    min_level: Option<Level>,
}

impl ChannelInput {
    fn read(body: &Fields) -> Result<Self, ApiError> {
        let events = body.texts(&EVENTS).map(|words| {
            let known = words.iter().all(|word| word.parse::<ChannelEvent>().is_ok());
            if known { Ok(json!(words).to_string()) } else { Err(ApiError::field("events", "has an unknown word")) }
        });
        let secret = body.text(&SECRET);
        if secret.is_some_and(|text| !text.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(ApiError::field("secret", "must be visible ASCII characters"));
        }
        Ok(Self {
            url: body.text(&URL).map(str::to_owned),
            secret: secret.map(|text| Plaintext::new(text.to_owned())),
            events: events.transpose()?,
            min_level: body.word(&MIN_LEVEL)?,
        })
    }
}

/// Refuses an address that a channel of a user may not have, and a secret that its kind cannot use.
fn check(sender: &ChannelSender, channel: &Channel, secret: Option<&Plaintext>) -> Result<(), ApiError> {
    let unfit = |why: String| Err(ApiError::new(codes::CHANNEL_NOT_FIT).detail(format!("The channel's {why}.")));
    let endpoint = match Endpoint::parse(&channel.url, Plaintext::new(String::new())) {
        Ok(endpoint) => endpoint,
        Err(why) => return unfit(format!("url {why}")),
    };
    if let Some(why) = sender.unfit(&endpoint) {
        return unfit(format!("url {why}"));
    }
    let path = endpoint.path.split('?').next().unwrap_or("").trim_matches('/');
    match (channel.kind, secret) {
        (ChannelKind::Webhook, Some(secret)) if secret.reveal().len() < WEBHOOK_SECRET => {
            unfit(format!("secret must have at least {WEBHOOK_SECRET} characters"))
        }
        (ChannelKind::Ntfy, _) if path.is_empty() => unfit("url must end with the topic".into()),
        (ChannelKind::Telegram, _) if !endpoint.path.contains("chat_id=") => {
            unfit("url must name its chat: https://api.telegram.org/?chat_id=ID".into())
        }
        (ChannelKind::Webhook | ChannelKind::Gotify | ChannelKind::Telegram, None) if channel.secret.is_none() => {
            unfit(format!("secret is missing; {} needs one", channel.kind))
        }
        _ => Ok(()),
    }
}

/// True if both URLs lead to the same server.
fn same_server(one: &str, other: &str) -> bool {
    let parse = |url| Endpoint::parse(url, Plaintext::new(String::new()));
    match (parse(one), parse(other)) {
        (Ok(one), Ok(other)) => {
            one.host.eq_ignore_ascii_case(&other.host) && (one.tls, one.port) == (other.tls, other.port)
        }
        _ => false,
    }
}

/// Applies the fields to the channel, and checks it.
fn apply(sender: &ChannelSender, channel: &mut Channel, wanted: ChannelInput) -> Result<(), ApiError> {
    if let Some(url) = wanted.url {
        // Nobody can read a stored secret, so nobody may send it to another server either.
        if !same_server(&channel.url, &url) {
            channel.secret = None;
        }
        channel.url = url;
    }
    if let Some(events) = wanted.events {
        channel.events = events;
    }
    if let Some(level) = wanted.min_level {
        channel.min_level = level;
    }
    if wanted.secret.is_some() {
        channel.secret = None;
    }
    let secret = wanted.secret.as_ref().filter(|secret| !secret.reveal().is_empty());
    check(sender, channel, secret)?;
    if let Some(secret) = secret {
        let sealed = sender.seal(&channel.id, secret.reveal());
        let cause = |error: std::io::Error| ApiError { cause: Some(error.to_string()), ..codes::INTERNAL.into() };
        channel.secret = Some(sealed.map_err(cause)?);
    }
    Ok(())
}

fn list(app: &App, call: Call) -> Handled {
    let configured = Arc::clone(&app.config.now().channels);
    let all = app.store.read(|conn| {
        let user = users::find(conn, &call.caller, call.input.param(0))?;
        let channels = rows::of_user(conn, &user.id)?;
        let shown = channels.iter().map(|channel| {
            let mut told = show(channel, rows::count(conn, &channel.id)?);
            // The token of a channel in `taosd.toml` is in a file of its own.
            if configured.iter().any(|one| one.id == channel.id && one.token.is_some()) {
                told["has_secret"] = json!(true);
            }
            Ok(told)
        });
        shown.collect::<Result<Vec<_>, ApiError>>()
    })?;
    Ok(Reply::ok(&Value::Array(all)).into())
}

fn create(app: &App, call: Call) -> Handled {
    let body = &call.input.body;
    let (wanted, kind) = (ChannelInput::read(body)?, body.word(&KIND)?);
    let kind: ChannelKind = kind.ok_or_else(|| ApiError::field("kind", "is missing"))?;
    let sender = Arc::clone(&app.channels);
    call.write(app, move |tx| {
        let user = users::find(tx.conn, tx.caller, tx.input.param(0))?;
        let own = rows::of_user(tx.conn, &user.id)?.iter().filter(|channel| !channel.configured).count();
        if own >= CHANNELS {
            return Err(ApiError::limit_reached("channels of this user", CHANNELS as u64));
        }
        let mut channel = Channel {
            id: store::new_id(),
            user_id: Some(user.id),
            configured: false,
            kind,
            events: "[]".to_owned(),
            min_level: Level::Normal,
            created_at: tx.now,
            updated_at: tx.now,
            failures: 0,
            last_attempt_at: None,
            last_success_at: None,
            last_error: None,
            url: String::new(),
            secret: None,
        };
        apply(&sender, &mut channel, wanted)?;
        rows::insert(tx.conn, &channel)?;
        tx.audit(format!("channel:{}", channel.id))?;
        Ok(Reply::json(StatusCode::CREATED, &show(&channel, 0)))
    })
}

fn update(app: &App, call: Call) -> Handled {
    let wanted = ChannelInput::read(&call.input.body)?;
    let sender = Arc::clone(&app.channels);
    call.write(app, move |tx| {
        let mut channel = find(tx.conn, tx.caller, tx.input.param(0), tx.input.param(1))?;
        apply(&sender, &mut channel, wanted)?;
        rows::update(tx.conn, &channel, tx.now)?;
        tx.audit(format!("channel:{}", channel.id))?;
        let now = find(tx.conn, tx.caller, tx.input.param(0), tx.input.param(1))?;
        let reply = Reply::ok(&show(&now, rows::count(tx.conn, &now.id)?));
        let after: After = Box::new(move |reply, _| {
            sender.changed(&channel.id);
            Outcome::Done(reply)
        });
        Ok(Written::Then(reply, after))
    })
}

fn delete(app: &App, call: Call) -> Handled {
    call.write(app, |tx: &Tx<'_>| {
        let channel = find(tx.conn, tx.caller, tx.input.param(0), tx.input.param(1))?;
        rows::delete(tx.conn, &channel.id)?;
        tx.audit(format!("channel:{}", channel.id))?;
        Ok(Reply::no_content())
    })
}

/// Runs on a thread of its own, so that a receiver that does not answer holds nobody else up.
fn test(app: &App, call: Call) -> Handled {
    let channel = app.store.read(|conn| find(conn, &call.caller, call.input.param(0), call.input.param(1)))?;
    let record = Notification {
        seq: 0,
        id: store::new_id(),
        agent_id: None,
        source: "taosd".to_owned(),
        app_origin: None,
        level: Level::Normal,
        title: "A test".to_owned(),
        message: format!("{} tries this channel.", call.caller.source()),
        action_url: Some("/ui/inbox".to_owned()),
        read: false,
        created_at: Micros::now(),
    };
    let (fulfiller, promise) = stream::promise();
    let begun = app.channels.try_now(&call.caller.principal_key(), channel, record, move |attempt| {
        let error = match attempt {
            Attempt::Taken => None,
            Attempt::Refused(why) | Attempt::Failed(why) => Some(why),
        };
        let reply = Reply::ok(&json!({"delivered": error.is_none(), "error": error}));
        fulfiller.keep(Outcome::Done(reply));
    });
    if begun {
        return Ok(Step::Later(Outcome::Pending(promise)));
    }
    let why = "A test of yours is still running, or too many of others: try again when it has ended.";
    Err(ApiError::new(codes::RATE_LIMITED).detail(why).retry_after(TEST_SECONDS))
}
