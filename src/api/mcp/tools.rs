//! The tools: the rows of the route table that are offered as tools (MCP contract, section 4). Their entries in
//! `tools/list` are made once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};

use hyper::header::HeaderMap;
use serde_json::{Map, Value, json};

use super::packed::Packed;
use super::schema;
use crate::access::{Caller, may_call};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::idempotency;
use crate::limits::{IDEMPOTENCY_KEY_CHARS, TOOL_LISTS, TOOL_PAGE_BYTES};
use crate::rest::error::{ApiError, Dialect};
use crate::rest::field::{self, Field, Unknown};
use crate::rest::head::Head;
use crate::rest::input::{Fields, Input};
use crate::rest::route::{BodyKind, Need, Repeat};
use crate::rest::tool::{Effect, Tool};
use crate::store::idempotency::RequestKey;
use crate::threads::lock;

const KEY: Field = Field::text(
    "idempotency_key",
    IDEMPOTENCY_KEY_CHARS,
    "Makes a repeat safe: the same key and arguments are carried out once.",
)
.not_empty();

/// A row of the route table that is offered as a tool.
pub struct OfferedTool {
    /// The row.
    pub route: &'static ApiRoute,
    /// The row's description of the tool.
    pub tool: &'static Tool,
    /// The entry in `tools/list`, as JSON.
    shown: String,
}

/// Returns all tools, sorted by name.
pub fn all(routes: &'static [&'static [ApiRoute]]) -> &'static [OfferedTool] {
    static ALL: OnceLock<Vec<OfferedTool>> = OnceLock::new();
    ALL.get_or_init(|| {
        let rows = routes.iter().flat_map(|table| table.iter());
        let mut all: Vec<OfferedTool> = rows
            .filter_map(|route| {
                let tool = route.tool.as_ref()?;
                Some(OfferedTool { route, tool, shown: show(route, tool).to_string() })
            })
            .collect();
        all.sort_by_key(|offered| offered.tool.name);
        all
    })
}

/// Returns the tool with this name.
pub fn find(routes: &'static [&'static [ApiRoute]], name: &str) -> Option<&'static OfferedTool> {
    let all = all(routes);
    all.binary_search_by_key(&name, |offered| offered.tool.name).ok().and_then(|at| all.get(at))
}

/// The most recent lists, each with a flag per tool that says whether it is shown. Callers who see the same tools share
/// a list, so it contains nothing that belongs to one caller.
static LISTS: Mutex<VecDeque<(Vec<bool>, Arc<Packed>)>> = Mutex::new(VecDeque::new());

/// Returns the tools that a caller's credential covers, as JSON.
pub fn list(routes: &'static [&'static [ApiRoute]], caller: &Caller) -> Arc<Packed> {
    let all = all(routes);
    let may = |offered: &OfferedTool| offered.need().is_some_and(|need| may_call(caller, &need));
    let own: Vec<bool> = all.iter().map(may).collect();
    let mut lists = lock(&LISTS);
    if let Some((_, list)) = lists.iter().find(|(shown, _)| *shown == own) {
        return Arc::clone(list);
    }
    let shown = all.iter().zip(&own).filter(|(_, own)| **own).map(|(offered, _)| offered.shown.as_str());
    let list = Arc::new(Packed::new(format!("\"tools\":[{}]", shown.collect::<Vec<_>>().join(","))));
    lists.truncate(TOOL_LISTS - 1);
    lists.push_front((own, Arc::clone(&list)));
    list
}

impl OfferedTool {
    /// Returns what the route requires of a caller; refusals use the MCP dialect.
    pub fn need(&self) -> Option<Need> {
        self.route.need().map(|need| Need { dialect: Dialect::Mcp, ..need })
    }

