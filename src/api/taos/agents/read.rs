//! Reading the registry.

use hyper::header::ETAG;

use super::container_fields::STATUS_FIELD;
use super::fields::Q;
use super::record;
use crate::access::AgentRole;
use crate::api::agents::{find, seen_by, visible};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging::Listing;
use crate::rest::reply::{Decided, Reply};
use crate::store::agents::{self, AgentFilter, LiveAgent};

pub(crate) fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "agents")?;
    let page = list.page();
    let query = &call.input.query;
    let filter = AgentFilter {
        status: query.word(&STATUS_FIELD)?,
        text: query.text(&Q).map(str::to_owned),
        ..visible(&call.caller)
    };
    let seen = seen_by(&call.caller);
    let nodes = &app.jobs.nodes;
    let mut take = |live: LiveAgent| {
        let record = record::show(&live).seen_over(nodes);
        list.push((live.agent.created_at, live.agent.id.clone()), &record)
    };
    app.store.lookup(|conn| agents::list(conn, &seen, &filter, &page, &mut take))?;
    Ok(decided(app, list.reply(&call.input)).into())
}

pub(crate) fn get(app: &App, call: Call) -> Handled {
    let live = app.store.read(|conn| find(conn, &call.caller, call.input.param(0), AgentRole::Viewer))?;
    let record = record::show(&live).seen_over(&app.jobs.nodes);
    let away = if record.is_away() { ".away" } else { "" };
    let etag = format!("\"{}{away}\"", live.agent.revision);
    Ok(decided(app, Reply::ok(&record).with(ETAG, &etag)).into())
}

/// Marks the reply as decided by the database, unless there are nodes: their state decides it too.
fn decided(app: &App, reply: Reply) -> Reply {
    if app.jobs.nodes.is_empty() { reply.decided(Decided::ByDatabase) } else { reply }
}
