//! Turns a route's reply into a tool's result (MCP contract, section 4): JSON once as it is and once as text, a refusal
//! with the usual envelope, a file by its content type.

use data_encoding::BASE64;
use hyper::header::{CONTENT_TYPE, LINK, WWW_AUTHENTICATE};
use hyper::http::StatusCode;
use serde_json::{Map, Value, json};

use super::refusal::{INTERNAL, Refusal};
use super::result_body::ResultBody;
use crate::api::engine::idempotency::REPLAYED;
use crate::limits::{TOOL_FILE_BYTES, TOOL_RESULT_BYTES};
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::reply::{Body, Reply};
use crate::rest::tool::Tool;
use crate::threads::lock;

/// Returns the result of a tool for its route's reply; `about` names a file in its URI.
///
/// # Errors
/// Replies that are not results: 401 and errors of the box itself.
pub fn of(tool: &Tool, reply: Reply, about: &str) -> Result<ResultBody, Refusal> {
    let status = reply.status;
    let replayed = reply.headers.contains_key(REPLAYED);
    let told = if status.is_client_error() || status.is_server_error() {
        refused(&reply)?
    } else if status == StatusCode::NO_CONTENT {
        structured("{\"ok\":true}")
    } else if is_json(&reply) {
        object(tool, &reply)?
    } else {
        file(reply, about)?
    };
    Ok(if replayed { told.with_meta("taosd/replayed", json!(true)) } else { told })
}

/// Returns a refusal as a result, so that a model reads it and can do what `fix` says.
pub fn failed(error: &ApiError) -> ResultBody {
    failure(error.status().as_u16(), error.envelope(Dialect::Taos))
}

fn failure(status: u16, envelope: Value) -> ResultBody {
    let mut all = Map::from_iter([("status".to_owned(), json!(status))]);
    if let Value::Object(envelope) = envelope {
        all.extend(envelope);
    }
    let text = Value::Object(all).to_string();
    ResultBody::members(format!("\"content\":[{{\"type\":\"text\",\"text\":{}}}],\"isError\":true", json!(text)))
}

fn is_json(reply: &Reply) -> bool {
    reply.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
        && matches!(reply.body, Body::Bytes(_))
}

fn bytes(reply: &Reply) -> &[u8] {
    match &reply.body {
        Body::Bytes(bytes) => bytes,
        Body::Stream(_) | Body::Pulled(_) => &[],
    }
}

/// Converts the refusal of a route, which has the taOS envelope here.
fn refused(reply: &Reply) -> Result<ResultBody, Refusal> {
    let status = reply.status.as_u16();
    let mut envelope: Value = serde_json::from_slice(bytes(reply)).unwrap_or_else(|_| json!({}));
    if status == 401 || status >= 500 {
        return Err(no_result(status, envelope, reply));
    }
    // The aX routes use another code for this.
    if status == 422 && envelope["error"] == codes::INVALID_REQUEST.slug {
        let code = codes::VALIDATION_ERROR;
        envelope["error"] = json!(code.slug);
        envelope["fix"] = json!(code.fix);
        envelope["doc_url"] = json!(code.doc_url());
    }
    Ok(failure(status, envelope))
}

/// Returns the refusal for a credential that has ended meanwhile, or for an error of the box itself.
fn no_result(status: u16, envelope: Value, reply: &Reply) -> Refusal {
    let message = envelope["detail"].as_str().unwrap_or("The call failed.").to_owned();
    let code = if status == 401 { 401 } else { INTERNAL };
    let copied = reply.headers.iter().filter(|(name, _)| *name == WWW_AUTHENTICATE || name.as_str() == "retry-after");
    let headers = copied.filter_map(|(name, value)| Some((name.clone(), value.to_str().ok()?.to_owned()))).collect();
    Refusal { status, code, message, data: Some(envelope), headers }
}