    /// Turns arguments, and what the protocol itself adds to them, into a request to the route, with the key of an
    /// idempotent call.
    ///
    /// # Errors
    /// `validation_error` with every bad argument, or `invalid_idempotency_key`.
    pub fn input(
        &self,
        head: &Head,
        caller: &Caller,
        arguments: Map<String, Value>,
        added: Map<String, Value>,
    ) -> Result<ToolCall, ApiError> {
        let bytes = arguments.iter().map(|(name, value)| name.len() + value.to_string().len()).sum();
        let mut checked =
            field::check(&fields(self.route, self.tool), arguments, Unknown::Refused).map_err(ApiError::fields)?;
        let key = match checked.remove(KEY.name) {
            Some(Value::String(key)) => {
                idempotency::check(&key)?;
                let arguments: std::collections::BTreeMap<_, _> = checked.iter().collect();
                let hash = *blake3::hash(json!(arguments).to_string().as_bytes()).as_bytes();
                let route = format!("tool {}", self.tool.name);
                Some((RequestKey { principal: caller.principal_key(), route, key }, hash))
            }
            _ => None,
        };
        let mut take = |field: &Field| checked.remove(field.name);
        self.tool.extra.iter().for_each(|field| drop(take(field)));
        let params = self.tool.path.iter().map(|field| match take(field) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        });
        let params: Vec<String> = params.collect();
        for (name, number) in self.tool.presets {
            checked.entry(*name).or_insert_with(|| json!(number));
        }
        checked.extend(added);
        let in_query = |name: &str| self.route.query.iter().any(|field| field.name == name);
        let (query, body): (Map<_, _>, Map<_, _>) = checked.into_iter().partition(|(name, _)| in_query(name));
        let input = request(self.route, head, params, Fields::new(query), Fields::new(body));
        Ok(ToolCall { input: Input { body_bytes: bytes, ..input }, key })
    }
}

/// Creates a request to a route as a part of a request to the endpoint. It takes from the outer head only what
/// describes the connection, and the request's id.
pub fn request(route: &ApiRoute, outer: &Head, params: Vec<String>, query: Fields, body: Fields) -> Input {
    let head = Head {
        method: route.method.clone(),
        raw_path: route.path.to_owned(),
        segments: Vec::new(),
        query: String::new(),
        headers: HeaderMap::new(),
        peer: outer.peer.clone(),
        foreign_host: outer.foreign_host,
        request_id: outer.request_id.clone(),
        arrived: outer.arrived,
    };
    Input {
        head: std::sync::Arc::new(head),
        // The handler refuses with the taOS envelope, which the tool's result repeats.
        dialect: Dialect::Taos,
        params,
        query,
        body,
        body_bytes: 0,
        raw: hyper::body::Bytes::new(),
        page_bytes: Some(TOOL_PAGE_BYTES),
    }
}

/// A prepared call.
pub struct ToolCall {
    /// The input for the route.
    pub input: Input,
    /// The idempotency key, if the call has one.
    pub key: Option<(RequestKey, [u8; 32])>,
}

/// Returns the fields of a tool's input, in the order of the route: path, query, body.
fn fields(route: &ApiRoute, tool: &Tool) -> Vec<Field> {
    let body: &[Field] = match route.body {
        BodyKind::Json(fields) => fields,
        BodyKind::None | BodyKind::Raw | BodyKind::RawOf(..) | BodyKind::Multipart(_) => &[],
    };
    let taken = route.query.iter().chain(body).filter(|field| !tool.omits.contains(&field.name));
    let narrowed = taken.map(|field| tool.narrower.iter().find(|narrow| narrow.name == field.name).unwrap_or(field));
    let path = tool.path.iter().map(|field| field.required().not_empty());
    let mut all: Vec<Field> = path.chain(narrowed.copied()).chain(tool.extra.iter().copied()).collect();
    if route.repeat == Repeat::Key {
        all.push(KEY);
    }
    all
}

fn show(route: &ApiRoute, tool: &Tool) -> Value {
    let mut shown = json!({
        "name": tool.name,
        "title": route.title,
        "description": tool.about,
        "inputSchema": schema::input(&fields(route, tool)),
    });
    if let Some(output) = schema::output(&route.answer.1, tool.without) {
        shown["outputSchema"] = output;
    }
    shown["annotations"] = json!({
        "title": route.title,
        "readOnlyHint": tool.effect == Effect::Reads,
        "destructiveHint": tool.effect == Effect::Changes,
        "idempotentHint": tool.effect != Effect::Adds,
        "openWorldHint": false,
    });
    shown
}
