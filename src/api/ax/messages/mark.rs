//! Marking messages as read, and reacting to them.

use hyper::http::StatusCode;
use serde_json::{Map, Value, json};

use super::fields::{EMOJI, MESSAGE_IDS, SPACE, bad};
use super::send::SendTools;
use super::show::{require, visible};
use crate::access::{SpaceRole, resolve_space};
use crate::api::ax::allowance;
use crate::api::engine::app::App;
use crate::api::engine::call::{After, Call, Handled, Written};
use crate::jobs::events::feed::Event;
use crate::jobs::events::streams;
use crate::limits::{REACTION_KINDS, REACTIONS};
use crate::rest::codes;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::store::messages::receipts::{self, ReceiptState};
use crate::store::messages::{self as rows, reading};

pub(super) fn read(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let message = visible(tx.conn, tx.caller, tx.input.param(0))?;
        let me = tx.caller.principal_key();
        reading::mark(tx.conn, &message.space_id, &me, std::slice::from_ref(&message), None, tx.now)?;
        Ok(Reply::ok(&json!({"status": "success", "message_id": message.id})))
    })
}

pub(super) fn all_read(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let named = tx.input.body.text(&SPACE).filter(|id| !id.is_empty());
        let space_id = resolve_space(tx.conn, tx.caller, named, SpaceRole::Viewer)?;
        let marked = reading::mark_all(tx.conn, &space_id, &tx.caller.principal_key(), tx.now)?;
        Ok(Reply::ok(&json!({"status": "success", "marked_read": marked})))
    })
}

pub(super) fn these(app: &App, call: Call) -> Handled {
    let ids = call.input.body.texts(&MESSAGE_IDS).unwrap_or_default();
    if ids.is_empty() {
        return all_read(app, call);
    }
    call.write(app, |tx| {
        let me = tx.caller.principal_key();
        let mut marked = 0;
        for id in tx.input.body.texts(&MESSAGE_IDS).unwrap_or_default() {
            let message = visible(tx.conn, tx.caller, id)?;
            marked += reading::mark(tx.conn, &message.space_id, &me, std::slice::from_ref(&message), None, tx.now)?;
        }
        Ok(Reply::ok(&json!({"status": "success", "marked_read": marked})))
    })
}

pub(super) fn react(app: &App, call: Call) -> Handled {
    let tools = SendTools::of(app);
    call.write(app, move |tx| {
        let message = visible(tx.conn, tx.caller, tx.input.param(0))?;
        require(tx.conn, tx.caller, &message, SpaceRole::Editor)?;
        let (emoji, me) = (tx.input.body.text(&EMOJI).unwrap_or("").trim(), tx.caller.principal_key());
        if emoji.is_empty() || emoji.contains(char::is_control) {
            return Err(bad("emoji", "must have a visible character and no control character"));
        }
        if message.author != me {
            receipts::advance(tx.conn, message.place, &me, ReceiptState::Answered, tx.now)?;
        }
        let (own, is_there) = rows::reactions_of(tx.conn, message.place, &me, emoji)?;
        let reply = Reply::json(StatusCode::CREATED, &json!({"ok": true}));
        if is_there {
            return Ok(Written::Reply(reply));
        }
        let mut all: Map<String, Value> = serde_json::from_str(&message.reactions).unwrap_or_default();
        let given = all.get(emoji).and_then(Value::as_i64).unwrap_or(0);
        if own >= REACTIONS || (given == 0 && all.len() >= REACTION_KINDS) {
            return Err(codes::TOO_MANY_REACTIONS.into());
        }
        allowance::spend(tx, &tools.settings, emoji.len() as u64, 1)?;
        all.insert(emoji.to_owned(), json!(given + 1));
        let all = Value::Object(all);
        rows::react(tx.conn, message.place, &me, emoji, &all.to_string())?;
        let told = json!({"message_id": message.id, "space_id": message.space_id, "seq": message.seq,
            "reactions": all, "by": tx.caller.name()});
        let event = super::change::between(&message, Event::new("message_reaction", &told));
        let topic = streams::space(&message.space_id);
        let tell: After = Box::new(move |reply, _| {
            tools.streams.tell(&topic, event);
            Outcome::Done(reply)
        });
        Ok(Written::Then(reply, tell))
    })
}
