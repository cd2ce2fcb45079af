//! Sources: listed, replaced as a whole, deleted.

use std::collections::HashSet;

use serde_json::json;

use super::{check_source_id, is_name};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::docs;
use crate::limits::{KNOWLEDGE_ITEMS, KNOWLEDGE_SOURCES, TEXT_BYTES};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::input::Fields;
use crate::rest::reply::Reply;
use crate::store::knowledge::{self, CORE, Document, Replacement};

pub(crate) fn list(app: &App, _: Call) -> Handled {
    let sources = app.store.lookup(knowledge::sources)?;
    let shown: Vec<_> = sources
        .iter()
        .map(|source| {
            json!({
                "source_id": source.source_id,
                "source_type": source.source_type,
                "items": source.items,
                "updated_at": source.updated_at.millis(),
            })
        })
        .collect();
    Ok(Reply::ok(&shown).into())
}

/// The source of the path, if it may be written.
fn writable(call: &Call) -> Result<String, ApiError> {
    let source_id = call.input.param(0);
    check_source_id(source_id)?;
    if source_id == CORE { Err(codes::SOURCE_RESERVED.into()) } else { Ok(source_id.to_owned()) }
}

pub(crate) fn put(app: &App, call: Call) -> Handled {
    let body = &call.input.body;
    let source_type = body.text("source_type").unwrap_or("guide").to_owned();
    if !is_name(&source_type, false) {
        return Err(ApiError::field("source_type", "must be a-z or 0-9, then a-z, 0-9, ., _ or -"));
    }
    let documents = documents(body)?;
    let source_id = writable(&call)?;
    call.write(app, move |tx| {
        if !documents.is_empty() && knowledge::count_other_sources(tx.conn, &source_id)? >= KNOWLEDGE_SOURCES {
            return Err(codes::TOO_MANY_SOURCES.into());
        }
        let author = tx.caller.source();
        let replacement =
            Replacement { source_id: &source_id, source_type: &source_type, author: &author, documents: &documents };
        let changes = knowledge::replace(tx.conn, &replacement, tx.now)?;
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

fn documents(body: &Fields) -> Result<Vec<Document>, ApiError> {
    let items = body.objects("items");
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

fn document(item: &Fields) -> Document {
    let (path, content) = (item.text("path").unwrap_or_default(), item.text("content").unwrap_or_default());
    let heading = || docs::first_heading(content).filter(|heading| !heading.is_empty());
    let title = item.text("title").map(str::to_owned).or_else(heading).unwrap_or_else(|| path.to_owned());
    Document {
        path: path.to_owned(),
        title: title.chars().take(200).collect(),
        summary: docs::summary(content),
        content: content.to_owned(),
        categories: item.texts("categories").unwrap_or_default().into_iter().map(str::to_owned).collect(),
    }
}

pub(crate) fn delete(app: &App, call: Call) -> Handled {
    let source_id = writable(&call)?;
    call.write(app, move |tx| {
        if knowledge::delete_source(tx.conn, &source_id)? == 0 {
            return Err(codes::SOURCE_NOT_FOUND.into());
        }
        tx.audit(format!("knowledge:{source_id}"))?;
        Ok(Reply::no_content())
    })
}
