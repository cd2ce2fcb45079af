//! The Model Context Protocol at `POST /mcp` (MCP contract): stateless, both eras, every tool a row of the route table.
//! Each part uses only those before it:
//!
//! 1. `refusal` - errors of JSON-RPC
//! 2. `envelope` - reading a message
//! 3. `era` - which revision a request speaks
//! 4. `packed` - texts that many replies share
//! 5. `told` - results
//! 6. `schema` - what tools take and give
//! 7. `tools` - the rows that are tools
//! 8. `results` - the reply of a route as a result
//! 9. `resources`, `prompts` - what else is offered
//! 10. `listen` - notices of changes
//! 11. `server` - the methods
//! 12. `elicit`, `complete` - asking the client's user, and values for arguments
//! 13. `ours` - what the box offers
//! 14. [`protocol`] - the protocol without that

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

/// The protocol without what the box offers: for the tests that put other things behind it, and for the fuzzer.
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

/// The rows of the table.
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

/// The call of the route that a method comes to; its reply is the request's.
fn nested(work: ToolWork, caller: Caller, era: Era, id: Value) -> Nested {
    let ToolWork { route, input, key, then } = work;
    let again = caller.clone();
    let then = Box::new(move |reply| match then(reply) {
        Ok(Doing::Work(more)) => Ok(Step::Nested(Box::new(nested(more, again, era, id)))),
        done => Ok(server::reply(done, era, &id).into()),
    });
    Nested { route, caller, input, key, then }
}
