//! Sending: one transaction writes the message with its mentions and receipts, then those who listen are woken.

use std::sync::Arc;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::channel;
use super::fields::{CHANNEL, CLIENT_ID, CONTENT, EXPECTS_REPLY_BY, MESSAGE_TYPE, METADATA, PARENT_ID, SPACE, bad};
use super::mentions;
use super::show::{self, mentioned, parts, show, visible};
use crate::access::{SpaceRole, resolve_space};
use crate::api::ax::allowance;
use crate::api::engine::app::App;
use crate::api::engine::call::{After, Call, Handled, Tx, Written};
use crate::api::requests::{self, RequestNews};
use crate::config::Workspace;
use crate::jobs::events::fetched::Fetched;
use crate::jobs::events::streams::{self, Streams};
use crate::jobs::upkeep::messages::Upkeep;
use crate::jobs::upkeep::sleeper::Sleeper;
use crate::limits::{
    ATTACHMENTS, CLIENT_ID_LIFE, MENTIONS, MESSAGE_METADATA_BYTES, REPLY_SECONDS, TEXT_BYTES, THREAD_MESSAGES,
};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Fields;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::store::messages::members::{self, NamedMember};
use crate::store::messages::receipts::{self, At, Receipt, ReceiptState};
use crate::store::messages::{self as rows, Message, NewMessage};
use crate::store::{self, news, tasks};
use crate::time::Micros;

/// The channel of a message that names none.
const MAIN: &str = "main";

/// The parts of the application that sending needs beside its transaction.
#[derive(Clone)]
pub(super) struct SendTools {
    pub streams: Arc<Streams>,
    pub fetched: Arc<Fetched>,
    pub upkeep: Arc<Upkeep>,
    pub sleeper: Arc<Sleeper>,
    pub settings: Workspace,
}

impl SendTools {
    pub(super) fn of(app: &App) -> Self {
        Self {
            streams: Arc::clone(&app.streams),
            fetched: Arc::clone(&app.fetched),
            upkeep: Arc::clone(&app.upkeep),
            sleeper: Arc::clone(&app.sleeper),
            settings: app.config.read(|now| now.workspace),
        }
    }
}

pub(super) fn send(app: &App, call: Call) -> Handled {
    check(&call.input.body)?;
    let tools = SendTools::of(app);
    let tell = requests::after(app);
    call.write(app, move |tx| {
        let (reply, sent) = write(tx, &tools)?;
        let Some(Sent { space_id, due, too_full, news_for, answered }) = sent else {
            return Ok(Written::Reply(reply));
        };
        let after: After = Box::new(move |reply, _| {
            tools.streams.wake(&streams::space(&space_id));
            if let Some(due) = due {
                tools.upkeep.expect(due);
            }
            if too_full {
                tools.upkeep.nudge(&space_id);
            }
            if !news_for.is_empty() {
                tools.sleeper.news(news_for);
            }
            if let Some(answered) = answered {
                tell(answered);
            }
            Outcome::Done(reply)
        });
        Ok(Written::Then(reply, after))
    })
}

/// The work that is due once a message is on disk.
struct Sent {
    space_id: String,
    due: Option<Micros>,
    too_full: bool,
    /// The ids of the agents for which the message is news.
    news_for: Vec<String>,
    /// The question that the message answers.
    answered: Option<RequestNews>,
}

/// Checks the rules that the field declarations cannot express.
fn check(body: &Fields) -> Result<(), ApiError> {
    if body.text(&CONTENT).is_some_and(|text| text.len() > TEXT_BYTES) {
        return Err(bad("content", format!("must be at most {TEXT_BYTES} bytes long")));
    }
    if body.value(&METADATA).is_some_and(|value| value.to_string().len() > MESSAGE_METADATA_BYTES) {
        return Err(bad("metadata", format!("must be at most {MESSAGE_METADATA_BYTES} bytes of JSON")));
    }
    if body.value(&super::fields::ATTACHMENTS).and_then(Value::as_array).is_some_and(|all| all.len() > ATTACHMENTS) {
        return Err(bad("attachments", format!("must hold at most {ATTACHMENTS} entries")));
    }
    let is_slug = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if body.text(&MESSAGE_TYPE).is_some_and(|text| !is_slug(text)) {
        return Err(bad("message_type", "must be letters, digits, ., _ and -"));
    }
    if body.text(&CHANNEL).is_some_and(|text| text.contains(char::is_control)) {
        return Err(bad("channel", "must not hold control characters"));
    }
    Ok(())
}

