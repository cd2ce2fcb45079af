//! Knowledge: documents by source and path, and the words in them (SQLite FTS5). Triggers keep the words up to date, so
//! that a search does not find text that was edited away.

pub mod owners;
mod search;
mod snippet;

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Result;
use super::clauses::Clauses;
use super::page::{Page, Take, each};
use crate::time::Micros;

pub use search::{KnowledgeHit, search};

/// The source that the daemon writes itself.
pub const CORE: &str = "taos-core";

const BRIEF: &str = "i.seq, i.id, i.source_type, i.source_id, i.path, i.title, i.author, i.summary, i.categories,
    i.created_at, i.updated_at";
const INSERT: &str = "INSERT INTO knowledge_items (id, source_type, source_id, path, title, author, summary, content,
    categories, content_hash, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11)";
const UPDATE: &str = "UPDATE knowledge_items SET source_type = ?2, title = ?3, author = ?4, summary = ?5, content = ?6,
    categories = ?7, content_hash = ?8, updated_at = ?9 WHERE seq = ?1";
const HASHES: &str = "SELECT path, seq, content_hash FROM knowledge_items WHERE source_id = ?1";
const SOURCES: &str = "SELECT source_id, source_type, items, updated_at FROM knowledge_sources
    WHERE source_id > ?1 AND items > 0 ORDER BY source_id LIMIT ?2";
const COUNT_OTHER_SOURCES: &str = "SELECT count(*) FROM (SELECT 1 FROM knowledge_sources
    WHERE (source_id < ?1 OR source_id > ?1) AND items > 0 LIMIT ?2)";
const DOCUMENTS: &str = "SELECT seq, id, title, octet_length(content) FROM knowledge_items";

const HAS_CATEGORY: &str = "EXISTS (SELECT 1 FROM json_each(i.categories) WHERE value = ?)";

/// A document to be stored.
#[derive(Debug, Clone)]
pub struct NewDocument {
    /// Its name within the source.
    pub path: String,
    /// Its title.
    pub title: String,
    /// A summary of a line or two.
    pub summary: String,
    /// The text.
    pub content: String,
    /// The categories.
    pub categories: Vec<String>,
}

/// A document in a list, without its text.
#[derive(Debug, Clone)]
pub struct KnowledgeItem {
    /// The id. It stays the same as long as the source has this path.
    pub id: String,
    /// The kind of its source.
    pub source_type: String,
    /// The id of its source.
    pub source_id: String,
    /// Its name within the source.
    pub path: String,
    /// Its title.
    pub title: String,
    /// Who wrote it last.
    pub author: String,
    /// A summary of a line or two.
    pub summary: String,
    /// The categories, as a JSON array.
    pub categories: String,
    /// When it was added.
    pub created_at: Micros,
    /// When it was last changed.
    pub updated_at: Micros,
}

fn read(row: &Row<'_>) -> rusqlite::Result<KnowledgeItem> {
    Ok(KnowledgeItem {
        id: row.get(1)?,
        source_type: row.get(2)?,
        source_id: row.get(3)?,
        path: row.get(4)?,
        title: row.get(5)?,
        author: row.get(6)?,
        summary: row.get(7)?,
        categories: row.get(8)?,
        created_at: row.get(9)?,
        updated_at: row.get(10)?,
    })
}

/// Which items to list or search.
#[derive(Debug, Clone, Default)]
pub struct ItemFilter {
    /// Only items of this source type.
    pub source_type: Option<String>,
    /// Only items of this source.
    pub source_id: Option<String>,
    /// Only items with this category.
    pub category: Option<String>,
}

impl ItemFilter {
    /// True if there is no condition.
    fn is_none(&self) -> bool {
        self.source_type.is_none() && self.source_id.is_none() && self.category.is_none()
    }

    /// Returns the tables of the items, as `i`: the items of the category if no source narrows them more.
    fn from(&self) -> &'static str {
        match (&self.source_id, &self.category) {
            (None, Some(_)) => "knowledge_categories c CROSS JOIN knowledge_items i ON i.id = c.id",
            _ => "knowledge_items i",
        }
    }

    /// Returns the columns for the order by age, from the index of [`ItemFilter::from`].
    fn age(&self) -> &'static str {
        if self.from().starts_with("knowledge_categories") { "c.created_at, c.id" } else { "i.created_at, i.id" }
    }

    /// Adds the conditions for the tables of [`ItemFilter::from`].
    fn narrow(&self, clauses: &mut Clauses) {
        clauses.and_if("i.source_id = ?", self.source_id.clone());
        // A source has one type and few items: only its own index is worth a walk, so `+` keeps the others out.
        let of_type = if self.source_id.is_some() || self.category.is_some() { "+" } else { "" };
        clauses.and_if(&format!("{of_type}i.source_type = ?"), self.source_type.clone());
        match self.source_id {
            None => clauses.and_if("c.category = ?", self.category.clone()),
            Some(_) => clauses.and_if(HAS_CATEGORY, self.category.clone()),
        }
    }

    /// Adds the conditions for an item `i` that was found in another way.
    fn check(&self, clauses: &mut Clauses) {
        clauses.and_if("+i.source_id = ?", self.source_id.clone());
        clauses.and_if("+i.source_type = ?", self.source_type.clone());
        clauses.and_if(HAS_CATEGORY, self.category.clone());
    }
}

