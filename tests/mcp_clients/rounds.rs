//! The suite's tools that need input from the client's user, in one round or more.

use serde_json::{Map, Value, json};
use taosd::fuzzing::mcp::{CAPABILITIES_KEY, MethodResult, Refusal, ResultBody, RpcRequest};

use super::fixture::{Streamed, said};

/// The names of these tools.
pub const TOOLS: &[&str] = &[
    "test_input_required_result_capabilities",
    "test_input_required_result_elicitation",
    "test_input_required_result_list_roots",
    "test_input_required_result_multi_round",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_request_state",
    "test_input_required_result_sampling",
    "test_input_required_result_tampered_state",
];
/// The prompt that needs input as well.
pub const PROMPT: &str = "test_input_required_result_prompt";

fn form(message: &str, name: &str, kind: &str) -> Value {
    let schema = json!({"type": "object", "properties": {name: {"type": kind}}, "required": [name]});
    json!({"method": "elicitation/create", "params": {"message": message, "requestedSchema": schema}})
}

fn sample(text: &str, tokens: u32) -> Value {
    let message = json!({"role": "user", "content": {"type": "text", "text": text}});
    json!({"method": "sampling/createMessage", "params": {"messages": [message], "maxTokens": tokens}})
}

fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}

fn asks(requests: &Value, state: Option<&str>) -> MethodResult<Streamed> {
    Ok(ResultBody::asking(requests, state.map(seal).as_deref()).into())
}

/// Seals a state so that nobody else can make it.
fn seal(state: &str) -> String {
    let mac = blake3::keyed_hash(&[7; 32], state.as_bytes());
    format!("{state}.{}", mac.to_hex())
}

/// Returns the state that came back, or `None` if there was none. A wrong seal is refused.
fn state(request: &RpcRequest) -> Result<Option<&str>, Refusal> {
    let Some(given) = request.text("requestState") else { return Ok(None) };
    let state = given.rsplit_once('.').map(|(state, _)| state).filter(|state| seal(state) == given);
    state.map(Some).ok_or_else(|| Refusal::params("requestState is none of this server's."))
}

/// Returns a field of an accepted form.
fn filled<'a>(request: &'a RpcRequest, key: &str, field: &str) -> Option<&'a Value> {
    let response: &Map<String, Value> = request.response(key)?;
    (response.get("action")? == "accept").then(|| response.get("content")?.get(field)).flatten()
}

/// Calls one of the tools.
pub fn call(request: &RpcRequest, name: &str) -> MethodResult<Streamed> {
    let known = state(request)?;
    let text = |key: &str, field: &str| filled(request, key, field).and_then(Value::as_str);
    match name {
        "test_input_required_result_elicitation" => match text("user_name", "name") {
            Some(name) => said(&format!("Hello, {name}!")),
            None => asks(&json!({"user_name": form("What is your name?", "name", "string")}), None),
        },
        "test_input_required_result_sampling" => match request.response("capital_question") {
            Some(sampled) => said(&json!(sampled).to_string()),
            None => asks(&json!({"capital_question": sample("What is the capital of France?", 100)}), None),
        },
        "test_input_required_result_list_roots" => match request.response("client_roots") {
            Some(listed) => said(&json!(listed).to_string()),
            None => asks(&json!({"client_roots": roots()}), None),
        },
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
            match (known, filled(request, "confirm", "ok")) {
                (Some(_), Some(_)) => said("state-ok"),
                _ => asks(&json!({"confirm": form("Please confirm", "ok", "boolean")}), Some("confirm")),
            }
        }
        "test_input_required_result_multiple_inputs" => {
            let given = |key: &str| request.response(key).is_some();
            if known.is_some() && given("user_name") && given("greeting") && given("client_roots") {
                return said("All is there.");
            }
            let all = json!({
                "user_name": form("What is your name?", "name", "string"),
                "greeting": sample("Generate a greeting", 50),
                "client_roots": roots(),
            });
            asks(&all, Some("all"))
        }
        "test_input_required_result_multi_round" => match (known, text("step1", "name"), text("step2", "color")) {
            (Some("two"), _, Some(color)) => said(&format!("You like {color}.")),
            (Some("one"), Some(_), _) => {
                asks(&json!({"step2": form("Step 2: What is your favorite color?", "color", "string")}), Some("two"))
            }
            _ => asks(&json!({"step1": form("Step 1: What is your name?", "name", "string")}), Some("one")),
        },
        "test_input_required_result_capabilities" => {
            let can = |what: &str| request.meta(CAPABILITIES_KEY).is_some_and(|all| all.get(what).is_some());
            let mut all = Map::new();
            if can("sampling") {
                all.insert("sampled".to_owned(), sample("Say anything", 10));
            }
            if can("elicitation") {
                all.insert("asked".to_owned(), form("What is your name?", "name", "string"));
            }
            asks(&Value::Object(all), None)
        }
        _ => Err(Refusal::params("There is no such tool.")),
    }
}

/// Returns the prompt, or asks for its context first.
pub fn prompt(request: &RpcRequest) -> MethodResult<Streamed> {
    match filled(request, "user_context", "context").and_then(Value::as_str) {
        Some(context) => {
            let content = json!({"type": "text", "text": format!("Use this context: {context}")});
            Ok(ResultBody::object(&json!({"messages": [{"role": "user", "content": content}]})).into())
        }
        None => asks(&json!({"user_context": form("What context should the prompt use?", "context", "string")}), None),
    }
}