/// Returns the time until which a reply is expected.
fn due(body: &Fields, now: Micros) -> Result<Option<Micros>, ApiError> {
    let field = EXPECTS_REPLY_BY.name;
    let Some(value) = body.value(&EXPECTS_REPLY_BY) else { return Ok(None) };
    if let Some(seconds) = value.as_i64() {
        return Ok(Some(now.plus(seconds * Micros::SECOND)));
    }
    let time = value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let at = Micros(time.ok_or_else(|| bad(field, "must be a time as in RFC 3339, or seconds"))?.as_microsecond());
    let latest = now.plus(REPLY_SECONDS * Micros::SECOND);
    if at <= now || at > latest {
        return Err(bad(field, format!("must lie ahead, at most {} days", REPLY_SECONDS / 86_400)));
    }
    Ok(Some(at))
}

/// The channel, addressee and parent of a message.
struct Aim {
    channel: String,
    addressee: Option<NamedMember>,
    parent: Option<Message>,
}

fn aim(tx: &Tx<'_>, space_id: &str, me: &str) -> Result<Aim, ApiError> {
    let body = &tx.input.body;
    let parent = match body.text(&PARENT_ID).filter(|id| !id.is_empty()) {
        Some(id) => Some(visible(tx.conn, tx.caller, id)?),
        None => None,
    };
    if parent.as_ref().is_some_and(|parent| parent.space_id != space_id) {
        return Err(codes::MESSAGE_NOT_FOUND.into());
    }
    // The reply to a direct message stays between the two, whatever channel the request names.
    if let Some(other) = parent.as_ref().and_then(|parent| other_of(parent, me)) {
        if !members::is_member(tx.conn, space_id, &other.principal, tx.now)? {
            return Err(bad("parent_id", "is a direct message with somebody who is no member of the space any more"));
        }
        return Ok(Aim { channel: channel::to(&other.name), addressee: Some(other), parent });
    }
    let named = body.text(&CHANNEL).filter(|text| !text.is_empty());
    // A reply stays in the channel of its thread, and as public as that is.
    let addressee = match named {
        Some(channel) => channel::addressee(tx, space_id, channel)?,
        None => None,
    };
    let named = named.or(parent.as_ref().map(|parent| parent.channel.as_str())).unwrap_or(MAIN);
    // Use the member's real name, so that different spellings of its case are one channel.
    let channel = addressee.as_ref().map_or_else(|| named.to_owned(), |to| channel::to(&to.name));
    Ok(Aim { channel, addressee, parent })
}

/// Returns the other party of a direct message.
fn other_of(message: &Message, me: &str) -> Option<NamedMember> {
    let addressee = message.addressee.clone()?;
    Some(if message.author == me {
        NamedMember { principal: addressee, name: message.channel.trim_start_matches(channel::DIRECT).to_owned() }
    } else {
        NamedMember { principal: message.author.clone(), name: message.author_name.clone() }
    })
}

/// Returns the members that a text mentions; in a direct message, only its two parties.
///
/// # Errors
/// `invalid_request` for too many mentions, or a `StoreError`.
pub(super) fn mentioned_in(
    tx: &Tx<'_>,
    space_id: &str,
    text: &str,
    readers: Option<[&str; 2]>,
) -> Result<Vec<NamedMember>, ApiError> {
    let look = |name: &str| channel::named(tx.conn, tx.caller, space_id, name, tx.now);
    let mut all: Vec<NamedMember> = Vec::new();
    for name in mentions::names(text) {
        let mut found = look(name)?;
        if let Some(bare) = mentions::without_dashes(name).filter(|_| found.is_empty()) {
            found = look(bare)?;
        }
        found.retain(|one| readers.is_none_or(|two| two.contains(&one.principal.as_str())) && !all.contains(one));
        all.append(&mut found);
        if all.len() > MENTIONS {
            return Err(bad("content", format!("mentions more than {MENTIONS} members")));
        }
    }
    Ok(all)
}

