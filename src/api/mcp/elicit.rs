//! Elicitation: a question to the user of the client itself. The reply to the call is a form; the client calls again
//! with what its user filled in (MCP contract, section 4). The state that the client sends back binds the answer to the
//! caller and to the call.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};

use super::envelope::RpcRequest;
use super::refusal::Refusal;
use super::result_body::ResultBody;
use crate::api::engine::logins::Logins;
use crate::limits::ANSWER_CHARS;
use crate::rest::error::ApiError;
use crate::time::Micros;

/// The tool that can ask with a form.
pub const TOOL: &str = "user_ask";
/// The argument that asks for the form, and the value that it needs.
const VIA: (&str, &str) = ("via", "client");
/// The name of the form and of its only field.
const ANSWER: &str = "answer";
/// The seconds for which an answer is accepted.
const LIFE: i64 = 600;

/// The state of an elicitation.
pub enum Elicitation {
    /// The client must still ask its user; the form.
    Form(ResultBody),
    /// The user's answer; empty if the user declined or cancelled.
    Answer(String),
}

/// True if a call asks for a form.
pub fn is_wanted(tool: &str, arguments: &Map<String, Value>) -> bool {
    tool == TOOL && arguments.get(VIA.0).and_then(Value::as_str) == Some(VIA.1)
}

/// Returns the refusal for a client that does not support forms.
pub fn no_forms() -> ApiError {
    ApiError::field(VIA.0, "cannot be client: this client does not declare elicitation.form")
}

/// Returns the form, or the answer that the client sent with this call.
///
/// # Errors
/// -32602 for a state that is not this call's or has expired.
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
        // If the answer is invalid, the form is sent again.
        if let Some(answer) = request.response(ANSWER).and_then(|response| answer(response, options(arguments))) {
            return Ok(Elicitation::Answer(answer));
        }
    }
    let form = json!({ANSWER: {"method": "elicitation/create", "params": form(arguments)}});
    Ok(Elicitation::Form(ResultBody::asking(&form, Some(&encoded(&seal(now + LIFE))))))
}

fn encoded(sealed: &[u8]) -> String {
    BASE64URL_NOPAD.encode(sealed)
}

/// Reads the expiry of a state, which is not verified here.
fn until_of(state: &str) -> Option<i64> {
    let sealed = BASE64URL_NOPAD.decode(state.as_bytes()).ok()?;
    Some(i64::from_be_bytes(*sealed.first_chunk()?))
}

/// Returns the options of the question; `None` if any text answers it.
fn options(arguments: &Map<String, Value>) -> Option<&Vec<Value>> {
    arguments.get("options")?.as_array().filter(|all| !all.is_empty())
}

fn form(arguments: &Map<String, Value>) -> Value {
    let mut field = json!({"type": "string", "title": "Answer", "minLength": 1, "maxLength": ANSWER_CHARS});
    if let Some(options) = options(arguments) {
        field = json!({"type": "string", "title": "Answer", "enum": options});
    }
    json!({
        "mode": "form",
        "message": arguments.get("question"),
        "requestedSchema": {"type": "object", "properties": {ANSWER: field}, "required": [ANSWER]},
    })
}

fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Returns the answer in a form's response; `None` if it does not fit the form.
fn answer(response: &Map<String, Value>, options: Option<&Vec<Value>>) -> Option<String> {
    match response.get("action")?.as_str()? {
        "accept" => {
            let text = response.get("content")?.get(ANSWER)?.as_str()?;
            let fits = match options {
                // As in a reply to a question, case does not matter.
                Some(options) => options.iter().filter_map(Value::as_str).any(|option| folded(option) == folded(text)),
                None => !text.trim().is_empty() && text.chars().count() <= ANSWER_CHARS,
            };
            fits.then(|| text.to_owned())
        }
        "decline" | "cancel" => Some(String::new()),
        _ => None,
    }
}
