//! Reading the registry.

use hyper::header::ETAG;

use super::container_routes::STATUS_FIELD;
use super::record;
use super::routes::Q;
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
    let mut take = |live: LiveAgent| list.push((live.agent.created_at, live.agent.id.clone()), &record::show(&live));
    app.store.lookup(|conn| agents::list(conn, &seen, &filter, &page, &mut take))?;
    Ok(list.reply(&call.input).decided(Decided::ByDatabase).into())
}

pub(crate) fn get(app: &App, call: Call) -> Handled {
    let live = app.store.read(|conn| find(conn, &call.caller, call.input.param(0), AgentRole::Viewer))?;
    let etag = format!("\"{}\"", live.agent.revision);
    Ok(Reply::ok(&record::show(&live)).with(ETAG, &etag).decided(Decided::ByDatabase).into())
}
