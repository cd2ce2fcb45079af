//! Logs and the list of containers, as the container runtime reports them. It is asked on threads that may wait, never
//! on the pool of workers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::container_fields::{FOLLOW, LINES};
use super::fields::MOUNT_SOURCE;
use crate::access::{Action, AgentRole};
use crate::api::agents::{find, seen_by, visible};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Step};
use crate::api::engine::dispatch::render;
use crate::containers::{ContainerPlace, ContainerState, Detail, LogLimits, LogSource, NodeName, Status, read_log};
use crate::jobs::events::log_tail::topic;
use crate::jobs::operations::{Jobs, lifecycle};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::rest::stream;
use crate::store::agents::{self, Agent};
use crate::store::page::Page;

/// How long the runtime may take to list its containers.
const CALL: Duration = Duration::from_secs(15);
/// How long a node may take to list its containers; the rest of the list waits for it.
const NODE_CALL: Duration = Duration::from_secs(5);
/// How long reading a log may take; the container itself may delay it.
const LOG_CALL: Duration = Duration::from_secs(10);
/// The most bytes of a log in a reply.
const LOG_BYTES: usize = 1024 * 1024;
/// The most agents that the list of containers looks at.
const AGENTS: u64 = 10_000;

pub(crate) fn logs(app: &App, call: Call) -> Handled {
    let live = app.store.read(|conn| find(conn, &call.caller, call.input.param(0), AgentRole::Viewer))?;
    let (agent, id, place) = (live.agent.slug.clone(), live.agent.id.clone(), lifecycle::place(&live.agent)?);
    app.jobs.runtimes().of(&live.agent)?;
    let query = &call.input.query;
    let lines = query.integer(&LINES).and_then(|n| usize::try_from(n).ok()).unwrap_or(100);
    let wish = query.text(&MOUNT_SOURCE).and_then(LogSource::parse);
    if query.flag(&FOLLOW).unwrap_or(false) {
        let feed = app.log_tail.follow(&live.agent, place, wish, &call.caller, lines);
        return Ok(app.streams.open(&call.caller, Action::AgentsLogs, topic(&live.agent.id), feed)?.into());
    }
    ask(app, call, Some(&live.agent.id), move |jobs| {
        let limits = LogLimits { lines, bytes: LOG_BYTES };
        let (driver, end) = (jobs.driver_on(place.node.as_ref())?, Instant::now() + LOG_CALL);
        lifecycle::own(driver.brief(&place.container, end), &id)?;
        let read = read_log(driver.as_ref(), &place.container, wish, limits, end)?;
        let (source, logs) = read.ok_or(codes::NO_JOURNAL)?;
        let (lines, truncated) = (logs.lines, logs.truncated);
        let source = source.as_str();
        let body = json!({"name": agent, "logs": logs.text, "lines": lines, "truncated": truncated, "source": source});
        Ok(Reply::ok(&body))
    })
}

pub(crate) fn list(app: &App, call: Call) -> Handled {
    let (seen, filter) = (seen_by(&call.caller), visible(&call.caller));
    ask_over_nodes(app, call, move |jobs| {
        let nodes = ask_nodes(jobs);
        let driver = jobs.any_driver()?;
        let mut states: ContainersByNode = [(None, Some(driver.list(Detail::Full, Instant::now() + CALL)?))].into();
        // Nodes that have not answered by then are away.
        let end = Instant::now() + NODE_CALL;
        for _ in jobs.nodes.names() {
            let Ok((node, found)) = nodes.recv_timeout(end.saturating_duration_since(Instant::now())) else { break };
            states.insert(Some(node), found);
        }
        let page = Page { limit: AGENTS, after: None };
        // Each row is made when its agent is read: some 300 bytes, at most one for each container.
        let mut rows: Vec<Value> = Vec::new();
        jobs.store.lookup(|conn| {
            agents::list(conn, &seen, &filter, &page, &mut |live| {
                rows.extend(show(&live.agent, &states));
                true
            })
        })?;
        Ok(Reply::ok(&rows))
    })
}

