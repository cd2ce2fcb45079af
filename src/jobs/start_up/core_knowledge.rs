//! The daemon's own knowledge: at every start the documentation in the binary replaces the items of `taos-core`. A
//! start with the same documentation writes nothing.

use std::sync::Arc;

use rusqlite::Connection;

use crate::docs;
use crate::store::knowledge::{self, CORE, NewDocument, Replacement};
use crate::store::{Result, Store};
use crate::time::Micros;

/// The source type and the category of the documentation.
const AGENT_DOCS: &str = "agent-docs";
/// Pages per transaction, so that other writes come in between.
const PAGES: usize = 8;

/// Updates `taos-core` to the documentation in this binary.
///
/// # Errors
/// Any `StoreError`.
pub fn ingest(store: &Store) -> Result<()> {
    let documents: Vec<NewDocument> = docs::PAGES.iter().map(|(path, text)| document(path, text)).collect();
    let changes = store.read(|conn| knowledge::compare(conn, &replacement(&documents)))?;
    if changes.is_none() {
        return Ok(());
    }
    let documents = Arc::new(documents);
    loop {
        let documents = Arc::clone(&documents);
        let some =
            move |conn: &Connection| knowledge::replace_some(conn, &replacement(&documents), PAGES, Micros::now());
        if store.write(some)?.is_none() {
            break;
        }
    }
    log::info!(
        "documentation as knowledge: {} pages new, {} changed, {} unchanged, {} removed",
        changes.added,
        changes.updated,
        changes.unchanged,
        changes.removed
    );
    Ok(())
}

fn replacement(documents: &[NewDocument]) -> Replacement<'_> {
    Replacement { source_id: CORE, source_type: AGENT_DOCS, author: "taosd", documents }
}

fn document(path: &str, text: &str) -> NewDocument {
    NewDocument {
        path: format!("/docs/{path}"),
        title: docs::first_heading(text).unwrap_or_else(|| path.to_owned()),
        summary: docs::summary(text),
        content: text.to_owned(),
        categories: vec![AGENT_DOCS.to_owned()],
    }
}