/// Returns a result with the JSON as it is, and again as text.
fn structured(json: &str) -> ResultBody {
    let text = Value::from(json).to_string();
    let content = format!("\"content\":[{{\"type\":\"text\",\"text\":{text}}}]");
    ResultBody::members(format!("{content},\"structuredContent\":{json},\"isError\":false"))
}

fn object(tool: &Tool, reply: &Reply) -> Result<ResultBody, Refusal> {
    let bytes = bytes(reply);
    let is_whole = tool.without.is_empty() && bytes.first() == Some(&b'{') && bytes.len() <= TOOL_RESULT_BYTES;
    if is_whole && let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(structured(text));
    }
    let internal = |_| Refusal { status: 500, ..Refusal::bad(INTERNAL, "The route's reply is not JSON.") };
    let mut value: Value = serde_json::from_slice(bytes).map_err(internal)?;
    if value.is_array() {
        value = json!({"items": value});
        if let Some(cursor) = next_cursor(reply) {
            value["next_cursor"] = json!(cursor);
        }
    }
    if let Some(object) = value.as_object_mut() {
        leave_out(object, tool.without);
        if !cut(object) {
            return Ok(failed(&ApiError::new(codes::PAYLOAD_TOO_LARGE).detail(format!(
                "The result is longer than the {TOOL_RESULT_BYTES} bytes of a tool's result; the route of this tool gives \
                    it whole."
            ))));
        }
    }
    Ok(structured(&value.to_string()))
}

/// Removes these fields from the object and from the objects in its lists.
fn leave_out(object: &mut Map<String, Value>, names: &[&str]) {
    if names.is_empty() {
        return;
    }
    object.retain(|name, _| !names.contains(&name.as_str()));
    for row in object.values_mut().filter_map(Value::as_array_mut).flatten().filter_map(Value::as_object_mut) {
        row.retain(|name, _| !names.contains(&name.as_str()));
    }
}

/// Shortens an object that is too long: the longest list keeps as many entries as fit, and `truncated` is set. False if
/// it cannot be shortened enough.
fn cut(object: &mut Map<String, Value>) -> bool {
    let length = |value: &Value| value.to_string().len();
    let whole = length(&Value::Object(object.clone()));
    if whole <= TOOL_RESULT_BYTES {
        return true;
    }
    let lists = object.iter().filter(|(_, value)| value.is_array());
    let Some((name, of_list)) = lists.map(|(name, value)| (name.clone(), length(value))).max_by_key(|(_, size)| *size)
    else {
        return false;
    };
    // Subtract the other fields and the note that the list was cut.
    let mut room = (TOOL_RESULT_BYTES + of_list).saturating_sub(whole + 64);
    let Some(list) = object.get_mut(&name).and_then(Value::as_array_mut) else { return false };
    let mut kept = 0;
    for entry in list.iter() {
        let size = length(entry) + 1;
        if size > room {
            break;
        }
        room -= size;
        kept += 1;
    }
    if kept == 0 {
        return false;
    }
    list.truncate(kept);
    // The next page would skip the entries that were cut.
    object.remove("next_cursor");
    object.insert("truncated".to_owned(), json!(true));
    true
}

/// Returns the cursor in the `Link` to the next page.
fn next_cursor(reply: &Reply) -> Option<&str> {
    let link = reply.headers.get(LINK)?.to_str().ok()?;
    let (_, rest) = link.split_once("cursor=")?;
    rest.split(['&', '>']).next()
}