/// Lists items, oldest first.
///
/// # Errors
/// Any `StoreError`.
pub fn list(conn: &Connection, filter: &ItemFilter, page: &Page, take: Take<'_, KnowledgeItem>) -> Result<()> {
    let mut clauses = Clauses::default();
    filter.narrow(&mut clauses);
    let (from, age) = (filter.from(), filter.age());
    let (at, id) = page.oldest_first();
    let (at, id) = (clauses.bind(at.0), clauses.bind(id.to_owned()));
    clauses.and(&format!("({age}) > ({at}, {id})"));
    let limit = clauses.bind(i64::try_from(page.fetch()).unwrap_or(i64::MAX));
    let sql = format!("SELECT {BRIEF} FROM {from} {} ORDER BY {age} LIMIT {limit}", clauses.text());
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, clauses.values(), read, take)
}

/// Returns the item with this id, and its text.
///
/// # Errors
/// Any `StoreError`.
pub fn get(conn: &Connection, id: &str) -> Result<Option<(KnowledgeItem, String)>> {
    let sql = format!("SELECT {BRIEF}, i.content FROM knowledge_items i WHERE i.id = ?1");
    let found = conn.prepare_cached(&sql)?.query_row([id], |row| Ok((read(row)?, row.get(11)?)));
    Ok(found.optional()?)
}

/// Returns when an item was last written; `None` if there is no such item.
///
/// # Errors
/// Any `StoreError`.
pub fn updated_at(conn: &Connection, id: &str) -> Result<Option<Micros>> {
    let sql = "SELECT updated_at FROM knowledge_items WHERE id = ?1";
    Ok(conn.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?)
}

/// A source of knowledge.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its id.
    pub source_id: String,
    /// Its kind.
    pub source_type: String,
    /// The number of its items.
    pub items: i64,
    /// When one of them last changed.
    pub updated_at: Micros,
}

/// Lists the sources with items, by id; the page starts after an id.
///
/// # Errors
/// Any `StoreError`.
pub fn sources(conn: &Connection, page: &Page, take: Take<'_, Source>) -> Result<()> {
    let mut statement = conn.prepare_cached(SOURCES)?;
    let read = |row: &Row<'_>| {
        Ok(Source { source_id: row.get(0)?, source_type: row.get(1)?, items: row.get(2)?, updated_at: row.get(3)? })
    };
    each(&mut statement, params![page.oldest_first().1, page.fetch()], read, take)
}

/// Counts the other sources that have documents, up to `most`.
///
/// # Errors
/// Any `StoreError`.
pub fn count_other_sources(conn: &Connection, source_id: &str, most: u64) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT_OTHER_SOURCES)?.query_row(params![source_id, most], |row| row.get(0))?)
}

/// How a replacement changes a source's items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    /// The number of new items.
    pub added: usize,
    /// The number of items with other content.
    pub updated: usize,
    /// The number of items that stay as they were and are not written.
    pub unchanged: usize,
    /// The number of items that are removed.
    pub removed: usize,
}

impl Changes {
    /// True if nothing differs.
    pub fn is_none(&self) -> bool {
        self.added + self.updated + self.removed == 0
    }
}

/// The documents that replace a source's items.
#[derive(Debug, Clone)]
pub struct Replacement<'a> {
    /// The id of the source.
    pub source_id: &'a str,
    /// The kind of the source.
    pub source_type: &'a str,
    /// The author.
    pub author: &'a str,
    /// The items; each path occurs once.
    pub documents: &'a [NewDocument],
}

struct ReplacementPlan<'a> {
    changes: Changes,
    new: Vec<(&'a NewDocument, [u8; 32])>,
    changed: Vec<(i64, &'a NewDocument, [u8; 32])>,
    gone: Vec<i64>,
}

fn plan<'a>(conn: &Connection, replacement: &Replacement<'a>) -> Result<ReplacementPlan<'a>> {
    let mut statement = conn.prepare_cached(HASHES)?;
    let rows = statement.query_map([replacement.source_id], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    let mut before: HashMap<String, (i64, [u8; 32])> = rows.collect::<rusqlite::Result<_>>()?;
    let (mut new, mut changed) = (Vec::new(), Vec::new());
    for document in replacement.documents {
        let hash = hash_of(replacement.source_type, document);
        match before.remove(&document.path) {
            None => new.push((document, hash)),
            Some((_, old)) if old == hash => {}
            Some((seq, _)) => changed.push((seq, document, hash)),
        }
    }
    let gone: Vec<i64> = before.into_values().map(|(seq, _)| seq).collect();
    let changes = Changes {
        added: new.len(),
        updated: changed.len(),
        unchanged: replacement.documents.len() - new.len() - changed.len(),
        removed: gone.len(),
    };
    Ok(ReplacementPlan { changes, new, changed, gone })
}

