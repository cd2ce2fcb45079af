//! The Model Context Protocol at `POST /mcp` (MCP contract). It is stateless and serves both eras; every tool is a row
//! of the route table. Each part uses only those before it:
//!
//! 1. `refusal` - JSON-RPC errors
//! 2. `envelope` - the parser of messages
//! 3. `era` - the revision of a request
//! 4. `packed` - texts that many replies share
//! 5. `result_body` - results
//! 6. `schema` - the input and output of tools
//! 7. `tools` - the rows that are tools
//! 8. `results` - a route's reply as a tool's result
//! 9. `resources`, `prompts` - the other things that the box offers
//! 10. `listen` - notices of changes
//! 11. `server` - the methods
//! 12. `elicit`, `complete` - questions to the client's user, and values for arguments
//! 13. `catalogue` - what the box offers to a caller
//! 14. [`protocol`] - the protocol without the box's catalogue

mod catalogue;
mod complete;
mod elicit;
mod envelope;
mod era;
mod listen;
mod packed;
mod prompts;
mod refusal;
mod resources;
mod result_body;
mod results;
mod schema;
mod server;
mod tools;

/// The protocol without the box's catalogue: for the fuzzer, and for tests with other catalogues.
pub mod protocol {
    pub use super::complete::told as completed;
    pub use super::envelope::{CAPABILITIES_KEY, ClientMessage, RpcRequest, read};
    pub use super::era::{Era, of as era_of};
    pub use super::packed::Packed;
    pub use super::refusal::Refusal;
    pub use super::result_body::ResultBody;
    pub use super::server::{Catalogue, Completion, Doing, McpAnswer, MethodResult, answer};
}

use hyper::http::Method;
use serde_json::Value;

use self::catalogue::{BoxCatalogue, ToolWork};
use self::era::Era;
use self::server::{Doing, McpAnswer};
use super::engine::api_route::ApiRoute;
use super::engine::app::App;
use super::engine::call::{Call, Handled, Nested, Step};
use crate::access::{Action, Caller};
use crate::rest::codes;
use crate::rest::error::Dialect;
use crate::rest::field::{Field, Type};
use crate::rest::route::Answer::Object;

/// The MCP endpoint's rows of the route table.
pub const ROUTES: &[ApiRoute] = &[ApiRoute::checked(Method::POST, "/mcp", Dialect::Mcp, Action::McpUse, serve)
    .described(
        "mcp",
        "Talk to the MCP endpoint",
        "One message of the Model Context Protocol over Streamable HTTP, of any revision from 2024-11-05 to \
            2026-07-28. There are no sessions. Each tool, resource and prompt needs the action of its route.",
        "recipes/mcp#protocol",
    )
    .taking_raw()
    .with_example(r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}"#)
    .answering(
        200,
        Object(&[
            Field::word("jsonrpc", &["2.0"], "The version of JSON-RPC.").required(),
            Field::unbounded("id", "The id of the request.").told(r#"{"type": ["string", "integer"]}"#),
            Field::of("result", Type::AnyObject, "The result of the method."),
            Field::of("error", Type::AnyObject, "What went wrong: code, message and data."),
        ]),
    )
    .failing(&[codes::ORIGIN_NOT_ALLOWED, codes::PAT_NOT_ALLOWED, codes::NOT_ACCEPTABLE])];

fn serve(app: &App, call: Call) -> Handled {
    let answer = server::answer(&BoxCatalogue { app, call: &call }, &call.input.head.headers, &call.input.raw);
    Ok(match answer {
        McpAnswer::Reply(reply) => reply.into(),
        McpAnswer::Work(work, era, id) => Step::Nested(Box::new(nested(work, call.caller, era, id))),
    })
}

/// Returns the call of the route that a method needs; its reply becomes the reply to the request.
fn nested(work: ToolWork, caller: Caller, era: Era, id: Value) -> Nested {
    let ToolWork { route, input, key, then } = work;
    let again = caller.clone();
    let then = Box::new(move |reply| match then(reply) {
        Ok(Doing::Work(more)) => Ok(Step::Nested(Box::new(nested(more, again, era, id)))),
        done => Ok(server::reply(done, era, &id).into()),
    });
    Nested { route, caller, input, key, then }
}
