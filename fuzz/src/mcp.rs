//! Messages of the Model Context Protocol with the headers that come with them.

use std::sync::Arc;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use taosd::fuzzing::mcp::{
    Catalogue, ClientMessage, Completion, Era, McpAnswer, MethodResult, Packed, Refusal, ResultBody, RpcRequest,
    answer, era_of, read,
};
use taosd::rest::reply::Body;

/// Every code that an error may have.
const CODES: [i64; 7] = [-32700, -32600, -32601, -32602, -32002, -32020, -32022];

/// Every revision that a request may name.
const VERSIONS: [&str; 5] = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// Splits the input into headers and a body. The first byte of a line selects the header's name. The body begins at the
/// first line that starts with a brace or a bracket.
fn split(data: &[u8]) -> (HeaderMap, &[u8]) {
    let (mut headers, mut rest) = (HeaderMap::new(), data);
    while let Some(end) = rest.iter().position(|b| *b == b'\n').filter(|_| !matches!(rest.first(), Some(b'{' | b'['))) {
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        let name = match line.first() {
            Some(b'v') => "mcp-protocol-version",
            Some(b'm') => "mcp-method",
            _ => "mcp-name",
        };
        if let Ok(value) = HeaderValue::from_bytes(line.get(1..).unwrap_or_default()) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    (headers, rest)
}

/// A notification gets an empty reply, and any other input one JSON-RPC reply with the id of its request. A modern
/// request is accepted only if its headers agree with its body.
pub fn mcp(data: &[u8]) {
    let (headers, body) = split(data);
    let read = read(body);
    if let Ok(ClientMessage::Request(request)) = &read {
        check_request(request, &headers);
    }
    let McpAnswer::Reply(reply) = answer(&Nothing, &headers, body) else { return };
    let Body::Bytes(bytes) = &reply.body else { panic!("a reply is whole") };
    let id = match &read {
        Ok(ClientMessage::Notification) => {
            assert!(reply.status == 202 && bytes.is_empty());
            return;
        }
        Ok(ClientMessage::Request(request)) => Some(&request.id),
        Err((_, id)) => id.as_ref(),
    };
    let told: Value = serde_json::from_slice(bytes).expect("a reply is JSON");
    assert_eq!((&told["jsonrpc"], told.get("id")), (&json!("2.0"), id));
    assert_eq!(told.get("result").is_some(), told.get("error").is_none());
    match told["error"]["code"].as_i64() {
        None => assert_eq!(reply.status, 200),
        Some(code) => assert!(CODES.contains(&code) && [200, 400, 404].contains(&reply.status.as_u16()), "{told}"),
    }
    assert!(read.is_ok() || reply.status == 400);
}

fn check_request(request: &RpcRequest, headers: &HeaderMap) {
    match &request.id {
        Value::String(id) => assert!(id.len() <= 256),
        id => assert!(id.is_i64() || id.is_u64()),
    }
    let again = json!({"jsonrpc": "2.0", "id": request.id, "method": request.method, "params": request.params});
    assert_eq!(read(again.to_string().as_bytes()).ok(), Some(ClientMessage::Request(request.clone())));
    if let Ok(Era::Modern) = era_of(request, headers) {
        let version = request.meta("io.modelcontextprotocol/protocolVersion").and_then(Value::as_str);
        assert!(version.is_some_and(|version| VERSIONS.contains(&version)));
        let method = headers.get("mcp-method").expect("the header of a modern request");
        let is_encoded = method.as_bytes().trim_ascii().starts_with(b"=?base64?");
        assert!(is_encoded || method.as_bytes().trim_ascii() == request.method.as_bytes());
    }
}

/// A catalogue that offers nothing.
struct Nothing;

impl Catalogue for Nothing {
    type Work = ();

    fn instructions(&self) -> &'static str {
        ""
    }

    fn tools(&self) -> Arc<Packed> {
        Arc::new(Packed::new("\"tools\":[]".to_owned()))
    }

    fn call(&self, request: &RpcRequest, _: &str, _: Map<String, Value>) -> MethodResult<()> {
        let _ = request.response("answer");
        Ok(ResultBody::object(&json!({"forms": request.has_forms()})).into())
    }

    fn resources(&self, _: Option<&str>) -> Result<ResultBody, Refusal> {
        Ok(ResultBody::default())
    }

    fn templates(&self) -> Value {
        json!([])
    }

    fn read(&self, _: Era, _: &str) -> MethodResult<()> {
        Ok(ResultBody::default().into())
    }

    fn prompts(&self) -> Value {
        json!([])
    }

    fn prompt(&self, _: &RpcRequest, _: &str, _: &Map<String, Value>) -> MethodResult<()> {
        Ok(ResultBody::default().into())
    }

    fn complete(&self, asked: &Completion<'_>) -> MethodResult<()> {
        let _ = asked.known(asked.argument);
        Ok(ResultBody::default().into())
    }

    fn listen(&self, _: &RpcRequest) -> MethodResult<()> {
        Ok(ResultBody::default().into())
    }
}
