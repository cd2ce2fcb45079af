//! What the container runtime says: logs, and the list of containers. Asked on threads that may wait, never on the pool.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::container_routes::{FOLLOW, LINES};
use super::fields::MOUNT_SOURCE;
use crate::access::{Action, AgentRole};
use crate::api::agents::find;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Step};
use crate::api::engine::dispatch::render;
use crate::containers::{ContainerState, Detail, LogLimits, LogSource, Status, read_log};
use crate::jobs::events::log_tail::topic;
use crate::jobs::operations::{Jobs, lifecycle};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::rest::stream;
use crate::store::agents::{self, Agent, AgentFilter, AgentViewer};
use crate::store::page::Page;

/// How long the runtime may take to list its containers.
const CALL: Duration = Duration::from_secs(15);
/// How long a log may take: the container itself may hold it up.
const LOG_CALL: Duration = Duration::from_secs(10);
/// Bytes of a log at the most.
const LOG_BYTES: usize = 1024 * 1024;
/// Agents looked at for the list of containers.
const AGENTS: u64 = 10_000;

pub(crate) fn logs(app: &App, call: Call) -> Handled {
    let live = app.store.read(|conn| find(conn, &call.caller, call.input.param(0), AgentRole::Viewer))?;
    let (agent, name) = (live.agent.slug.clone(), lifecycle::container(&live.agent)?);
    app.jobs.driver()?;
    let query = &call.input.query;
    let lines = query.integer(&LINES).and_then(|n| usize::try_from(n).ok()).unwrap_or(100);
    let wish = query.text(&MOUNT_SOURCE).and_then(LogSource::parse);
    if query.flag(&FOLLOW).unwrap_or(false) {
        let feed = app.log_tail.follow(&live.agent, name, wish, &call.caller, lines);
        return Ok(app.streams.open(&call.caller, Action::AgentsLogs, topic(&live.agent.id), feed)?.into());
    }
    ask(app, call, Some(&live.agent.id), move |jobs| {
        let limits = LogLimits { lines, bytes: LOG_BYTES };
        let read = read_log(jobs.driver()?.as_ref(), &name, wish, limits, Instant::now() + LOG_CALL)?;
        let (source, logs) = read.ok_or(codes::NO_JOURNAL)?;
        let (lines, truncated) = (logs.lines, logs.truncated);
        let source = source.as_str();
        let body = json!({"name": agent, "logs": logs.text, "lines": lines, "truncated": truncated, "source": source});
        Ok(Reply::ok(&body))
    })
}

pub(crate) fn list(app: &App, call: Call) -> Handled {
    let seen = if call.caller.is_admin() { AgentViewer::All } else { AgentViewer::By(call.caller.grantee()) };
    ask(app, call, None, move |jobs| {
        let driver = jobs.any_driver()?;
        let states = driver.list(Detail::Full, Instant::now() + CALL)?;
        let page = Page { limit: AGENTS, after: None };
        // A row is told as the agent is read: some 300 bytes, at most one for each container there is.
        let mut rows: Vec<Value> = Vec::new();
        jobs.store.lookup(|conn| {
            agents::list(conn, &seen, &AgentFilter::default(), &page, &mut |live| {
                rows.extend(show(&live.agent, &states));
                true
            })
        })?;
        Ok(Reply::ok(&rows))
    })
}

/// Asks on a thread that may wait; the reply comes when it comes.
pub(crate) fn ask(
    app: &App,
    call: Call,
    agent_id: Option<&str>,
    question: impl FnOnce(&Arc<Jobs>) -> Result<Reply, ApiError> + Send + 'static,
) -> Handled {
    let (fulfiller, promise) = stream::promise();
    app.jobs.look(agent_id, move |jobs| {
        let reply = question(jobs).unwrap_or_else(|error| render(&error, call.input.dialect, call.caller.request_id()));
        fulfiller.keep(Outcome::Done(reply));
    })?;
    Ok(Step::Later(Outcome::Pending(promise)))
}

fn show(agent: &Agent, states: &[ContainerState]) -> Option<Value> {
    let name = agent.container_name.as_deref()?;
    let state = states.iter().find(|state| state.name.as_str() == name)?;
    let status = match state.status {
        Status::Running => "running",
        Status::Frozen => "frozen",
        Status::Stopped => "stopped",
        Status::Error => "error",
        Status::Other => "changing",
    };
    Some(json!({
        "name": name,
        "agent_name": agent.slug,
        "status": status,
        "ip": state.ip,
        "memory_mb": state.memory_mb,
        "cpu_cores": state.cpu_cores,
    }))
}
