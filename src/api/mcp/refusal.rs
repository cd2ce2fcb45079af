//! How the MCP endpoint refuses: an error of JSON-RPC under a status of HTTP (MCP contract, section 3).

use hyper::header::HeaderName;
use hyper::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::rest::reply::Reply;

/// Not JSON, nested too deep, or a key twice.
pub const PARSE_ERROR: i32 = -32700;
/// JSON, but no message.
pub const INVALID_REQUEST: i32 = -32600;
/// A method that there is not, or not in this era.
pub const METHOD_NOT_FOUND: i32 = -32601;
/// Parameters that do not fit.
pub const INVALID_PARAMS: i32 = -32602;
/// Our fault, or the box is in trouble.
pub const INTERNAL: i32 = -32603;
/// A missing resource, with the code of the legacy revisions.
pub const RESOURCE_NOT_FOUND: i32 = -32002;
/// The headers do not say what the body says.
pub const HEADER_MISMATCH: i32 = -32020;
/// A revision that is not ours.
pub const UNSUPPORTED_VERSION: i32 = -32022;

/// A refusal.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The status of HTTP.
    pub status: u16,
    /// The code of JSON-RPC.
    pub code: i32,
    /// What is wrong.
    pub message: String,
    /// What else there is to know.
    pub data: Option<Value>,
    /// Headers of the reply.
    pub headers: Vec<(HeaderName, String)>,
}

impl Refusal {
    /// A refusal under 400.
    pub fn bad(code: i32, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into(), data: None, headers: Vec::new() }
    }

    /// A refusal of what the method was asked for: under 200, because the message itself was in order.
    pub fn params(message: impl Into<String>) -> Self {
        Self { status: 200, ..Self::bad(INVALID_PARAMS, message) }
    }

    /// With this beside the message.
    #[must_use]
    pub fn with(self, data: Value) -> Self {
        Self { data: Some(data), ..self }
    }

    /// The reply to the request of this id; without one, to what could not be read.
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
