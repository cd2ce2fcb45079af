//! Search: items that hold every word of a query, best first.

use rusqlite::{Connection, params};

use super::{BRIEF, FILTERED, Filter, Item, read};
use crate::store::Result;

/// An item that a search found.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The item.
    pub item: Item,
    /// The words around what was found.
    pub snippet: String,
    /// How well it fits; larger is better.
    pub score: f64,
}

/// Items that hold every word of `query`, best first. A word is what is between blanks; nothing in it is syntax.
///
/// # Errors
/// The store's.
pub fn search(conn: &Connection, query: &str, filter: &Filter, limit: u64) -> Result<Vec<Hit>> {
    let Some(expression) = all_words(query) else { return Ok(Vec::new()) };
    // A word in a title weighs as much as four in the text.
    let sql = format!(
        "SELECT {BRIEF}, snippet(knowledge_words, -1, '', '', '…', 24), -bm25(knowledge_words, 4.0, 1.0) AS score
            FROM knowledge_words JOIN knowledge_items i ON i.seq = knowledge_words.rowid
            WHERE knowledge_words MATCH ?4 AND {FILTERED} ORDER BY score DESC, i.seq LIMIT ?5"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement
        .query_map(params![filter.source_type, filter.source_id, filter.category, expression, limit], |row| {
            Ok(Hit { item: read(row)?, snippet: row.get(11)?, score: row.get(12)? })
        })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Every word as an FTS5 string: within quotes only the quote itself has a meaning. `None` if no word has a letter or
/// digit to look for.
fn all_words(query: &str) -> Option<String> {
    let words: Vec<String> = query
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"").replace('\0', " ")))
        .collect();
    if words.is_empty() { None } else { Some(words.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::knowledge::{Changes, Document, Replacement, replace};
    use crate::time::Micros;
    use proptest::prelude::*;

    #[test]
    fn words_are_quoted_and_signs_alone_are_no_words() {
        assert_eq!(all_words("a \"b\" NOT*").as_deref(), Some("\"a\" \"\"\"b\"\"\" \"NOT*\""));
        assert_eq!(all_words(" - * \" "), None);
    }

    fn open() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.pragma_update(None, "trusted_schema", false).unwrap();
        conn.execute_batch(include_str!("../../../schema.sql")).unwrap();
        conn
    }

    fn document(path: &str, content: &str) -> Document {
        let (title, summary) = ("0".to_owned(), String::new());
        Document { path: path.into(), title, summary, content: content.into(), categories: vec!["c".into()] }
    }

    fn put(conn: &Connection, documents: &[Document]) -> Changes {
        let replacement = Replacement { source_id: "s", source_type: "guide", author: "t", documents };
        replace(conn, &replacement, Micros(1)).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

        #[test]
        fn no_query_is_a_syntax_error(query in "(\\PC|[\"'*(){}^:+\\-\u{0}]|AND|OR|NOT|NEAR| ){0,60}") {
            let conn = open();
            put(&conn, &[document("p", "some plain words")]);
            prop_assert!(search(&conn, &query, &Filter::default(), 10).is_ok());
        }

        #[test]
        fn a_documents_own_word_finds_it(words in prop::collection::vec("[a-z]{1,8}", 1..6), at in 0usize..6) {
            let conn = open();
            put(&conn, &[document("p", &words.join(" ")), document("q", "!")]);
            let found = search(&conn, &words[at % words.len()], &Filter::default(), 10).unwrap();
            prop_assert_eq!(found.len(), 1);
        }
    }

    #[test]
    fn the_words_follow_the_documents() {
        let conn = open();
        let one = |changes: Changes| (changes.added, changes.updated, changes.unchanged, changes.removed);
        assert_eq!(one(put(&conn, &[document("a", "old"), document("b", "keep")])), (2, 0, 0, 0));
        let id = |word: &str| search(&conn, word, &Filter::default(), 9).unwrap().pop().map(|hit| hit.item.id);
        let before = id("old");
        assert_eq!(one(put(&conn, &[document("a", "new"), document("b", "keep")])), (0, 1, 1, 0));
        assert_eq!((id("new"), id("old")), (before, None));
        assert_eq!(one(put(&conn, &[document("b", "keep")])), (0, 0, 1, 1));
        assert_eq!(id("new"), None);
        // FTS5 compares its index with the table.
        conn.execute("INSERT INTO knowledge_words (knowledge_words, rank) VALUES ('integrity-check', 1)", []).unwrap();
    }
}
