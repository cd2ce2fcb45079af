//! Reading the registry.

use hyper::header::ETAG;
use rusqlite::Connection;

use super::record;
use crate::access::{self, AgentRole, Caller};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::reply::Reply;
use crate::store::agents::{self, Filter, Live, Seen};

/// The live agent of this name, if the caller has at least `needed` on it.
///
/// # Errors
/// `agent_not_found`, `forbidden`, or the store's.
pub fn find(conn: &Connection, caller: &Caller, name: &str, needed: AgentRole) -> Result<Live, ApiError> {
    let live = agents::by_name(conn, name)?.ok_or(codes::AGENT_NOT_FOUND)?;
    access::require(conn, caller, &live.agent.id, needed)?;
    Ok(live)
}

/// Whose eyes the registry is looked at with.
pub fn seen_by(caller: &Caller) -> Seen {
    if caller.is_admin() { Seen::All } else { Seen::By(caller.grantee()) }
}

/// A filter that shows all the caller's credential may touch.
pub fn visible(caller: &Caller) -> Filter {
    Filter { only: caller.only_agents().map(<[String]>::to_vec), ..Filter::default() }
}

pub(crate) fn list(app: &App, call: Call) -> Handled {
    let page = paging::page(&call.input, "agents")?;
    let query = &call.input.query;
    let filter = Filter {
        status: query.text("status").map(str::to_owned),
        text: query.text("q").map(str::to_owned),
        ..visible(&call.caller)
    };
    let seen = seen_by(&call.caller);
    let rows = app.store.lookup(|conn| agents::list(conn, &seen, &filter, &page))?;
    let key = |live: &Live| (live.agent.created_at, live.agent.id.clone());
    Ok(paging::reply(&call.input, "agents", &page, rows, key, record::show).into())
}

pub(crate) fn get(app: &App, call: Call) -> Handled {
    let live = app.store.read(|conn| find(conn, &call.caller, call.input.param(0), AgentRole::Viewer))?;
    let etag = format!("\"{}\"", live.agent.revision);
    Ok(Reply::ok(&record::show(&live)).with(ETAG, &etag).into())
}