fn write(tx: &Tx<'_>, tools: &SendTools) -> Result<(Reply, Option<Sent>), ApiError> {
    let (body, me) = (&tx.input.body, tx.caller.principal_key());
    let named = body.text(&SPACE).filter(|id| !id.is_empty());
    let space_id = resolve_space(tx.conn, tx.caller, named, SpaceRole::Editor)?;
    let client_id = body.text(&CLIENT_ID);
    if let Some(first) = client_id.map(|id| sent_before(tx, &me, id)).transpose()?.flatten() {
        let mut reply = told(tx.conn, &first, &receipts::of(tx.conn, first.place)?, tools)?;
        reply["duplicate"] = json!(true);
        return Ok((Reply::ok(&reply), None));
    }
    let due = due(body, tx.now)?;
    let Aim { channel, addressee, parent } = aim(tx, &space_id, &me)?;
    let content = body.text(&CONTENT).unwrap_or("");
    let readers = addressee.as_ref().map(|to| [me.as_str(), to.principal.as_str()]);
    let mentions = mentioned_in(tx, &space_id, content, readers)?;
    let id = store::new_id();
    let mentions_text = json!(mentions).to_string();
    let list = |field: &Field, empty: &str| body.value(field).map_or_else(|| empty.to_owned(), Value::to_string);
    let (attachments, metadata) = (list(&super::fields::ATTACHMENTS, "[]"), list(&METADATA, "{}"));
    let task = task_of(tx, &space_id, parent.as_ref())?;
    let bytes = Message::bytes_of(content, &mentions_text, &attachments, &metadata);
    allowance::spend(tx, &tools.settings, bytes, 1)?;
    let new = NewMessage {
        id: &id,
        space_id: &space_id,
        channel: &channel,
        message_type: body.text(&MESSAGE_TYPE).filter(|text| !text.is_empty()).unwrap_or("text"),
        parent_id: parent.as_ref().map(|parent| parent.id.as_str()),
        conversation_id: parent.as_ref().map_or(&id, |parent| &parent.conversation_id),
        author: &me,
        author_name: tx.caller.name(),
        addressee: addressee.as_ref().map(|to| to.principal.as_str()),
        content,
        mentions: &mentions_text,
        attachments: &attachments,
        metadata: &metadata,
        task: task.as_deref(),
        expects_reply_by: due,
        created_at: tx.now,
    };
    let stored = rows::insert(tx.conn, &new)?;
    let at = At { place: stored.place, space_id: &space_id, seq: stored.seq };
    let of_parent = author_of(tx, &space_id, parent.as_ref())?;
    let mentioned = mentions.iter().chain(&addressee).map(|named| (named.principal.as_str(), named.name.as_str()));
    let recipients = mentioned.chain(of_parent).filter(|(principal, _)| *principal != me);
    let (begun, news_for) = begin_receipts(tx, tools, at, recipients)?;
    let answered = match &parent {
        Some(parent) => answer(tx, parent, &me, content)?,
        None => None,
    };
    if let Some(client_id) = client_id {
        rows::put_client_id(tx.conn, &me, client_id, &id, tx.now)?;
    }
    let receipts = if begun { receipts::of(tx.conn, stored.place)? } else { Vec::new() };
    let reply = Reply::ok(&told(tx.conn, &new.at(&stored), &receipts, tools)?);
    let Workspace { messages_per_space, message_bytes_per_space, .. } = tools.settings;
    let too_full = stored.messages > messages_per_space || stored.bytes > message_bytes_per_space;
    Ok((reply, Some(Sent { space_id, due, too_full, news_for, answered })))
}

