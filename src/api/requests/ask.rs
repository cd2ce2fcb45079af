//! Questions: an agent asks its owner in a message, and the owner's reply to that message is the answer.

use serde_json::{Value, json};

use super::decide;
use super::fields;
use super::tell::Put;
use super::tell::{self, RequestNews};
use crate::access::{self, Principal, SpaceRole, resolve_space};
use crate::api::engine::call::Tx;
use crate::limits::TEXT_BYTES;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::input::Fields;
use crate::store;
use crate::store::messages::receipts::{self, At};
use crate::store::messages::{self, Message, NewMessage};
use crate::store::requests::{self as rows, Request, RequestState};
use crate::time::Micros;

/// A checked question.
#[derive(Debug)]
pub struct Question {
    text: String,
    /// The options to choose from. `None`: yes and no. Empty: the answer is free text.
    options: Option<Vec<String>>,
    free_text: bool,
}

impl Question {
    pub(super) fn told(&self) -> Value {
        let mut told = json!({"question": self.text, "free_text": self.free_text});
        if let Some(options) = &self.options {
            told["options"] = json!(options);
        }
        told
    }

    /// Returns the message's text: the question and its numbered options.
    fn content(&self) -> String {
        let mut content = self.text.clone();
        for (nth, option) in self.options.iter().flatten().enumerate() {
            content.push_str(&format!("\n{}. {option}", nth + 1));
        }
        content
    }
}

/// The bounds of a question's options: the fewest, the most, and the characters of each.
type Options = (usize, usize, usize);

/// Reads a question of at most `chars` characters from a body, with options within the given bounds.
///
/// # Errors
/// `validation_error` (422).
pub fn check(body: &Fields, chars: usize, (least, most, option_chars): Options) -> Result<Question, ApiError> {
    let text = body.text(&fields::QUESTION).unwrap_or("");
    if text.trim().is_empty() || text.chars().count() > chars {
        return Err(ApiError::field("question", format!("must have 1 to {chars} characters")));
    }
    let options = body.texts(&fields::OPTIONS).map(|texts| texts.into_iter().map(str::to_owned).collect::<Vec<_>>());
    if let Some(options) = &options {
        let is_good = |text: &String| !text.trim().is_empty() && text.chars().count() <= option_chars;
        let repeated = options.iter().enumerate().any(|(nth, one)| options[..nth].contains(one));
        if !(least..=most).contains(&options.len()) || !options.iter().all(is_good) || repeated {
            let problem = format!("must be {least} to {most} different texts of 1 to {option_chars} characters");
            return Err(ApiError::field("options", problem));
        }
    }
    Ok(Question { text: text.to_owned(), options, free_text: body.flag(&fields::FREE_TEXT).unwrap_or(false) })
}

/// Reads a question to the user. A free text is always an answer; without options it is the only one.
///
/// # Errors
/// `validation_error` (422).
pub fn question(body: &Fields, chars: usize, options: Options) -> Result<Question, ApiError> {
    let read = check(body, chars, options)?;
    Ok(Question { options: Some(read.options.unwrap_or_default()), free_text: true, ..read })
}

/// Sends a question to the agent's owner as a direct message in `space`, or in the agent's space if absent. Returns
/// `None` if the agent may not write there and `must` is false.
pub(super) fn put(
    tx: &Tx<'_>,
    request_id: &str,
    question: &Question,
    space: Option<&str>,
    must: bool,
) -> Result<Option<Put>, ApiError> {
    let Principal::Agent { owner, .. } = tx.caller.principal() else { return Ok(None) };
    let space_id = match resolve_space(tx.conn, tx.caller, space, SpaceRole::Editor) {
        Ok(space_id) => space_id,
        Err(error) if must || error.code.status >= 500 => return Err(error),
        Err(_) => return Ok(None),
    };
    let (me, to) = (tx.caller.principal_key(), format!("user:{}", owner.id));
    let content = question.content();
    let metadata = json!({"question": {"request_id": request_id, "options": question.options}}).to_string();
    let mentions = json!([{"principal": to, "name": owner.username}]).to_string();
    debug_assert!(content.len() < TEXT_BYTES);
    let id = store::new_id();
    let stored = messages::insert(
        tx.conn,
        &NewMessage {
            id: &id,
            space_id: &space_id,
            channel: &format!("dm:{}", owner.username),
            message_type: "question",
            parent_id: None,
            conversation_id: &id,
            author: &me,
            author_name: tx.caller.name(),
            addressee: Some(&to),
            content: &content,
            mentions: &mentions,
            attachments: "[]",
            metadata: &metadata,
            task: None,
            expects_reply_by: None,
            created_at: tx.now,
        },
    )?;
    let at = At { place: stored.place, space_id: &space_id, seq: stored.seq };
    receipts::add(tx.conn, at, &to, &owner.username, tx.now)?;
    Ok(Some(Put { message_id: id, space_id }))
}

/// Stores a reply to a message as the answer, if the message asks a pending question and the owner of the asking agent
/// wrote the reply. Returns the news of the request, or `None` if the reply is no answer.
///
/// # Errors
/// Any `StoreError`.
pub fn answered_by(tx: &Tx<'_>, parent: &Message, reply: &str) -> Result<Option<RequestNews>, ApiError> {
    let Principal::User(user) = tx.caller.principal() else { return Ok(None) };
    if parent.message_type != "question" {
        return Ok(None);
    }
    let Some(request) = rows::of_message(tx.conn, &parent.id)? else { return Ok(None) };
    if request.owner_id != user.id || request.state_at(tx.now) != RequestState::Pending {
        return Ok(None);
    }
    let answer = answer(&request, reply).to_string();
    if !rows::answer(tx.conn, &request, answer, (Some(&user.id), &user.username), tx.now)? {
        return Ok(None);
    }
    audit(tx, &request, tx.now)?;
    let request = rows::by_id(tx.conn, &request.id)?.ok_or(codes::INTERNAL)?;
    Ok(Some(tell::changed(tx.conn, &request, tx.now)?))
}

fn audit(tx: &Tx<'_>, request: &Request, now: Micros) -> store::Result<()> {
    let entry = store::audit::AuditEntry::new(
        tx.caller.audited(),
        access::Action::RequestsDecide.slug(),
        format!("request:{}", request.id),
        tx.caller.request_id(),
    );
    store::audit::append(tx.conn, &entry.at(now))
}

/// Returns the answer that a reply gives: the option that it equals, ignoring case, or else its text.
pub(super) fn answer(request: &Request, reply: &str) -> Value {
    let options = decide::options_of(request);
    let given = reply.trim();
    let is_it = |option: &String| option.trim().to_lowercase() == given.to_lowercase();
    let nth = options.iter().position(is_it);
    let text: String = nth.map_or_else(|| given.to_owned(), |nth| options[nth].clone());
    json!({"option": nth, "text": text})
}
