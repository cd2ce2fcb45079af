//! Listing, reading and searching items.

use serde_json::json;

use super::show;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging;
use crate::limits::PAGE_DEFAULT;
use crate::rest::codes;
use crate::rest::input::Fields;
use crate::rest::reply::Reply;
use crate::store::knowledge::{self, Filter, Item};

const LIST: &str = "knowledge";

fn filter(query: &Fields) -> Filter {
    let own = |name: &str| query.text(name).map(str::to_owned);
    Filter { source_type: own("source_type"), source_id: own("source_id"), category: own("category") }
}

pub(crate) fn list(app: &App, call: Call) -> Handled {
    let page = paging::page(&call.input, LIST)?;
    let filter = filter(&call.input.query);
    let items = app.store.lookup(|conn| knowledge::list(conn, &filter, &page))?;
    let key = |item: &Item| (item.created_at, item.id.clone());
    Ok(paging::reply(&call.input, LIST, &page, items, key, show).into())
}

pub(crate) fn get(app: &App, call: Call) -> Handled {
    let found = app.store.lookup(|conn| knowledge::get(conn, call.input.param(0)))?;
    let (item, content) = found.ok_or(codes::KNOWLEDGE_ITEM_NOT_FOUND)?;
    let mut shown = show(&item);
    shown["content"] = content.into();
    Ok(Reply::ok(&shown).into())
}

pub(crate) fn search(app: &App, call: Call) -> Handled {
    let query = &call.input.query;
    let limit = query.integer("limit").and_then(|n| u64::try_from(n).ok()).unwrap_or(PAGE_DEFAULT);
    let (words, filter) = (query.text("q").unwrap_or_default(), filter(query));
    let hits = app.store.lookup(|conn| knowledge::search(conn, words, &filter, limit))?;
    let shown: Vec<_> = hits
        .iter()
        .map(|hit| {
            let mut shown = show(&hit.item);
            shown["snippet"] = hit.snippet.clone().into();
            shown["score"] = json!(hit.score);
            shown
        })
        .collect();
    Ok(Reply::ok(&shown).into())
}
