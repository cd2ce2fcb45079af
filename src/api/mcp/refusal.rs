//! The refusals of the MCP endpoint: a JSON-RPC error with an HTTP status (MCP contract, section 3).

use hyper::header::HeaderName;
use hyper::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::rest::reply::Reply;

/// The body is not JSON, is nested too deep, or has a key twice.
pub const PARSE_ERROR: i32 = -32700;
/// The body is JSON, but not a valid message.
pub const INVALID_REQUEST: i32 = -32600;
/// The method does not exist, or not in this era.
pub const METHOD_NOT_FOUND: i32 = -32601;
/// The parameters are invalid.
pub const INVALID_PARAMS: i32 = -32602;
/// An internal error, or the box cannot work now.
pub const INTERNAL: i32 = -32603;
/// The resource is missing; the code of the legacy revisions.
pub const RESOURCE_NOT_FOUND: i32 = -32002;
/// The headers differ from the body.
pub const HEADER_MISMATCH: i32 = -32020;
/// The revision is not supported.
pub const UNSUPPORTED_VERSION: i32 = -32022;

/// A refused request.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The JSON-RPC error code.
    pub code: i32,
    /// A text that says what is wrong.
    pub message: String,
    /// More details, such as an error envelope.
    pub data: Option<Value>,
    /// The headers of the reply.
    pub headers: Vec<(HeaderName, String)>,
}

impl Refusal {
    /// Creates a refusal with HTTP status 400.
    pub fn bad(code: i32, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into(), data: None, headers: Vec::new() }
    }

    /// Creates a refusal of the method's parameters, with HTTP status 200 because the message itself was valid.
    pub fn params(message: impl Into<String>) -> Self {
        Self { status: 200, ..Self::bad(INVALID_PARAMS, message) }
    }

    /// Adds data to the refusal.
    #[must_use]
    pub fn with(self, data: Value) -> Self {
        Self { data: Some(data), ..self }
    }

    /// Returns the reply to the request with this id; `None` if no id could be read.
    pub fn reply(&self, id: Option<&Value>) -> Reply {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        let mut body = Map::from_iter([("jsonrpc".to_owned(), json!("2.0"))]);
        if let Some(id) = id {
            body.insert("id".to_owned(), id.clone());
        }
        body.insert("error".to_owned(), error);
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let reply = Reply::json(status, &body);
        self.headers.iter().fold(reply, |reply, (name, value)| reply.with(name.clone(), value))
    }
}
