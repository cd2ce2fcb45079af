//! The methods of the protocol. A [`Catalogue`] says what the server offers, so that other tools, resources and prompts
//! can use the same protocol (MCP contract, sections 3 and 8).

use std::sync::Arc;

use hyper::http::HeaderMap;
use hyper::http::StatusCode;
use serde_json::{Map, Value, json};

use super::envelope::{self, ClientMessage, RpcRequest};
use super::era::{self, Era, LEGACY, SUPPORTED};
use super::packed::Packed;
use super::refusal::{METHOD_NOT_FOUND, Refusal};
use super::result_body::{ResultBody, server_info};
use crate::rest::reply::Reply;

/// How long a client may cache what seldom changes, in milliseconds.
const KEPT: u64 = 300_000;
/// How long a client may cache what only a new release changes, in milliseconds.
const KEPT_LONG: u64 = 3_600_000;
/// How long a client may cache the list of resources, in milliseconds.
const KEPT_SHORTLY: u64 = 5_000;

/// The successful outcome of a method.
pub enum Doing<W> {
    /// The result.
    Told(ResultBody),
    /// A complete reply.
    Reply(Reply),
    /// More work, whose end is again one of these.
    Work(W),
}

impl<W> From<ResultBody> for Doing<W> {
    fn from(told: ResultBody) -> Self {
        Self::Told(told)
    }
}

/// The result of a method.
pub type MethodResult<W> = Result<Doing<W>, Refusal>;

/// The argument that the client wants completed.
#[derive(Debug, Clone, Copy)]
pub struct Completion<'a> {
    /// The prompt or template that has the argument.
    pub of: Completed<'a>,
    /// The argument's name.
    pub argument: &'a str,
    /// The beginning of the value.
    pub value: &'a str,
    request: &'a RpcRequest,
}

/// A thing that has arguments which can be completed.
#[derive(Debug, Clone, Copy)]
pub enum Completed<'a> {
    /// The prompt with this name.
    Prompt(&'a str),
    /// The resources of this URI template.
    Template(&'a str),
}

impl<'a> Completion<'a> {
    fn of(request: &'a RpcRequest) -> Result<Self, Refusal> {
        let part = |name: &str, key: &str| request.params.get(name)?.get(key)?.as_str();
        let bad = |what: &str| Refusal::params(format!("params has no text {what}."));
        let of = match part("ref", "type") {
            Some("ref/prompt") => Completed::Prompt(part("ref", "name").ok_or_else(|| bad("ref.name"))?),
            Some("ref/resource") => Completed::Template(part("ref", "uri").ok_or_else(|| bad("ref.uri"))?),
            _ => return Err(Refusal::params("ref.type is neither ref/prompt nor ref/resource.")),
        };
        let argument = part("argument", "name").ok_or_else(|| bad("argument.name"))?;
        let value = part("argument", "value").ok_or_else(|| bad("argument.value"))?;
        Ok(Self { of, argument, value, request })
    }

    /// Returns the value of another argument, if the client has sent it.
    pub fn known(&self, name: &str) -> Option<&'a str> {
        self.request.params.get("context")?.get("arguments")?.get(name)?.as_str()
    }
}

/// The tools, resources and prompts offered to a caller.
pub trait Catalogue {
    /// Work that a method cannot finish itself, such as the call of a route.
    type Work;

