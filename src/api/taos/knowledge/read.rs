//! Listing, reading and searching items.

use serde_json::json;

use super::fields::{Q, show};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging::Listing;
use crate::rest::codes;
use crate::rest::field::Field;
use crate::rest::input::Fields;
use crate::rest::reply::{Decided, Reply};
use crate::store::knowledge::{self, ItemFilter, KnowledgeHit, KnowledgeItem};

fn filter(query: &Fields) -> ItemFilter {
    let own = |field: &Field| query.text(field).map(str::to_owned);
    ItemFilter {
        source_type: own(&super::fields::SOURCE_TYPE_FIELD),
        source_id: own(&super::fields::SOURCE_FILTER),
        category: own(&super::fields::CATEGORY_FILTER),
    }
}

pub(crate) fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "knowledge")?;
    let page = list.page();
    let filter = filter(&call.input.query);
    let mut take = |item: KnowledgeItem| list.push((item.created_at, item.id.clone()), &show(&item));
    app.store.lookup(|conn| knowledge::list(conn, &filter, &page, &mut take))?;
    Ok(list.reply(&call.input).decided(Decided::ByDatabase).into())
}

pub(crate) fn get(app: &App, call: Call) -> Handled {
    let found = app.store.lookup(|conn| knowledge::get(conn, call.input.param(0)))?;
    let (item, content) = found.ok_or(codes::KNOWLEDGE_ITEM_NOT_FOUND)?;
    let mut shown = show(&item);
    shown["content"] = content.into();
    Ok(Reply::ok(&shown).decided(Decided::ByDatabase).into())
}

/// Searches the items. They are ordered by score, so a place is a score and, among equal scores, the order of creation.
pub(crate) fn search(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "search")?;
    let page = list.page();
    let query = &call.input.query;
    let (words, filter) = (query.text(&Q).unwrap_or_default(), filter(query));
    let mut take = |hit: KnowledgeHit| {
        let mut shown = show(&hit.item);
        shown["snippet"] = hit.snippet.into();
        shown["score"] = json!(hit.score);
        list.push(hit.place, &shown)
    };
    app.store.read(|conn| knowledge::search(conn, words, &filter, &page, &mut take))?;
    Ok(list.reply(&call.input).decided(Decided::ByDatabase).into())
}
