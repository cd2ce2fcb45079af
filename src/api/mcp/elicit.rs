//! Asking the user of the client itself: the call comes back with a form, and the client calls again with what its user
//! filled in (MCP contract, section 4). The state that it gives back binds the answer to the caller and to the call.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};

use super::envelope::RpcRequest;
use super::refusal::Refusal;
use super::result_body::ResultBody;
use crate::api::engine::logins::Logins;
use crate::limits::ANSWER_CHARS;
use crate::rest::error::ApiError;
use crate::time::Micros;

/// The tool that can ask so.
pub const TOOL: &str = "user_ask";
/// The argument that asks for the form, and its value.
const VIA: (&str, &str) = ("via", "client");
/// The form, and its only field.
const ANSWER: &str = "answer";
/// Seconds in which an answer counts.
const LIFE: i64 = 600;

/// How far asking has come.
pub enum Elicitation {
    /// The user is still to be asked.
    Form(ResultBody),
    /// What the user answered; empty: nothing.
    Answer(String),
}

/// True if a call asks for a form.
pub fn is_wanted(tool: &str, arguments: &Map<String, Value>) -> bool {
    tool == TOOL && arguments.get(VIA.0).and_then(Value::as_str) == Some(VIA.1)
}

/// The refusal of a form to a client that has none.
pub fn no_forms() -> ApiError {
    ApiError::field(VIA.0, "cannot be client: this client does not declare elicitation.form")
}

/// The form, or what came back from it.
///
/// # Errors
/// -32602 for a state that is not this call's, or is too old.
pub fn ask(
    logins: &Logins,
    principal: &str,
    request: &RpcRequest,
    arguments: &Map<String, Value>,
) -> Result<Elicitation, Refusal> {
    let now = Micros::now().0 / Micros::SECOND;
    let seal = |until: i64| {
        let sorted: std::collections::BTreeMap<_, _> = arguments.iter().collect();
        let mac = logins.state_mac(&json!([principal, TOOL, sorted, until]).to_string());
        [until.to_be_bytes().as_slice(), mac.as_bytes()].concat()
    };
    if let Some(state) = request.params.get("requestState") {
        let until = state.as_str().and_then(until_of);
        let is_ours = until.is_some_and(|until| until > now && encoded(&seal(until)) == state.as_str().unwrap_or(""));
        if !is_ours {
            return Err(Refusal::params("requestState is not that of this call, or it is older than 10 minutes."));
        }
        // What is no answer is asked for again.
        if let Some(answer) = request.response(ANSWER).and_then(answer) {
            return Ok(Elicitation::Answer(answer));
        }
    }
    let form = json!({ANSWER: {"method": "elicitation/create", "params": form(arguments)}});
    Ok(Elicitation::Form(ResultBody::asking(&form, Some(&encoded(&seal(now + LIFE))))))
}

fn encoded(sealed: &[u8]) -> String {
    BASE64URL_NOPAD.encode(sealed)
}

/// The end that a state names, whoever made it.
fn until_of(state: &str) -> Option<i64> {
    let sealed = BASE64URL_NOPAD.decode(state.as_bytes()).ok()?;
    Some(i64::from_be_bytes(*sealed.first_chunk()?))
}

fn form(arguments: &Map<String, Value>) -> Value {
    let mut field = json!({"type": "string", "title": "Answer", "minLength": 1, "maxLength": ANSWER_CHARS});
    if let Some(options) =
        arguments.get("options").filter(|options| options.as_array().is_some_and(|all| !all.is_empty()))
    {
        field = json!({"type": "string", "title": "Answer", "enum": options});
    }
    json!({
        "mode": "form",
        "message": arguments.get("question"),
        "requestedSchema": {"type": "object", "properties": {ANSWER: field}, "required": [ANSWER]},
    })
}

/// What a form came back with; `None`: not what it asked for.
fn answer(response: &Map<String, Value>) -> Option<String> {
    match response.get("action")?.as_str()? {
        "accept" => {
            let text = response.get("content")?.get(ANSWER)?.as_str()?;
            let fits = !text.trim().is_empty() && text.chars().count() <= ANSWER_CHARS;
            fits.then(|| text.to_owned())
        }
        "decline" | "cancel" => Some(String::new()),
        _ => None,
    }
}