/// The containers of this box (`None`) and of each node that answered; no list if the node failed.
type ContainersByNode = BTreeMap<Option<NodeName>, Option<Vec<ContainerState>>>;

/// Asks every node for its containers, each on its own threads. It skips a node that did not answer the last time, so
/// that nobody waits for it: the reconciler asks it again and again.
fn ask_nodes(jobs: &Arc<Jobs>) -> Receiver<(NodeName, Option<Vec<ContainerState>>)> {
    let (tell, told) = channel();
    let answers = |name: &NodeName| jobs.nodes.get(name).is_ok_and(|node| !node.is_away());
    for node in jobs.nodes.names().into_iter().filter(answers) {
        let (tell, name) = (tell.clone(), node.clone());
        let queued = jobs.look_on(Some(&node), None, move |jobs| {
            let listed =
                jobs.driver_on(Some(&name)).map(|driver| driver.list(Detail::Full, Instant::now() + NODE_CALL));
            // If the node took too long, the receiver is gone.
            let _ = tell.send((name, listed.ok().and_then(Result::ok)));
        });
        if queued.is_err() {
            log::debug!("node {node} could not be asked for its containers");
        }
    }
    told
}

/// Runs `question` on a thread that may wait, and replies when it is done.
pub(crate) fn ask(
    app: &App,
    call: Call,
    agent_id: Option<&str>,
    question: impl FnOnce(&Arc<Jobs>) -> Result<Reply, ApiError> + Send + 'static,
) -> Handled {
    let (promise, work) = promised(call, question);
    app.jobs.look(agent_id, work)?;
    Ok(Step::Later(Outcome::Pending(promise)))
}

/// The same as [`ask`] for a question to every node, on threads that wait for nothing else.
pub(crate) fn ask_over_nodes(
    app: &App,
    call: Call,
    question: impl FnOnce(&Arc<Jobs>) -> Result<Reply, ApiError> + Send + 'static,
) -> Handled {
    let (promise, work) = promised(call, question);
    app.jobs.look_over_nodes(work)?;
    Ok(Step::Later(Outcome::Pending(promise)))
}

fn promised(
    call: Call,
    question: impl FnOnce(&Arc<Jobs>) -> Result<Reply, ApiError> + Send + 'static,
) -> (stream::Promise, impl FnOnce(&Arc<Jobs>) + Send + 'static) {
    let (fulfiller, promise) = stream::promise();
    let work = move |jobs: &Arc<Jobs>| {
        let reply = question(jobs).unwrap_or_else(|error| render(&error, call.input.dialect, call.caller.request_id()));
        fulfiller.keep(Outcome::Done(reply));
    };
    (promise, work)
}

fn show(agent: &Agent, states: &ContainersByNode) -> Option<Value> {
    let ContainerPlace { node, container } = ContainerPlace::parse(agent.container_name.as_deref()?).ok()?;
    let Some(there) = states.get(&node).and_then(Option::as_ref) else {
        return Some(json!({
            "name": container.as_str(),
            "agent_name": agent.slug,
            "node": node.as_ref().map(NodeName::as_str),
            "status": "away",
            "ip": null,
            "memory_mb": null,
            "cpu_cores": null,
        }));
    };
    let state = there.iter().find(|state| state.name == container)?;
    let status = match state.status {
        Status::Running => "running",
        Status::Frozen => "frozen",
        Status::Stopped => "stopped",
        Status::Error => "error",
        Status::Other => "changing",
    };
    Some(json!({
        "name": container.as_str(),
        "agent_name": agent.slug,
        "node": node.as_ref().map(NodeName::as_str),
        "status": status,
        "ip": state.ip,
        "memory_mb": state.memory_mb,
        "cpu_cores": state.cpu_cores,
    }))
}