/// Returns a file as a result: text as text, an image as an image, anything else as a blob.
fn file(reply: Reply, about: &str) -> Result<ResultBody, Refusal> {
    let kind = reply.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("").to_owned();
    let content = match reply.body {
        Body::Bytes(bytes) => bytes.to_vec(),
        Body::Pulled(pulled) if pulled.length > TOOL_FILE_BYTES => {
            return Ok(failed(&ApiError::new(codes::PAYLOAD_TOO_LARGE).detail(format!(
                "The file has {} bytes, and a tool gives at most {TOOL_FILE_BYTES}; \
                    GET /api/v1/uploads/files/ATTACHMENT_ID gives it whole.",
                pulled.length
            ))));
        }
        Body::Pulled(pulled) => {
            let mut all = Vec::with_capacity(usize::try_from(pulled.length).unwrap_or(0));
            let mut source = lock(&pulled.source);
            loop {
                match source.next() {
                    Ok(Some(piece)) => all.extend_from_slice(&piece),
                    Ok(None) => break,
                    Err(error) => {
                        log::error!("a file could not be read: {error}");
                        return Err(Refusal { status: 500, ..Refusal::bad(INTERNAL, "The file could not be read.") });
                    }
                }
            }
            all
        }
        Body::Stream(_) => Vec::new(),
    };
    let is_text = kind.starts_with("text/") || kind.starts_with("application/json");
    let block = match String::from_utf8(content) {
        Ok(text) if is_text => json!({"type": "text", "text": text}),
        content => {
            let blob = BASE64.encode(&content.map_or_else(|error| error.into_bytes(), String::into_bytes));
            if kind.starts_with("image/") {
                json!({"type": "image", "data": blob, "mimeType": kind})
            } else {
                let uri = format!("taos://uploads/{about}");
                json!({"type": "resource", "resource": {"uri": uri, "mimeType": kind, "blob": blob}})
            }
        }
    };
    Ok(ResultBody::object(&json!({"content": [block], "isError": false})))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::tool::Effect;

    const TOOL: Tool = Tool::new("a_b", Effect::Reads, "").leaving_out(&["value"]);

    fn result(told: Result<ResultBody, Refusal>) -> Value {
        serde_json::from_str(&told.unwrap().result(super::super::era::Era::Legacy)).unwrap()
    }

    #[test]
    fn an_array_becomes_items_with_the_cursor_of_its_link_and_without_what_is_left_out() {
        let reply = Reply::ok(&json!([{"key": "a", "value": "v"}])).with(LINK, "</x?limit=1&cursor=abc>; rel=\"next\"");
        let told = result(of(&TOOL, reply, ""));
        assert_eq!(told["structuredContent"], json!({"items": [{"key": "a"}], "next_cursor": "abc"}));
        assert_eq!(
            serde_json::from_str::<Value>(told["content"][0]["text"].as_str().unwrap()).unwrap(),
            told["structuredContent"]
        );
    }

    #[test]
    fn what_is_too_long_has_fewer_entries_and_says_so() {
        let rows: Vec<Value> = (0..40).map(|n| json!({"n": n, "text": "x".repeat(10_000)})).collect();
        let told = result(of(&TOOL, Reply::ok(&json!({"rows": rows, "next_cursor": "c"})), ""));
        let kept = &told["structuredContent"];
        assert_eq!(kept["truncated"], true);
        assert!(kept.get("next_cursor").is_none() && kept.to_string().len() <= TOOL_RESULT_BYTES);
        assert_eq!(kept["rows"].as_array().unwrap().len(), 26);
        let one = result(of(&TOOL, Reply::ok(&json!({"text": "x".repeat(300_000)})), ""));
        assert_eq!(one["isError"], true);
        assert!(one["content"][0]["text"].as_str().unwrap().contains("payload_too_large"));
    }

    #[test]
    fn refusals_are_results_and_trouble_is_not() {
        let refused = ApiError::from(codes::TASK_NOT_FOUND).reply(Dialect::Taos);
        let told = result(of(&TOOL, refused, ""));
        let text: Value = serde_json::from_str(told["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!((&text["status"], &text["error"]), (&json!(404), &json!("task_not_found")));
        assert!(told.get("structuredContent").is_none());
        let trouble = of(&TOOL, ApiError::from(codes::BUSY).reply(Dialect::Taos), "").unwrap_err();
        assert_eq!((trouble.status, trouble.code), (503, INTERNAL));
        assert_eq!(of(&TOOL, ApiError::from(codes::INVALID_TOKEN).reply(Dialect::Taos), "").unwrap_err().status, 401);
    }
}
