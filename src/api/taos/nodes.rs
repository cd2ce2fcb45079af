//! Nodes, the other machines that agents are deployed on: their state and their resources.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::http::Method;
use serde_json::{Value, json};

use super::agents::containers;
use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Step};
use crate::api::engine::dispatch::render;
use crate::containers::{Away, NodeName};
use crate::jobs::operations::Jobs;
use crate::jobs::operations::nodes::{self, Answered};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::rest::service::Outcome;
use crate::rest::stream;
use crate::store::agents;

/// How long a list waits for all nodes.
const ALL: Duration = Duration::from_secs(8);
const DOC: &str = "operations/second-box#nodes";
/// The states of a node.
const STATES: [&str; 2] = ["ok", "away"];

const NODE: &[Field] = &[
    Field::shown("name", "The node's name in the settings."),
    Field::shown("url", "Its address."),
    Field::word("status", &STATES, "Whether it answers as a server that trusts this box.").required(),
    Field::word("away", &Away::WORDS, "In which way it is away; null if it answers.").required().nullable(),
    Field::shown("detail", "What is wrong with it; null if it answers.").nullable(),
    Field::shown("runtime", "What runs there: incus or lxd; null if it does not answer.").nullable(),
    Field::shown("version", "The version of that; null if it does not answer.").nullable(),
    Field::integer("cores", 0, i64::MAX, "Its processors; null if it does not answer.").required().nullable(),
    Field::integer("memory_bytes", 0, i64::MAX, "Its memory; null if it does not answer.").required().nullable(),
    Field::integer("memory_used_bytes", 0, i64::MAX, "Its memory in use; null if it does not answer.")
        .required()
        .nullable(),
    Field::shown("load", "Its load average of the last minute; null if it does not tell.").nullable(),
    Field::integer("containers", 0, i64::MAX, "The containers of live and archived agents on it.").required(),
];

/// The routes for nodes.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::GET, "/api/nodes", Taos, Action::NodesList, list)
        .described(
            "nodes_list",
            "List the nodes",
            "The other machines that the settings name, each asked now. One that does not answer within 5 seconds is away.",
            DOC,
        )
        .answering(200, Answer::List(NODE))
        .failing(&[codes::FORBIDDEN]),
    ApiRoute::checked(Method::GET, "/api/nodes/{node}", Taos, Action::NodesCheck, check)
        .described(
            "nodes_check",
            "Check a node",
            "Asks the node now: whether it answers, is the server that the settings name, and trusts this box. A trust \
                token of the settings is redeemed if it does not yet.",
            "operations/second-box#check",
        )
        .answering(200, Answer::Object(NODE))
        .failing(&[codes::FORBIDDEN, codes::NODE_NOT_FOUND, codes::CONTAINER_RUNTIME_UNAVAILABLE]),
];

fn list(app: &App, call: Call) -> Handled {
    containers::ask_over_nodes(app, call, |jobs| {
        let answers = nodes::ask_all(jobs, Instant::now() + ALL);
        let mut rows = Vec::new();
        for name in &jobs.nodes.names() {
            let answer = answers.iter().find(|(of, _)| of == name).map(|(_, answer)| answer);
            rows.push(show(jobs, name, answer)?);
        }
        Ok(Reply::ok(&rows))
    })
}

fn check(app: &App, call: Call) -> Handled {
    let name = NodeName::parse(call.input.param(0)).ok();
    let name = name.filter(|name| app.jobs.nodes.names().contains(name)).ok_or(codes::NODE_NOT_FOUND)?;
    let (fulfiller, promise) = stream::promise();
    app.jobs.look_on(Some(&name.clone()), None, move |jobs| {
        let asked = jobs.nodes.get(&name).and_then(|node| node.ask());
        let reply = match asked {
            Ok(answer) => show(jobs, &name, Some(&Ok(answer))).map(|row| Reply::ok(&row)),
            Err(error) => Err(ApiError::from(error)),
        };
        let reply = reply.unwrap_or_else(|error| render(&error, call.input.dialect, call.caller.request_id()));
        fulfiller.keep(Outcome::Done(reply));
    })?;
    Ok(Step::Later(Outcome::Pending(promise)))
}

/// Returns the row of a node; `answer` is `None` if it came too late.
fn show(jobs: &Arc<Jobs>, name: &NodeName, answer: Option<&Answered>) -> Result<Value, ApiError> {
    let url = jobs.nodes.get(name)?.options().url.clone();
    let containers = jobs.store.lookup(|conn| agents::containers_on(conn, name.as_str()))?;
    let good = answer.and_then(|answer| answer.as_ref().ok());
    let error = answer.and_then(|answer| answer.as_ref().err()).map(|error| ApiError::from(error.clone()));
    let away = match (good, &error) {
        (Some(_), _) => None,
        (None, Some(error)) => Some(error.extra.get("away").and_then(Value::as_str).unwrap_or(Away::Refusing.as_str())),
        (None, None) => Some(Away::Hanging.as_str()),
    };
    let detail = error.as_ref().map(|error| error.detail.as_str());
    Ok(json!({
        "name": name.as_str(),
        "url": url,
        "status": if good.is_some() { STATES[0] } else { STATES[1] },
        "away": away,
        "detail": detail.or(away.map(|_| "It does not answer in time.")),
        "runtime": good.map(|(info, _)| info.runtime.as_str()),
        "version": good.map(|(info, _)| info.version.as_str()),
        "cores": good.map(|(_, has)| has.cores),
        "memory_bytes": good.map(|(_, has)| has.memory),
        "memory_used_bytes": good.map(|(_, has)| has.memory_used),
        "load": good.and_then(|(_, has)| has.load).map(|load| format!("{load:.2}")),
        "containers": containers,
    }))
}
