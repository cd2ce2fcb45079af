//! Sources: listed, replaced as a whole, deleted.

use std::collections::HashSet;

use serde_json::json;

use super::fields::{CATEGORIES, CONTENT, ITEMS, PATH, SOURCE_TYPE_FIELD, TITLE_FIELD, check_source_id, is_name};
use crate::access::{self, AgentRole};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::api::engine::paging::Listing;
use crate::docs;
use crate::limits::{
    KNOWLEDGE_BYTES_OF_AGENT, KNOWLEDGE_BYTES_OF_USER, KNOWLEDGE_ITEMS, KNOWLEDGE_SOURCES, KNOWLEDGE_SOURCES_OF_AGENT,
    KNOWLEDGE_SOURCES_OF_USER, TEXT_BYTES,
};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::input::Fields;
use crate::rest::reply::{Decided, Reply};
use crate::store::grants::Grantee;
use crate::store::knowledge::owners::{self, Owner};
use crate::store::knowledge::{self, CORE, NewDocument, Replacement, Source};
use crate::time::Micros;

pub(crate) fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "sources")?;
    let page = list.page();
    let mut take = |source: Source| {
        let shown = json!({
            "source_id": source.source_id,
            "source_type": source.source_type,
            "items": source.items,
            "updated_at": source.updated_at.millis(),
        });
        list.push((Micros(0), source.source_id), &shown)
    };
    app.store.lookup(|conn| knowledge::sources(conn, &page, &mut take))?;
    Ok(list.reply(&call.input).decided(Decided::ByDatabase).into())
}

/// Returns the source of the path, if its name is valid and not reserved.
fn writable(call: &Call) -> Result<String, ApiError> {
    let source_id = call.input.param(0);
    check_source_id(source_id)?;
    if source_id == CORE { Err(codes::SOURCE_RESERVED.into()) } else { Ok(source_id.to_owned()) }
}

/// Returns the owner of the source, if the caller may write it: its owner, the editors of an agent that owns it, and
/// admins. `None`: there is no such source yet, or it has no owner any more.
fn may_write(tx: &Tx<'_>, source_id: &str) -> Result<Option<Grantee>, ApiError> {
    let owner = match owners::owner(tx.conn, source_id)? {
        Owner::Nobody => return Ok(None),
        Owner::Lost if tx.caller.is_admin() => return Ok(None),
        Owner::Lost => return Err(codes::SOURCE_FORBIDDEN.into()),
        Owner::One(owner) => owner,
    };
    let may = tx.caller.is_admin()
        || tx.caller.grantee() == owner
        || match &owner {
            Grantee::User(_) => false,
            Grantee::Agent(id) => access::role_on(tx.conn, tx.caller, id)? >= Some(AgentRole::Editor),
        };
    if may { Ok(Some(owner)) } else { Err(codes::SOURCE_FORBIDDEN.into()) }
}

/// Checks that the documents fit into the limits of the box and of one owner. For an admin only the box's limit counts.
fn check_room(tx: &Tx<'_>, source_id: &str, owner: &Grantee, documents: &[NewDocument]) -> Result<(), ApiError> {
    if knowledge::count_other_sources(tx.conn, source_id, KNOWLEDGE_SOURCES)? >= KNOWLEDGE_SOURCES {
        return Err(codes::TOO_MANY_SOURCES.into());
    }
    let (sources, bytes) = match owner {
        _ if tx.caller.is_admin() => return Ok(()),
        Grantee::Agent(_) => (KNOWLEDGE_SOURCES_OF_AGENT, KNOWLEDGE_BYTES_OF_AGENT),
        Grantee::User(_) => (KNOWLEDGE_SOURCES_OF_USER, KNOWLEDGE_BYTES_OF_USER),
    };
    let (held, held_bytes) = owners::held(tx.conn, owner, source_id)?;
    let wanted = held_bytes.saturating_add(owners::bytes(documents));
    if held < sources && wanted <= bytes {
        return Ok(());
    }
    Err(ApiError::new(codes::TOO_MANY_SOURCES)
        .detail(format!("One owner may have at most {sources} sources with {bytes} bytes of text in total.")))
}

pub(crate) fn put(app: &App, call: Call) -> Handled {
    let body = &call.input.body;
    let source_type = body.text(&SOURCE_TYPE_FIELD).unwrap_or("guide").to_owned();
    if !is_name(&source_type, false) {
        return Err(ApiError::field("source_type", "must be a-z or 0-9, then a-z, 0-9, ., _ or -"));
    }
    let documents = documents(body)?;
    let source_id = writable(&call)?;
    call.write(app, move |tx| {
        let owner = may_write(tx, &source_id)?.unwrap_or_else(|| tx.caller.grantee());
        if !documents.is_empty() {
            check_room(tx, &source_id, &owner, &documents)?;
        }
        let author = tx.caller.source();
        let replacement =
            Replacement { source_id: &source_id, source_type: &source_type, author: &author, documents: &documents };
        let changes = knowledge::replace(tx.conn, &replacement, tx.now)?;
        owners::note(tx.conn, &source_id, &owner, &documents)?;
        if !changes.is_none() {
            tx.audit(format!("knowledge:{source_id}"))?;
        }
        Ok(Reply::ok(&json!({
            "source_id": source_id,
            "added": changes.added,
            "updated": changes.updated,
            "unchanged": changes.unchanged,
            "removed": changes.removed,
        })))
    })
}

fn documents(body: &Fields) -> Result<Vec<NewDocument>, ApiError> {
    let items = body.objects(&ITEMS);
    if items.len() > KNOWLEDGE_ITEMS {
        return Err(ApiError::field("items", format!("must hold at most {KNOWLEDGE_ITEMS} entries")));
    }
    let mut paths = HashSet::new();
    let mut problems = Vec::new();
    let mut documents = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let mut problem = |field: &str, text: String| problems.push((format!("items[{at}].{field}"), text));
        let document = document(item);
        if document.path.contains(char::is_control) {
            problem("path", "must not contain control characters".into());
        } else if !paths.insert(document.path.clone()) {
            problem("path", "is given twice".into());
        }
        if document.content.len() > TEXT_BYTES {
            problem("content", format!("must be at most {TEXT_BYTES} bytes long"));
        }
        documents.push(document);
    }
    if problems.is_empty() { Ok(documents) } else { Err(ApiError::fields(problems)) }
}

fn document(item: &Fields) -> NewDocument {
    let (path, content) = (item.text(&PATH).unwrap_or_default(), item.text(&CONTENT).unwrap_or_default());
    let heading = || docs::first_heading(content).filter(|heading| !heading.is_empty());
    let title = item.text(&TITLE_FIELD).map(str::to_owned).or_else(heading).unwrap_or_else(|| path.to_owned());
    NewDocument {
        path: path.to_owned(),
        title: title.chars().take(200).collect(),
        summary: docs::summary(content),
        content: content.to_owned(),
        categories: item.texts(&CATEGORIES).unwrap_or_default().into_iter().map(str::to_owned).collect(),
    }
}

pub(crate) fn delete(app: &App, call: Call) -> Handled {
    let source_id = writable(&call)?;
    call.write(app, move |tx| {
        may_write(tx, &source_id)?;
        if knowledge::delete_source(tx.conn, &source_id)? == 0 {
            return Err(codes::SOURCE_NOT_FOUND.into());
        }
        owners::forget(tx.conn, &source_id)?;
        tx.audit(format!("knowledge:{source_id}"))?;
        Ok(Reply::no_content())
    })
}