/// Returns the principal and the name of a parent's author, if the author is still in the space.
fn author_of<'a>(
    tx: &Tx<'_>,
    space_id: &str,
    parent: Option<&'a Message>,
) -> store::Result<Option<(&'a str, &'a str)>> {
    let Some(parent) = parent else { return Ok(None) };
    let is_here = members::is_member(tx.conn, space_id, &parent.author, tx.now)?;
    Ok(is_here.then_some((parent.author.as_str(), parent.author_name.as_str())))
}

/// Adds a receipt for each recipient. Returns whether there is one, and the agents for which there is news.
pub(super) fn begin_receipts<'a>(
    tx: &Tx<'_>,
    tools: &SendTools,
    at: At<'_>,
    recipients: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<(bool, Vec<String>), ApiError> {
    let (mut begun, mut news_for) = (false, Vec::new());
    for (principal, name) in recipients {
        begun = true;
        if receipts::add(tx.conn, at, principal, name, tx.now)?
            && let Some(agent_id) = principal.strip_prefix("agent:")
            && news::note(tx.conn, agent_id, tools.streams.listening.is_anywhere(principal), tx.now)?
        {
            news_for.push(agent_id.to_owned());
        }
    }
    Ok((begun, news_for))
}

/// Applies a reply to its parent: settles the parent if another wrote it, and answers a question.
fn answer(tx: &Tx<'_>, parent: &Message, me: &str, content: &str) -> Result<Option<RequestNews>, ApiError> {
    if parent.author != me {
        rows::settle(tx.conn, parent.place)?;
        receipts::advance(tx.conn, parent.place, me, ReceiptState::Answered, tx.now)?;
    }
    requests::answered_by(tx, parent, content)
}

/// Returns the task that the message's thread is about: the parent's, or the task of the space that `metadata.task_id`
/// names. `None` if the space already keeps the maximum of such messages.
fn task_of(tx: &Tx<'_>, space_id: &str, parent: Option<&Message>) -> Result<Option<String>, ApiError> {
    let metadata = tx.input.body.value(&METADATA);
    let named = match parent.and_then(|parent| parent.task.as_deref()) {
        Some(id) => Some(id),
        None => metadata.and_then(|metadata| metadata.get("task_id")).and_then(Value::as_str),
    };
    let Some(task) = named.map(|id| tasks::by_id(tx.conn, id)).transpose()?.flatten() else { return Ok(None) };
    let has_room = || rows::count_of_tasks(tx.conn, space_id, THREAD_MESSAGES).map(|count| count < THREAD_MESSAGES);
    Ok(if task.space_id == space_id && has_room()? { Some(task.id) } else { None })
}

/// Returns the message that this author sent under this client id within a day, if the author can still read it.
fn sent_before(tx: &Tx<'_>, me: &str, client_id: &str) -> Result<Option<Message>, ApiError> {
    let life = i64::try_from(CLIENT_ID_LIFE.as_micros()).unwrap_or(i64::MAX);
    let Some(id) = rows::by_client_id(tx.conn, me, client_id, tx.now.plus(-life))? else { return Ok(None) };
    match visible(tx.conn, tx.caller, &id) {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.code == codes::MESSAGE_NOT_FOUND => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the message and its delivery.
fn told(conn: &Connection, message: &Message, receipts: &[Receipt], tools: &SendTools) -> Result<Value, ApiError> {
    let topic = streams::space(&message.space_id);
    let listening = &tools.streams.listening;
    let mut anybody = false;
    let mut recipients = Vec::new();
    for receipt in receipts {
        let listens = listening.is(&receipt.principal, &topic);
        anybody |= listens;
        let listens = show::listening(conn, &receipt.principal, listens)?;
        recipients.push(json!({
            "id": parts(&receipt.principal).1,
            "name": receipt.name,
            "state": tools.fetched.state(message.place, &receipt.principal, receipt.state),
            "listening": listens,
        }));
    }
    // A message without recipients is for every member who listens.
    if recipients.is_empty() && mentioned(message).is_empty() {
        anybody = message.addressee.is_none() && listening.others(&message.author, &topic);
    }
    Ok(json!({
        "message": show(message),
        "delivery": {"recipients": recipients, "nobody_listening": !anybody},
    }))
}