    /// Returns the instructions for the client's model.
    fn instructions(&self) -> &'static str;
    /// Returns the member `tools` of the list, as JSON.
    fn tools(&self) -> Arc<Packed>;
    /// Calls a tool.
    ///
    /// # Errors
    /// -32602 if there is no such tool.
    fn call(&self, request: &RpcRequest, name: &str, arguments: Map<String, Value>) -> MethodResult<Self::Work>;
    /// Returns a page of the resources.
    ///
    /// # Errors
    /// -32602 for a bad cursor.
    fn resources(&self, cursor: Option<&str>) -> Result<ResultBody, Refusal>;
    /// Returns the member `resourceTemplates` of the list.
    fn templates(&self) -> Value;
    /// Reads a resource.
    ///
    /// # Errors
    /// The era's refusal if there is no such resource.
    fn read(&self, era: Era, uri: &str) -> MethodResult<Self::Work>;
    /// Returns the member `prompts` of the list.
    fn prompts(&self) -> Value;
    /// Creates the messages of a prompt.
    ///
    /// # Errors
    /// -32602 if there is no such prompt.
    fn prompt(&self, request: &RpcRequest, name: &str, arguments: &Map<String, Value>) -> MethodResult<Self::Work>;
    /// Returns values of an argument that begin with the typed text.
    ///
    /// # Errors
    /// -32602 if there is no such argument.
    fn complete(&self, asked: &Completion<'_>) -> MethodResult<Self::Work>;
    /// Opens a stream of notices.
    ///
    /// # Errors
    /// The reason why the stream cannot be opened.
    fn listen(&self, request: &RpcRequest) -> MethodResult<Self::Work>;
}

/// The answer to a message.
pub enum McpAnswer<W> {
    /// A reply.
    Reply(Reply),
    /// Work for the request with this id, in this era.
    Work(W, Era, Value),
}

/// Answers a message.
pub fn answer<C: Catalogue>(catalogue: &C, headers: &HeaderMap, body: &[u8]) -> McpAnswer<C::Work> {
    let request = match envelope::read(body) {
        Ok(ClientMessage::Request(request)) => request,
        Ok(ClientMessage::Notification) => return McpAnswer::Reply(Reply::empty(StatusCode::ACCEPTED)),
        Err((refusal, id)) => return McpAnswer::Reply(refusal.reply(id.as_ref())),
    };
    let era = match era::of(&request, headers) {
        Ok(era) => era,
        Err(refusal) => return McpAnswer::Reply(refusal.reply(Some(&request.id))),
    };
    match method(catalogue, era, &request, headers) {
        Ok(Doing::Work(work)) => McpAnswer::Work(work, era, request.id),
        done => McpAnswer::Reply(reply(done, era, &request.id)),
    }
}

/// Turns the final outcome of a method into a reply.
pub fn reply<W>(done: MethodResult<W>, era: Era, id: &Value) -> Reply {
    match done {
        Ok(Doing::Told(told)) => told.reply(era, id),
        Ok(Doing::Reply(reply)) => reply,
        // Unreachable: callers carry out the work first.
        Ok(Doing::Work(_)) => Refusal::bad(super::refusal::INTERNAL, "The call was not carried out.").reply(Some(id)),
        Err(refusal) => refusal.reply(Some(id)),
    }
}

fn method<C: Catalogue>(catalogue: &C, era: Era, request: &RpcRequest, headers: &HeaderMap) -> MethodResult<C::Work> {
    let told = match (request.method.as_str(), era) {
        ("server/discover", Era::Modern) => discover(catalogue.instructions()),
        ("initialize", Era::Legacy) => initialize(request, catalogue.instructions())?,
        ("ping", Era::Legacy) => ResultBody::default(),
        ("subscriptions/listen", Era::Modern) => return catalogue.listen(request),
        ("tools/list", _) => {
            only_page(request)?;
            let told = ResultBody::default().kept_for(KEPT);
            return Ok(Doing::Reply(told.reply_with(&catalogue.tools(), era, &request.id, headers)));
        }
        ("tools/call", _) => return catalogue.call(request, wanted(request, "name")?, arguments(request)?),
        ("resources/list", _) => catalogue.resources(cursor(request)?)?.kept_for(KEPT_SHORTLY),
        ("resources/templates/list", _) => {
            only_page(request)?;
            ResultBody::object(&json!({"resourceTemplates": catalogue.templates()})).kept_for(KEPT_LONG)
        }
        ("resources/read", _) => return catalogue.read(era, wanted(request, "uri")?),
        ("prompts/list", _) => {
            only_page(request)?;
            ResultBody::object(&json!({"prompts": catalogue.prompts()})).kept_for(KEPT)
        }
        ("prompts/get", _) => return catalogue.prompt(request, wanted(request, "name")?, &arguments(request)?),
        ("completion/complete", _) => return catalogue.complete(&Completion::of(request)?),
        (name, era) => {
            // A legacy client takes a 404 as the end of its session.
            let status = if era == Era::Modern { 404 } else { 200 };
            let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            return Err(Refusal {
                status,
                ..Refusal::bad(METHOD_NOT_FOUND, format!("There is no method {name} here."))
            });
        }
    };
    Ok(told.into())
}

fn capabilities(streams: bool) -> Value {
    let resources = if streams { json!({"subscribe": true, "listChanged": true}) } else { json!({}) };
    json!({"tools": {}, "resources": resources, "prompts": {}, "completions": {}})
}

fn discover(instructions: &str) -> ResultBody {
    ResultBody::object(&json!({
        "supportedVersions": SUPPORTED,
        "capabilities": capabilities(true),
        "instructions": instructions,
    }))
    .kept_for(KEPT)
}

fn initialize(request: &RpcRequest, instructions: &str) -> Result<ResultBody, Refusal> {
    let asked = wanted(request, "protocolVersion")?;
    let version = if LEGACY.contains(&asked) { asked } else { LEGACY[0] };
    Ok(ResultBody::object(&json!({
        "protocolVersion": version,
        "capabilities": capabilities(false),
        "serverInfo": server_info(),
        "instructions": instructions,
    })))
}

/// Returns a parameter that must be a string.
fn wanted<'a>(request: &'a RpcRequest, name: &str) -> Result<&'a str, Refusal> {
    request.text(name).ok_or_else(|| Refusal::params(format!("params has no text {name}.")))
}

fn arguments(request: &RpcRequest) -> Result<Map<String, Value>, Refusal> {
    match request.params.get("arguments") {
        None => Ok(Map::new()),
        Some(Value::Object(arguments)) => Ok(arguments.clone()),
        Some(_) => Err(Refusal::params("arguments is not an object.")),
    }
}

fn cursor(request: &RpcRequest) -> Result<Option<&str>, Refusal> {
    match request.params.get("cursor") {
        None => Ok(None),
        Some(Value::String(cursor)) => Ok(Some(cursor)),
        Some(_) => Err(bad_cursor()),
    }
}

/// Refuses a cursor for a list that has only one page.
fn only_page(request: &RpcRequest) -> Result<(), Refusal> {
    if cursor(request)?.is_none() { Ok(()) } else { Err(bad_cursor()) }
}

/// Returns the refusal for a cursor that the list did not issue.
pub fn bad_cursor() -> Refusal {
    Refusal::params("The cursor is none that this list gave.")
}
