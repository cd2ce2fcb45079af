//! The envelope of JSON-RPC 2.0, parsed strictly: one message, no batch, no reply from a client (MCP contract, section
//! 3).

use serde_json::{Map, Value};

use super::refusal::{INVALID_REQUEST, PARSE_ERROR, Refusal};
use crate::rest::json;

/// The key in `_meta` under which a modern request names its client's capabilities.
pub const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
/// The maximum bytes of an id that is a string.
const ID_BYTES: usize = 256;

/// A message from a client.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientMessage {
    /// A request, which gets a reply.
    Request(RpcRequest),
    /// A notification, which gets no reply.
    Notification,
}

/// A JSON-RPC request.
#[derive(Debug, Clone, PartialEq)]
pub struct RpcRequest {
    /// The id of the request, which the reply repeats.
    pub id: Value,
    /// The method.
    pub method: String,
    /// Its parameters; empty if there are none.
    pub params: Map<String, Value>,
}

impl RpcRequest {
    /// Returns a parameter that is a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name)?.as_str()
    }

    /// Returns a value of `_meta`, where a modern request describes itself.
    pub fn meta(&self, name: &str) -> Option<&Value> {
        self.params.get("_meta")?.as_object()?.get(name)
    }

    /// True if a modern client declares that its user can fill in a form. A client that names no mode has forms.
    pub fn has_forms(&self) -> bool {
        let own = self.meta(CAPABILITIES_KEY).and_then(|all| all.get("elicitation")).and_then(Value::as_object);
        own.is_some_and(|modes| modes.is_empty() || modes.contains_key("form"))
    }

    /// Returns the response of the client's user to the input request of this name.
    pub fn response(&self, name: &str) -> Option<&Map<String, Value>> {
        self.params.get("inputResponses")?.get(name)?.as_object()
    }
}

/// A refusal, and the id of the request if it could be read.
pub type Unread = (Refusal, Option<Value>);

/// Parses a body.
///
/// # Errors
/// -32700 or -32600, with HTTP status 400.
pub fn read(body: &[u8]) -> Result<ClientMessage, Unread> {
    let value = json::parse(body).map_err(|why| (Refusal::bad(PARSE_ERROR, format!("The body is {why}.")), None))?;
    let invalid = |message: &str| Refusal::bad(INVALID_REQUEST, message);
    let mut object = match value {
        Value::Object(object) => object,
        Value::Array(_) => return Err((invalid("A batch is not taken: send one message."), None)),
        _ => return Err((invalid("The body is JSON, but not an object."), None)),
    };
    let id = object.remove("id");
    if id.as_ref().is_some_and(|id| !is_id(id)) {
        return Err((invalid("The id is neither a text of at most 256 bytes nor an integer."), None));
    }
    let told = id.clone();
    let refused = move |message: &str| (invalid(message), told.clone());
    if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(refused("jsonrpc is not \"2.0\"."));
    }
    let Some(Value::String(method)) = object.remove("method") else {
        return Err(refused("There is no method: replies of a client are not taken."));
    };
    let params = match object.remove("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return Err(refused("params is not an object.")),
    };
    Ok(match id {
        Some(id) => ClientMessage::Request(RpcRequest { id, method, params }),
        None => ClientMessage::Notification,
    })
}

fn is_id(id: &Value) -> bool {
    match id {
        Value::String(text) => text.len() <= ID_BYTES,
        Value::Number(number) => number.is_i64() || number.is_u64(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(body: &str) -> i32 {
        read(body.as_bytes()).map_or_else(|(refusal, _)| refusal.code, |_| 0)
    }

    #[test]
    fn one_message_is_read_and_nothing_else() {
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#), 0);
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":"a","method":"ping","params":{},"more":1}"#), 0);
        assert_eq!(read(br#"{"jsonrpc":"2.0","method":"x"}"#), Ok(ClientMessage::Notification));
        for bad in ["", "{", r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, "\u{1}"] {
            assert_eq!(code(bad), PARSE_ERROR, "{bad}");
        }
        assert_eq!(code(&format!("{}1{}", "[".repeat(33), "]".repeat(33))), PARSE_ERROR);
        for bad in [
            "[]",
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            "1",
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
        ] {
            assert_eq!(code(bad), INVALID_REQUEST, "{bad}");
        }
        let long = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#, "x".repeat(257));
        assert_eq!(code(&long), INVALID_REQUEST);
    }

    #[test]
    fn a_refusal_names_the_id_that_was_read() {
        let (_, id) = read(br#"{"id":7,"method":"ping"}"#).unwrap_err();
        assert_eq!(id, Some(Value::from(7)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
