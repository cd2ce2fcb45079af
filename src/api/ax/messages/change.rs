//! Editing, pinning and deleting messages.

use serde_json::json;

use super::fields::{CONTENT, PINNED, bad};
use super::send::{SendTools, begin_receipts, mentioned_in};
use super::show::{mentioned, owns_space, require, show, visible};
use crate::access::SpaceRole;
use crate::api::ax::allowance;
use crate::api::engine::app::App;
use crate::api::engine::call::{After, Call, Handled, Tx, Written};
use crate::jobs::events::feed::Event;
use crate::jobs::events::streams;
use crate::limits::{PINNED_MESSAGES, TEXT_BYTES};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::store::messages::receipts::At;
use crate::store::messages::{self as rows, Message, find};

/// Restricts an event about a message to those who may read the message.
pub(super) fn between(message: &Message, event: Event) -> Event {
    match &message.addressee {
        Some(to) => event.only_to(vec![message.author.clone(), to.clone()]),
        None => event,
    }
}

pub(super) fn edit(app: &App, call: Call) -> Handled {
    let body = &call.input.body;
    if body.text(&CONTENT).is_none() && body.flag(&PINNED).is_none() {
        return Err(bad("content", "must be there, or pinned"));
    }
    if body.text(&CONTENT).is_some_and(|text| text.len() > TEXT_BYTES) {
        return Err(bad("content", format!("must be at most {TEXT_BYTES} bytes long")));
    }
    let tools = SendTools::of(app);
    call.write(app, move |tx| {
        let message = visible(tx.conn, tx.caller, tx.input.param(0))?;
        require(tx.conn, tx.caller, &message, SpaceRole::Editor)?;
        let news_for = match tx.input.body.text(&CONTENT) {
            Some(content) => rewrite(tx, &tools, &message, content)?,
            None => Vec::new(),
        };
        if let Some(pinned) = tx.input.body.flag(&PINNED) {
            pin(tx, &message, pinned)?;
        }
        let changed = find::by_place(tx.conn, message.place)?.ok_or(codes::INTERNAL)?;
        let shown = show(&changed);
        let (topic, event) =
            (streams::space(&message.space_id), between(&message, Event::new("message_edited", &shown)));
        let tell: After = Box::new(move |reply, _| {
            tools.streams.tell(&topic, event);
            if !news_for.is_empty() {
                tools.sleeper.news(news_for);
            }
            Outcome::Done(reply)
        });
        Ok(Written::Then(Reply::ok(&shown), tell))
    })
}

/// Changes the text, which only the author may do. A member who is newly mentioned gets a receipt. Returns the agents for
/// which there is news.
fn rewrite(tx: &Tx<'_>, tools: &SendTools, message: &Message, content: &str) -> Result<Vec<String>, ApiError> {
    let me = tx.caller.principal_key();
    if message.author != me {
        return Err(ApiError::new(codes::FORBIDDEN).detail("Only its author can change a message's text."));
    }
    let readers = message.addressee.as_deref().map(|to| [me.as_str(), to]);
    let mentions = mentioned_in(tx, &message.space_id, content, readers)?;
    allowance::spend(tx, &tools.settings, content.len() as u64, 1)?;
    rows::edit(tx.conn, message, content, &json!(mentions).to_string(), tx.now)?;
    let before = mentioned(message);
    let at = At { place: message.place, space_id: &message.space_id, seq: message.seq };
    let added = mentions.iter().filter(|named| named.principal != me && !before.contains(named));
    let (_, news_for) =
        begin_receipts(tx, tools, at, added.map(|named| (named.principal.as_str(), named.name.as_str())))?;
    Ok(news_for)
}

fn pin(tx: &Tx<'_>, message: &Message, pinned: bool) -> Result<(), ApiError> {
    if message.author != tx.caller.principal_key() && !owns_space(tx.conn, tx.caller, message)? {
        return Err(
            ApiError::new(codes::FORBIDDEN).detail("Only its author and owners of the space can pin a message.")
        );
    }
    if pinned && !message.pinned && rows::count_pinned(tx.conn, &message.space_id, PINNED_MESSAGES)? >= PINNED_MESSAGES
    {
        return Err(codes::TOO_MANY_PINNED.into());
    }
    Ok(rows::pin(tx.conn, message.place, pinned)?)
}

pub(super) fn delete(app: &App, call: Call) -> Handled {
    let tools = SendTools::of(app);
    call.write(app, move |tx| {
        let message = visible(tx.conn, tx.caller, tx.input.param(0))?;
        if message.author != tx.caller.principal_key() && !owns_space(tx.conn, tx.caller, &message)? {
            return Err(
                ApiError::new(codes::FORBIDDEN).detail("Only its author and owners of the space can delete a message.")
            );
        }
        require(tx.conn, tx.caller, &message, SpaceRole::Editor)?;
        rows::delete(tx.conn, &message)?;
        let told = json!({"message_id": message.id, "space_id": message.space_id, "seq": message.seq});
        let event = between(&message, Event::new("message_deleted", &told));
        let topic = streams::space(&message.space_id);
        let tell: After = Box::new(move |reply, _| {
            tools.streams.tell(&topic, event);
            Outcome::Done(reply)
        });
        Ok(Written::Then(Reply::no_content(), tell))
    })
}
