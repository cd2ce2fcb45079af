//! Slow work: if a reply names an operation, waits until the operation ends and prints its progress on stderr.

use std::io::{self, IsTerminal};

use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Map, Value, json};

use super::patience::patiently;
use super::show;
use crate::api::ApiRoute;
use crate::client::http::Response;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::path;
use crate::ctl::core::text;
use crate::ctl::login::session::{self, Session};
use crate::ctl::show::bar::Bar;

/// Seconds that one request waits for the end, without a terminal: the time between two lines of progress.
const NEWS: u64 = 2;

/// The same on a terminal, where a progress bar moves.
const NEWS_OF_A_BAR: u64 = 1;

/// The end of a slow request.
pub enum SlowEnd {
    /// The route's own result.
    Result(Value),
    /// The operation continues without the command; this is the output.
    Promised(Output),
}

/// True if a route can start an operation: such a route has the parameter `wait`.
pub fn is_slow(route: &ApiRoute) -> bool {
    route.query.iter().any(|field| field.name == "wait")
}

/// `--no-wait`.
pub fn no_wait() -> Arg {
    Arg::new("no-wait").long("no-wait").action(ArgAction::SetTrue).help("Print the operation's id and do not wait")
}

/// The query of a slow request. Short work ends while it waits, so no second request is needed.
pub fn query(session: &Session<'_>, matches: &ArgMatches) -> Map<String, Value> {
    let wait = if matches.get_flag("no-wait") { 0 } else { patience(session) };
    Map::from_iter([("wait".to_owned(), json!(wait))])
}

/// Waits for the operation that a reply names.
///
/// # Errors
/// The operation failed or was cancelled, or cannot be followed.
pub fn end(session: &Session<'_>, reply: &Response, matches: &ArgMatches) -> Result<SlowEnd, Failure> {
    let body = session::json(reply)?;
    if reply.status != 202 {
        return Ok(SlowEnd::Result(body));
    }
    let nameless = || Failure::Unexpected("The answer promises an operation and does not name it.".to_owned());
    let id = body["operation_id"].as_str().ok_or_else(nameless)?;
    if matches.get_flag("no-wait") {
        let id_alone = || Output::text(text::clean(id));
        return Ok(SlowEnd::Promised(if session.context.json { show::one_line(&body) } else { id_alone() }));
    }
    let operation = follow(session, id)?;
    Ok(SlowEnd::Result(operation["result"].clone()))
}

/// Waits for the end of an operation. Returns its record if it succeeded.
///
/// # Errors
/// The operation failed, was cancelled, or cannot be followed.
pub fn follow(session: &Session<'_>, id: &str) -> Result<Value, Failure> {
    let route = path::route("operations_get");
    let query = Map::from_iter([("wait".to_owned(), json!(patience(session)))]);
    let target = path::target(route, &[id], &query);
    let mut bar = Bar::of_steps();
    loop {
        // The operation continues after a restart of the daemon, so this waits for it.
        let operation = patiently(None, || session.send_for_json(route, &target, None))?;
        match operation["status"].as_str() {
            Some("succeeded") => return Ok(operation),
            Some("failed" | "cancelled") => {
                return Err(session.at_its_address(failure(id, &operation)));
            }
            Some("queued" | "running") => tell(&operation, &mut bar),
            _ => return Err(Failure::Unexpected("The answer is not an operation.".to_owned())),
        }
    }
}

/// At most half of the timeout, so that the reply does not miss its deadline. Shorter if a person watches a bar.
fn patience(session: &Session<'_>) -> u64 {
    let news = if io::stderr().is_terminal() { NEWS_OF_A_BAR } else { NEWS };
    news.min(session.context.timeout.as_secs() / 2)
}

fn tell(operation: &Value, bar: &mut Bar) {
    let text = |name: &str| text::plain(&operation[name]);
    bar.step(&text("kind"), &text("step"), operation["progress"].as_u64().unwrap_or(0));
}

/// A failed operation as the refusal in its `error`.
fn failure(id: &str, operation: &Value) -> Failure {
    let mut envelope = match &operation["error"] {
        Value::Object(envelope) => envelope.clone(),
        _ => Map::from_iter([
            ("error".to_owned(), json!("cancelled")),
            ("detail".to_owned(), json!("The operation was cancelled.")),
            ("fix".to_owned(), json!("Ask for it again.")),
            ("doc_url".to_owned(), json!("/docs/agents/concepts/operations#cancel")),
        ]),
    };
    envelope.entry("operation_id").or_insert_with(|| json!(id));
    // The code says which refusal it is; 409 is only a status for it.
    Failure::refused(409, Value::Object(envelope).to_string().as_bytes(), None)
}
