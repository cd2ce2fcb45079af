//! The words of messages, and searching for them. Every message is found under its space, a direct one under its two
//! readers; newest first, so that a common word costs no more than a rare one.

use rusqlite::{Connection, params};

use super::Message;
use crate::store::Result;

const ADD: &str = "INSERT INTO message_words (rowid, scope, content) VALUES (?1, ?2, ?3)";
const REMOVE: &str = "DELETE FROM message_words WHERE rowid = ?1";

pub(super) fn add(conn: &Connection, place: i64, scopes: &str, content: &str) -> Result<()> {
    conn.prepare_cached(ADD)?.execute(params![place, scopes, content])?;
    Ok(())
}

pub(super) fn remove(conn: &Connection, place: i64) -> Result<()> {
    conn.prepare_cached(REMOVE)?.execute([place])?;
    Ok(())
}

/// An id as one word to the tokenizer.
fn word(id: &str) -> String {
    id.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Where direct messages of one of their readers are found.
fn direct(space_id: &str, principal: &str) -> String {
    format!("{}x{}", word(space_id), word(principal))
}

/// Under which words a message is found.
pub(super) fn scopes(space_id: &str, author: &str, addressee: Option<&str>) -> String {
    match addressee {
        None => word(space_id),
        Some(to) if to == author => direct(space_id, author),
        Some(to) => format!("{} {}", direct(space_id, author), direct(space_id, to)),
    }
}

/// Messages of these spaces that hold every word of `query` and that `reader` may read, newest first. A word is what is
/// between blanks; nothing in it is syntax.
///
/// # Errors
/// The store's.
pub fn search(
    conn: &Connection,
    query: &str,
    spaces: &[String],
    reader: &str,
    limit: u64,
    max_bytes: usize,
) -> Result<Vec<Message>> {
    let Some(expression) = expression(query, spaces, reader) else { return Ok(Vec::new()) };
    let sql = "SELECT rowid FROM message_words WHERE message_words MATCH ?1 ORDER BY rowid DESC LIMIT ?2";
    let mut statement = conn.prepare_cached(sql)?;
    let places = statement.query_map(params![expression, limit], |row| row.get(0))?;
    super::find::by_places(conn, places, max_bytes)
}

/// Every word as an FTS5 string: within quotes only the quote itself has a meaning. `None` if there is no word to look
/// for, or no space to look in.
fn expression(query: &str, spaces: &[String], reader: &str) -> Option<String> {
    let words: Vec<String> = query
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"").replace('\0', " ")))
        .collect();
    if words.is_empty() || spaces.is_empty() {
        return None;
    }
    let scopes: Vec<String> =
        spaces.iter().flat_map(|id| [format!("\"{}\"", word(id)), format!("\"{}\"", direct(id, reader))]).collect();
    Some(format!("scope : ({}) AND content : ({})", scopes.join(" OR "), words.join(" AND ")))
}