/// Returns the changes that [`replace`] would make; only reads.
///
/// # Errors
/// Any `StoreError`.
pub fn compare(conn: &Connection, replacement: &Replacement<'_>) -> Result<Changes> {
    Ok(plan(conn, replacement)?.changes)
}

/// Makes the source hold exactly these documents. Those with the same content are not written. A path that stays keeps
/// its id.
///
/// # Errors
/// Any `StoreError`.
pub fn replace(conn: &Connection, replacement: &Replacement<'_>, now: Micros) -> Result<Changes> {
    replace_some(conn, replacement, usize::MAX, now)
}

/// Makes at most `most` of the changes that [`replace`] would make, for a source whose items are independent of each
/// other. Returns the changes that [`replace`] would have made; if there are none, the source is complete.
///
/// # Errors
/// Any `StoreError`.
pub fn replace_some(conn: &Connection, replacement: &Replacement<'_>, most: usize, now: Micros) -> Result<Changes> {
    let mut plan = plan(conn, replacement)?;
    plan.gone.truncate(most);
    plan.changed.truncate(most - plan.gone.len());
    plan.new.truncate(most - plan.gone.len() - plan.changed.len());
    for seq in plan.gone {
        conn.prepare_cached("DELETE FROM knowledge_items WHERE seq = ?1")?.execute([seq])?;
    }
    for (seq, document, hash) in plan.changed {
        conn.prepare_cached(UPDATE)?.execute(params![
            seq,
            replacement.source_type,
            document.title,
            replacement.author,
            document.summary,
            document.content,
            categories(document),
            hash.as_slice(),
            now
        ])?;
    }
    for (document, hash) in plan.new {
        conn.prepare_cached(INSERT)?.execute(params![
            super::new_id(),
            replacement.source_type,
            replacement.source_id,
            document.path,
            document.title,
            replacement.author,
            document.summary,
            document.content,
            categories(document),
            hash.as_slice(),
            now
        ])?;
    }
    Ok(plan.changes)
}

fn categories(document: &NewDocument) -> String {
    serde_json::json!(document.categories).to_string()
}

/// Hashes everything that a reader sees of the document, each part with its length before it.
fn hash_of(source_type: &str, document: &NewDocument) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut part = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    for text in [source_type, &document.title, &document.summary, &document.content] {
        part(text);
    }
    document.categories.iter().for_each(|category| part(category));
    *hasher.finalize().as_bytes()
}

/// Removes a source. Returns how many items it had.
///
/// # Errors
/// Any `StoreError`.
pub fn delete_source(conn: &Connection, source_id: &str) -> Result<usize> {
    Ok(conn.prepare_cached("DELETE FROM knowledge_items WHERE source_id = ?1")?.execute([source_id])?)
}

/// A document for a prompt: its title and size, without its text.
#[derive(Debug, Clone)]
pub struct PromptPart {
    seq: i64,
    /// The id.
    pub id: String,
    /// The title.
    pub title: String,
    /// The bytes of its text.
    pub bytes: usize,
}

/// Lists the documents of one source, or of all sources, in the order of a prompt.
///
/// # Errors
/// Any `StoreError`.
pub fn parts(conn: &Connection, source_id: Option<&str>, take: Take<'_, PromptPart>) -> Result<()> {
    let read =
        |row: &Row<'_>| Ok(PromptPart { seq: row.get(0)?, id: row.get(1)?, title: row.get(2)?, bytes: row.get(3)? });
    let mut wants_more = true;
    let mut part = |condition: &str, source: &str| -> Result<()> {
        let sql = format!("{DOCUMENTS} WHERE {condition} ORDER BY source_id, path");
        let mut statement = conn.prepare_cached(&sql)?;
        each(&mut statement, [source], read, &mut |part| {
            wants_more = wants_more && take(part);
            wants_more
        })
    };
    match source_id {
        Some(source_id) => part("source_id = ?1", source_id),
        // The daemon's own source comes first.
        None => ["source_id = ?1", "source_id < ?1", "source_id > ?1"].iter().try_for_each(|which| part(which, CORE)),
    }
}

/// Returns the text of a document.
///
/// # Errors
/// Any `StoreError`.
pub fn text(conn: &Connection, part: &PromptPart) -> Result<String> {
    let sql = "SELECT content FROM knowledge_items WHERE seq = ?1";
    Ok(conn.prepare_cached(sql)?.query_row([part.seq], |row| row.get(0))?)
}
