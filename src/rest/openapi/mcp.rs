//! The endpoint of the Model Context Protocol in `/openapi.json`. Its messages are JSON-RPC, which has schemas of its
//! own.

use serde_json::{Map, Value, json};

use super::headers;
use crate::rest::codes::{self, Code};
use crate::rest::error::Dialect;

/// The codes that the endpoint can refuse with before it reads a message.
pub(super) const CODES: [&Code; 5] = [
    codes::AUTH_REQUIRED,
    codes::INVALID_TOKEN,
    codes::RATE_LIMITED,
    codes::UNSUPPORTED_MEDIA_TYPE,
    codes::SCOPE_DENIED,
];

/// The schema of a JSON-RPC error.
pub(super) fn error_schema() -> Value {
    json!({
        "type": "object",
        "description": "An error of JSON-RPC. Before a message is read, its code is the status, and data has the four fields of every error.",
        "required": ["jsonrpc", "error"],
        "properties": {
            "jsonrpc": {"type": "string", "enum": ["2.0"], "description": "The version of JSON-RPC."},
            "id": {"description": "The id of the request, where it was read."},
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {
                    "code": {"type": "integer", "description": "A code of JSON-RPC, or the status."},
                    "message": {"type": "string", "description": "What went wrong in this case."},
                    "data": {"description": "More about the error."},
                },
            },
        },
    })
}

/// The request body: one JSON-RPC message.
pub(super) fn request_body(example: &str) -> Value {
    let mut media = json!({"schema": {
        "type": "object",
        "required": ["jsonrpc", "method"],
        "properties": {
            "jsonrpc": {"type": "string", "enum": ["2.0"], "description": "The version of JSON-RPC."},
            "id": {
                "anyOf": [{"type": "string", "maxLength": 256}, {"type": "integer"}],
                "description": "The id that the reply repeats; a notification has none.",
            },
            "method": {"type": "string", "description": "The method."},
            "params": {"type": "object", "description": "Its parameters."},
        },
    }});
    if let Ok(example) = serde_json::from_str::<Value>(example) {
        media["example"] = example;
    }
    json!({"required": true, "content": {"application/json": media}})
}

/// Adds the replies beside the success and the refusals: 202, and 404 for an unknown method.
pub(super) fn add_responses(responses: &mut Map<String, Value>) {
    let taken =
        json!({"description": "The daemon accepted a notification.", "headers": headers::of_success(false, &[])});
    responses.insert("202".to_owned(), taken);
    let missing = super::refusal::refusal(404, &[codes::NOT_FOUND], Dialect::Mcp, false);
    responses.insert("404".to_owned(), missing);
}
