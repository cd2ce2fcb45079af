//! A message in the form that clients get.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::access::{self, Caller, SpaceRole};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store::messages::members::NamedMember;
use crate::store::messages::{Message, find};
use crate::store::{self, agents};
use crate::time::Micros;

/// Splits `user:ID` or `agent:ID` into the kind and the id.
pub(super) fn parts(principal: &str) -> (&str, &str) {
    principal.split_once(':').unwrap_or(("user", principal))
}

/// Parses JSON from the database.
fn stored(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// Returns the members that a message mentions.
pub(super) fn mentioned(message: &Message) -> Vec<NamedMember> {
    serde_json::from_str(&message.mentions).unwrap_or_default()
}

/// Returns the message as JSON.
pub(super) fn show(message: &Message) -> Value {
    let (kind, id) = parts(&message.author);
    let mentions: Vec<String> = mentioned(message).into_iter().map(|named| named.name).collect();
    let own = |wanted| (kind == wanted).then_some(id);
    json!({
        "id": message.id,
        "seq": message.seq,
        "content": message.content,
        "space_id": message.space_id,
        "channel": message.channel,
        "message_type": message.message_type,
        "parent_id": message.parent_id,
        "conversation_id": message.conversation_id,
        "sender_type": kind,
        "display_name": message.author_name,
        "sender_handle": format!("@{}", message.author_name),
        "agent_id": own("agent"),
        "user_id": own("user"),
        "author": {"id": id, "name": message.author_name, "type": kind},
        "mentions": mentions,
        "attachments": stored(&message.attachments),
        "metadata": stored(&message.metadata),
        "reactions": stored(&message.reactions),
        "pinned": message.pinned,
        "expects_reply_by": message.expects_reply_by.map(Micros::micros),
        "created_at": message.created_at.micros(),
        "updated_at": message.updated_at.micros(),
    })
}

/// Returns the value of `listening` for a recipient: whether it listens, or `sleeping` if its container sleeps and is
/// being woken.
///
/// # Errors
/// Any `StoreError`.
pub(super) fn listening(conn: &Connection, principal: &str, listens: bool) -> store::Result<Value> {
    let sleeps = match principal.strip_prefix("agent:").filter(|_| !listens) {
        Some(agent_id) => agents::sleeps(conn, agent_id)?,
        None => false,
    };
    Ok(if sleeps { json!("sleeping") } else { json!(listens) })
}

/// Returns the message with this id, if the caller may read it.
///
/// # Errors
/// `message_not_found`, whether the message does not exist or is not readable, or a `StoreError`.
pub(super) fn visible(conn: &Connection, caller: &Caller, id: &str) -> Result<Message, ApiError> {
    let message = find::by_id(conn, id)?.ok_or(codes::MESSAGE_NOT_FOUND)?;
    let role = access::space_role_on(conn, caller, &message.space_id, Micros::now())?;
    if role.is_none() || !message.is_for(&caller.principal_key()) {
        return Err(codes::MESSAGE_NOT_FOUND.into());
    }
    Ok(message)
}

/// Checks that the caller has at least the role `needed` in the space of a message that it may read.
///
/// # Errors
/// `forbidden`, or a `StoreError`.
pub(super) fn require(
    conn: &Connection,
    caller: &Caller,
    message: &Message,
    needed: SpaceRole,
) -> Result<(), ApiError> {
    access::require_space(conn, caller, &message.space_id, needed)
}

/// True if the caller owns the message's space, and so may manage the messages of others there.
///
/// # Errors
/// Any `StoreError`.
pub(super) fn owns_space(conn: &Connection, caller: &Caller, message: &Message) -> store::Result<bool> {
    let role = access::space_role_on(conn, caller, &message.space_id, Micros::now())?;
    Ok(role == Some(SpaceRole::Owner))
}
