//! The tools, resources and prompts named `test_*` that the official suite expects behind a server. No release has
//! them.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use taosd::fuzzing::mcp::{
    CAPABILITIES_KEY, Catalogue, Completion, Doing, Era, MethodResult, Packed, Refusal, ResultBody, RpcRequest,
    completed,
};

use super::rounds;

/// A PNG image of one pixel, in Base64.
pub const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// An empty WAV sound, in Base64.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=";

/// The catalogue of the fixtures.
pub struct Fixture;

/// A reply that is a stream.
pub struct Streamed {
    /// The notifications before the result.
    pub notices: Vec<Value>,
    /// The result; with `None` the stream stays open.
    pub end: Option<ResultBody>,
}

/// Returns the content of a tool that replies at once, and `None` for any other tool.
fn content(name: &str) -> Option<Value> {
    let text = |text: &str| json!({"type": "text", "text": text});
    let image = || json!({"type": "image", "data": PNG, "mimeType": "image/png"});
    let resource = |uri: &str, kind: &str, text: &str| json!({"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": text}});
    Some(match name {
        "test_simple_text" => json!([text("This is a simple text response for testing.")]),
        "test_logging_tool" => json!([text("Nothing is logged to clients.")]),
        "test_image_content" => json!([image()]),
        "test_audio_content" => json!([{"type": "audio", "data": WAV, "mimeType": "audio/wav"}]),
        "test_embedded_resource" => {
            json!([resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")])
        }
        "test_multiple_content_types" => json!([
            text("Multiple content types test:"),
            image(),
            resource("test://mixed-content-resource", "application/json", "{\"test\":\"data\",\"value\":123}"),
        ]),
        _ => return None,
    })
}

/// Returns a tool's result with one text.
pub fn said(text: &str) -> MethodResult<Streamed> {
    Ok(ResultBody::object(&json!({"content": [{"type": "text", "text": text}], "isError": false})).into())
}

/// All tools except those of `rounds`.
const TOOLS: &[&str] = &[
    "test_audio_content",
    "test_embedded_resource",
    "test_error_handling",
    "test_image_content",
    "test_logging_tool",
    "test_missing_capability",
    "test_multiple_content_types",
    "test_simple_text",
    "test_streaming_elicitation",
    "test_tool_with_progress",
];

/// Returns three notifications of progress, then the result.
fn progress(request: &RpcRequest) -> Streamed {
    let token = request.meta("progressToken").cloned().unwrap_or(Value::Null);
    let notice = |done: u32| {
        let params = json!({"progressToken": token, "progress": done, "total": 100});
        json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
    };
    let end = ResultBody::object(&json!({"content": [{"type": "text", "text": "done"}], "isError": false}));
    Streamed { notices: [0, 50, 100].map(notice).to_vec(), end: Some(end) }
}

/// Refuses clients that cannot sample.
fn sampling_only(request: &RpcRequest) -> MethodResult<Streamed> {
    if request.meta(CAPABILITIES_KEY).is_some_and(|all| all.get("sampling").is_some()) {
        return said("The client could be asked for a sample.");
    }
    let refusal = Refusal::bad(-32021, "The client must be able to sample.");
    Err(refusal.with(json!({"requiredCapabilities": {"sampling": {}}})))
}

fn not_found(era: Era, uri: &str) -> Refusal {
    let code = if era == Era::Modern { -32602 } else { -32002 };
    Refusal { status: 200, ..Refusal::bad(code, "There is no such resource.") }.with(json!({"uri": uri}))
}

impl Catalogue for Fixture {
    type Work = Streamed;

    fn instructions(&self) -> &'static str {
        "The fixtures of the official suite."
    }

    fn tools(&self) -> Arc<Packed> {
        let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
        let tool = |name: &&str| json!({"name": name, "description": "A fixture.", "inputSchema": schema});
        let all: Vec<Value> = TOOLS.iter().chain(rounds::TOOLS).map(tool).collect();
        Arc::new(Packed::new(format!("\"tools\":{}", json!(all))))
    }

    fn call(&self, request: &RpcRequest, name: &str, _: Map<String, Value>) -> MethodResult<Streamed> {
        if let Some(content) = content(name) {
            return Ok(ResultBody::object(&json!({"content": content, "isError": false})).into());
        }
        match name {
            "test_error_handling" => {
                let text = "This tool intentionally returns an error for testing";
                Ok(ResultBody::object(&json!({"content": [{"type": "text", "text": text}], "isError": true})).into())
            }
            "test_tool_with_progress" => Ok(Doing::Work(progress(request))),
            "test_missing_capability" => sampling_only(request),
            "test_streaming_elicitation" => rounds::call(request, "test_input_required_result_elicitation"),
            name => rounds::call(request, name),
        }
    }

    fn resources(&self, _: Option<&str>) -> Result<ResultBody, Refusal> {
        let shown = |name: &str, kind: &str| json!({"uri": format!("test://{name}"), "name": name, "description": "A fixture.", "mimeType": kind});
        let all = [shown("static-text", "text/plain"), shown("static-binary", "image/png")];
        Ok(ResultBody::object(&json!({"resources": all})))
    }

    fn templates(&self) -> Value {
        json!([{"uriTemplate": "test://template/{id}/data", "name": "template", "mimeType": "application/json"}])
    }

    fn read(&self, era: Era, uri: &str) -> MethodResult<Streamed> {
        let template = || uri.strip_prefix("test://template/")?.strip_suffix("/data");
        let one = match uri {
            "test://static-text" => {
                let text = "This is the content of the static text resource.";
                json!({"uri": uri, "mimeType": "text/plain", "text": text})
            }
            "test://static-binary" => json!({"uri": uri, "mimeType": "image/png", "blob": PNG}),
            _ => {
                let id = template().ok_or_else(|| not_found(era, uri))?;
                let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
                json!({"uri": uri, "mimeType": "application/json", "text": data.to_string()})
            }
        };
        Ok(ResultBody::object(&json!({"contents": [one]})).kept_for(0).into())
    }

    fn prompts(&self) -> Value {
        let prompt = |name: &str, arguments: &[&str]| {
            let argument = |name: &&str| json!({"name": name, "description": "An argument.", "required": true});
            let arguments: Vec<Value> = arguments.iter().map(argument).collect();
            json!({"name": name, "description": "A fixture.", "arguments": arguments})
        };
        json!([
            prompt("test_simple_prompt", &[]),
            prompt("test_prompt_with_arguments", &["arg1", "arg2"]),
            prompt("test_prompt_with_embedded_resource", &["resourceUri"]),
            prompt("test_prompt_with_image", &[]),
            prompt(rounds::PROMPT, &[]),
        ])
    }

    fn prompt(&self, request: &RpcRequest, name: &str, arguments: &Map<String, Value>) -> MethodResult<Streamed> {
        let text = |text: &str| json!({"role": "user", "content": {"type": "text", "text": text}});
        let given = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or("");
        let messages = match name {
            "test_simple_prompt" => json!([text("This is a simple prompt for testing.")]),
            "test_prompt_with_arguments" => {
                let (one, two) = (given("arg1"), given("arg2"));
                json!([text(&format!("Prompt with arguments: arg1='{one}', arg2='{two}'"))])
            }
            "test_prompt_with_embedded_resource" => {
                let text_of = "Embedded resource content for testing.";
                let resource = json!({"uri": given("resourceUri"), "mimeType": "text/plain", "text": text_of});
                json!([
                    {"role": "user", "content": {"type": "resource", "resource": resource}},
                    text("Please process the embedded resource above."),
                ])
            }
            "test_prompt_with_image" => json!([
                {"role": "user", "content": {"type": "image", "data": PNG, "mimeType": "image/png"}},
                text("Please analyze the image above."),
            ]),
            rounds::PROMPT => return rounds::prompt(request),
            _ => return Err(Refusal::params("There is no such prompt.")),
        };
        Ok(ResultBody::object(&json!({"messages": messages})).into())
    }

    fn complete(&self, asked: &Completion<'_>) -> MethodResult<Streamed> {
        Ok(completed(["paris", "park", "party"].map(str::to_owned), asked.value).into())
    }

    fn listen(&self, request: &RpcRequest) -> MethodResult<Streamed> {
        let params = json!({"notifications": {}, "_meta": {"io.modelcontextprotocol/subscriptionId": request.id}});
        let first = json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params});
        Ok(Doing::Work(Streamed { notices: vec![first], end: None }))
    }
}
