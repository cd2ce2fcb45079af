//! The content of a method's result, and how it becomes a JSON-RPC result in either era (MCP contract, section 3).

use hyper::header::HeaderMap;
use hyper::http::StatusCode;
use serde_json::{Map, Value, json};

use super::era::Era;
use super::packed::Packed;
use crate::rest::reply::Reply;

/// The members of a result.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResultBody {
    /// The members as JSON, without the braces around them.
    members: String,
    /// The content of `_meta`.
    meta: Map<String, Value>,
    /// How long the client may cache it, in milliseconds; `None` if the result does not say.
    ttl: Option<u64>,
    /// Whether the client must call again with the requested input.
    asks: bool,
}

impl ResultBody {
    /// Creates a result with the members of this object.
    pub fn object(object: &Value) -> Self {
        let text = object.to_string();
        Self::members(text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or("").to_owned())
    }

    /// Creates a result from members that are already JSON, without the braces.
    pub fn members(members: String) -> Self {
        Self { members, ..Self::default() }
    }

    /// Creates a result that asks the client for input before it calls again: requests by their names, and a state that
    /// the client sends back unchanged. Only for modern clients.
    pub fn asking(requests: &Value, state: Option<&str>) -> Self {
        let mut told = json!({"inputRequests": requests});
        if let Some(state) = state {
            told["requestState"] = json!(state);
        }
        Self { asks: true, ..Self::object(&told) }
    }

    /// Adds a value to `_meta`.
    #[must_use]
    pub fn with_meta(mut self, key: &str, value: Value) -> Self {
        self.meta.insert(key.to_owned(), value);
        self
    }

    /// Lets a modern client cache the result for `ms` milliseconds. The cache is private because the content depends on
    /// the credential.
    #[must_use]
    pub fn kept_for(self, ms: u64) -> Self {
        Self { ttl: Some(ms), ..self }
    }

    /// Returns the result as JSON.
    pub fn result(mut self, era: Era) -> String {
        let mut text = String::with_capacity(self.members.len() + 256);
        text.push('{');
        text.push_str(&self.members);
        let mut add = |name: &str, value: &Value| {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&format!("\"{name}\":{value}"));
        };
        if era == Era::Modern {
            add("resultType", &json!(if self.asks { "input_required" } else { "complete" }));
            if let Some(ttl) = self.ttl {
                add("ttlMs", &json!(ttl));
                add("cacheScope", &json!("private"));
            }
            self.meta.insert("io.modelcontextprotocol/serverInfo".to_owned(), server_info());
        }
        if !self.meta.is_empty() {
            add("_meta", &Value::Object(self.meta));
        }
        text.push('}');
        text
    }

    /// Returns the reply to the request with this id.
    pub fn reply(self, era: Era, id: &Value) -> Reply {
        let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{}}}", self.result(era));
        Reply::typed(StatusCode::OK, "application/json", body)
    }

    /// Returns the reply with these members before its own, compressed if the request accepts that.
    pub fn reply_with(self, members: &Packed, era: Era, id: &Value, request: &HeaderMap) -> Reply {
        let before = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{");
        let own = self.result(era);
        let own = own.strip_prefix('{').unwrap_or(&own);
        let comma = if own.starts_with('}') { "" } else { "," };
        members.reply(&before, &format!("{comma}{own}}}"), request)
    }
}

/// Returns the name and version of this server.
pub fn server_info() -> Value {
    json!({"name": "taosd", "title": "taosd", "version": env!("CARGO_PKG_VERSION")})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_json_in_both_eras() {
        for members in [json!({}), json!({"a": [1, "}"], "b": {}})] {
            let told = ResultBody::object(&members).with_meta("taosd/replayed", json!(true)).kept_for(7);
            let legacy: Value = serde_json::from_str(&told.clone().result(Era::Legacy)).unwrap();
            assert_eq!(legacy["_meta"], json!({"taosd/replayed": true}));
            assert!(legacy.get("ttlMs").is_none() && legacy.get("resultType").is_none());
            let modern: Value = serde_json::from_str(&told.result(Era::Modern)).unwrap();
            assert_eq!((&modern["ttlMs"], &modern["resultType"]), (&json!(7), &json!("complete")));
            assert_eq!(modern["a"], members.get("a").cloned().unwrap_or(Value::Null));
        }
        assert_eq!(ResultBody::default().result(Era::Legacy), "{}");
    }
}
