//! The words of messages, and the search for them. Each word is kept under the space it was written in; a word of a
//! direct message is kept under its two readers. So a search walks only through what its reader may read, newest first.
//!
//! New messages get into the index at the end of the transaction, all of a batch together. FTS5 writes its pending
//! words at every savepoint, and each of these writes costs more than the rest of a message.

use rusqlite::{Connection, Row, params};

use super::{Message, find};
use crate::store::Result;

const ADD: &str = "INSERT INTO message_words (rowid, content) VALUES (?1, ?2)";
const REMOVE: &str = "DELETE FROM message_words WHERE rowid = ?1";
const IS_KNOWN: &str = "SELECT EXISTS (SELECT 1 FROM message_words_docsize WHERE id = ?1)";
/// FTS5 keeps a row in this table for each message that it knows. Places only grow.
const NEW: &str = "SELECT place, space_id, author, addressee, content FROM messages
    WHERE place > (SELECT coalesce(max(id), 0) FROM message_words_docsize) ORDER BY place LIMIT ?1";
/// FTS5 starts a part of the index with every transaction, and every search asks each part. Here two parts of one size
/// are merged; by itself FTS5 waits for four.
const JOIN_TWO: &str = "INSERT INTO message_words (message_words, rank) VALUES ('usermerge', 2)";
const JOINS: &str = "SELECT EXISTS (SELECT 1 FROM message_words_config WHERE k = 'usermerge')";
const JOIN: &str = "INSERT INTO message_words (message_words, rank) VALUES ('merge', ?1)";
/// The pages written at once when parts are merged.
const PAGES: i64 = 16;
/// The most messages indexed at the end of one transaction. The next transaction indexes the rest.
const AT_ONCE: u64 = 1000;
const NEWEST: &str = "SELECT rowid FROM message_words WHERE message_words MATCH ?1 ORDER BY rowid DESC LIMIT ?2";
/// Towards newer rows FTS5 jumps from match to match; towards older rows a jump costs the square of what it leaves out.
const OLDEST: &str = "SELECT rowid FROM message_words WHERE message_words MATCH ?1 ORDER BY rowid LIMIT ?2";
/// If fewer messages than this hold several words, all of them are found, oldest first.
const FEW: usize = 64;
/// The most words of a query that count; further words are ignored.
const WORDS: usize = 16;
/// The number of characters taken from the end of an id, which is random.
const ID_CHARS: usize = 12;

/// Adds the words of new messages to the index.
///
/// # Errors
/// Any `StoreError`.
pub fn index(conn: &Connection) -> Result<()> {
    let mut statement = conn.prepare_cached(NEW)?;
    let mut rows = statement.query([AT_ONCE])?;
    while let Some(row) = rows.next()? {
        let text = |at| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
        let whose = Whose { space_id: text(1)?, author: text(2)?, addressee: addressee(row)? };
        add(conn, row.get(0)?, &whose, text(4)?)?;
    }
    Ok(())
}

/// Merges parts of the index, a little at a time. Returns true if there may be more to do.
///
/// # Errors
/// Any `StoreError`.
pub fn tidy(conn: &Connection) -> Result<bool> {
    if !conn.prepare_cached(JOINS)?.query_row([], |row| row.get(0))? {
        conn.prepare_cached(JOIN_TWO)?.execute([])?;
    }
    let before = conn.total_changes();
    conn.prepare_cached(JOIN)?.execute([PAGES])?;
    // The statement counts as one change even if there is nothing to do.
    Ok(conn.total_changes() - before >= 2)
}

fn addressee<'a>(row: &'a Row<'_>) -> rusqlite::Result<Option<&'a str>> {
    Ok(row.get_ref(3)?.as_str_or_null()?)
}

/// Replaces the words of a message, if they are in the index.
pub(super) fn replace(conn: &Connection, place: i64, whose: &Whose<'_>, content: &str) -> Result<()> {
    if remove(conn, place)? {
        add(conn, place, whose, content)?;
    }
    Ok(())
}

/// Removes the words of a message. Returns true if they were in the index.
pub(super) fn remove(conn: &Connection, place: i64) -> Result<bool> {
    let known = conn.prepare_cached(IS_KNOWN)?.query_row([place], |row| row.get(0))?;
    if known {
        conn.prepare_cached(REMOVE)?.execute([place])?;
    }
    Ok(known)
}

fn add(conn: &Connection, place: i64, whose: &Whose<'_>, content: &str) -> Result<()> {
    let scopes = whose.scopes();
    let mut text = String::with_capacity(content.len() * 4);
    for scope in &scopes {
        for word in words(content) {
            text.extend([scope.as_str(), word, " "]);
        }
    }
    conn.prepare_cached(ADD)?.execute(params![place, text])?;
    Ok(())
}

/// Who may read a message.
pub(super) struct Whose<'a> {
    pub space_id: &'a str,
    pub author: &'a str,
    pub addressee: Option<&'a str>,
}

impl Whose<'_> {
    /// Returns the prefixes that its words are kept under.
    fn scopes(&self) -> Vec<String> {
        match self.addressee {
            None => vec![open(self.space_id)],
            Some(to) if to == self.author => vec![direct(self.space_id, to)],
            Some(to) => vec![direct(self.space_id, self.author), direct(self.space_id, to)],
        }
    }
}

/// Returns the prefix of every word that all members of a space may read.
fn open(space_id: &str) -> String {
    format!("o{}", end_of(space_id))
}

/// Returns the prefix of every word that one reader of direct messages may read.
fn direct(space_id: &str, principal: &str) -> String {
    format!("d{}{}", end_of(space_id), end_of(principal))
}

/// Returns the last twelve letters and digits of an id. Two ids with the same end mix their words in the index, so
/// matches are checked again before they are returned.
fn end_of(id: &str) -> String {
    let mut end: Vec<char> = id.chars().rev().filter(char::is_ascii_alphanumeric).take(ID_CHARS).collect();
    end.resize(ID_CHARS, '0');
    end.into_iter().rev().collect()
}

/// Returns the runs of letters, digits and the marks on them, split as the index splits words.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_mark = |c: char| matches!(c, '\u{300}'..='\u{36f}');
    text.split(move |c: char| !c.is_alphanumeric() && !is_mark(c)).filter(|run| run.contains(char::is_alphanumeric))
}

/// Finds the messages of these spaces that hold every word of `query` and that `reader` may read, newest first. A word
/// is the text between blanks; nothing in it is syntax.
///
/// # Errors
/// Any `StoreError`.
pub fn search(
    conn: &Connection,
    query: &str,
    spaces: &[String],
    reader: &str,
    limit: u64,
    max_bytes: usize,
) -> Result<Vec<Message>> {
    let phrases = phrases(query);
    if phrases.is_empty() || spaces.is_empty() {
        return Ok(Vec::new());
    }
    let scopes: Vec<String> = spaces.iter().flat_map(|id| [open(id), direct(id, reader)]).collect();
    let places = places(conn, &phrases, &scopes, limit)?;
    let mut found = find::by_places(conn, places.into_iter().map(Ok), max_bytes)?;
    found.retain(|message| message.is_for(reader) && spaces.contains(&message.space_id));
    Ok(found)
}

/// Returns the places of the messages that hold all the phrases under one of the scopes, newest first.
fn places(conn: &Connection, phrases: &[Vec<&str>], scopes: &[String], limit: u64) -> Result<Vec<i64>> {
    let expression = expression(phrases, scopes);
    let look = |sql: &str, limit: u64| -> Result<Vec<i64>> {
        let mut statement = conn.prepare_cached(sql)?;
        let rows = statement.query_map(params![expression, limit], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    };
    if phrases.iter().flatten().count() > 1 {
        let mut few = look(OLDEST, FEW as u64)?;
        if few.len() < FEW {
            few.reverse();
            few.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            return Ok(few);
        }
    }
    look(NEWEST, limit)
}

/// Splits a query at blanks into phrases: runs of letters and digits that stand side by side.
fn phrases(query: &str) -> Vec<Vec<&str>> {
    let mut left = WORDS;
    let mut all: Vec<Vec<&str>> = Vec::new();
    for part in query.split_whitespace() {
        let phrase: Vec<&str> = words(part).take(left).collect();
        if !phrase.is_empty() && !all.contains(&phrase) {
            left -= phrase.len();
            all.push(phrase);
        }
    }
    all
}

/// Returns the phrases under each of the scopes, in the syntax of FTS5. Within quotes only the quote itself has a
/// meaning, and no word holds one.
fn expression(phrases: &[Vec<&str>], scopes: &[String]) -> String {
    let under = |scope: &String| {
        let quoted = |phrase: &Vec<&str>| {
            let words: Vec<String> = phrase.iter().map(|word| format!("{scope}{word}")).collect();
            format!("\"{}\"", words.join(" "))
        };
        format!("({})", phrases.iter().map(quoted).collect::<Vec<_>>().join(" AND "))
    };
    scopes.iter().map(under).collect::<Vec<_>>().join(" OR ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::messages::{NewMessage, insert};
    use crate::time::Micros;
    use proptest::prelude::*;

    const SPACES: [&str; 2] = ["01890000-0000-7000-8000-00000000000a", "01890000-0000-7000-8000-00000000000b"];
    const PEOPLE: [&str; 3] = ["user:ann", "user:bob", "agent:eve"];

    fn database() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(include_str!("../../../schema.sql")).unwrap();
        conn
    }

    fn say(conn: &Connection, n: usize, space_id: &str, author: &str, addressee: Option<&str>, content: &str) {
        let id = format!("m{n}");
        let new = NewMessage {
            id: &id,
            space_id,
            channel: "main",
            message_type: "text",
            parent_id: None,
            conversation_id: &id,
            author,
            author_name: author,
            addressee,
            content,
            mentions: "[]",
            attachments: "[]",
            metadata: "{}",
            task: None,
            expects_reply_by: None,
            created_at: Micros(1),
        };
        let stored = insert(conn, &new).unwrap();
        let read = find::by_place(conn, stored.place).unwrap().unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", new.at(&stored)));
        index(conn).unwrap();
    }

    fn find(conn: &Connection, query: &str, spaces: &[&str], reader: &str, limit: u64) -> Vec<String> {
        let spaces: Vec<String> = spaces.iter().map(|&id| id.to_owned()).collect();
        let found = search(conn, query, &spaces, reader, limit, usize::MAX).unwrap();
        found.into_iter().map(|message| message.id).collect()
    }

    #[test]
    fn what_stands_side_by_side_is_one_phrase_and_words_count_once() {
        assert_eq!(phrases("foo-bar foo foo \" * foo"), [vec!["foo", "bar"], vec!["foo"]]);
        assert_eq!(phrases(&"a-".repeat(100)), [vec!["a"; WORDS]]);
        let many: Vec<String> = (0..50).map(|n| format!("w{n}")).collect();
        assert_eq!(phrases(&many.join(" ")).len(), WORDS);
    }

    #[test]
    fn marks_and_case_make_no_other_word() {
        let conn = database();
        say(&conn, 1, SPACES[0], "user:ann", None, "Cafe\u{301}s in Gr\u{fc}\u{df}e, हिन्दी 漢字");
        for query in ["CAFÉS", "cafes", "Cafe\u{301}s", "gruße in", "हिन्दी", "漢字"] {
            assert_eq!(find(&conn, query, &SPACES, "user:ann", 9), ["m1"], "{query}");
        }
        for query in ["cafe", "s in x", "o00000000000acafes"] {
            assert_eq!(find(&conn, query, &SPACES, "user:ann", 9), Vec::<String>::new(), "{query}");
        }
    }

    #[test]
    fn the_newest_come_first_whether_many_hold_the_words_or_few() {
        let conn = database();
        for n in 0..3 * FEW {
            let rare = if n % 30 == 0 { "rare" } else { "" };
            say(&conn, n, SPACES[0], "user:ann", None, &format!("common words {rare}"));
        }
        let last = 3 * FEW - 1;
        let of = |ns: &[usize]| ns.iter().map(|n| format!("m{n}")).collect::<Vec<_>>();
        for query in ["common", "common words"] {
            assert_eq!(find(&conn, query, &SPACES, "user:bob", 3), of(&[last, last - 1, last - 2]), "{query}");
        }
        for query in ["rare", "common rare", "rare words common"] {
            assert_eq!(find(&conn, query, &SPACES, "user:bob", 3), of(&[180, 150, 120]), "{query}");
        }
    }

    #[test]
    fn parts_of_the_index_are_put_together_and_all_is_found() {
        let conn = database();
        for n in 0..200 {
            say(&conn, n, SPACES[0], "user:ann", None, &format!("common words and number{n}"));
        }
        let parts = || -> i64 {
            conn.query_row("SELECT count(DISTINCT segid) FROM message_words_idx", [], |row| row.get(0)).unwrap()
        };
        let before = parts();
        while tidy(&conn).unwrap() {}
        assert!(parts() < before, "{} of {before}", parts());
        assert!(!tidy(&conn).unwrap(), "then there is nothing to do");
        assert_eq!(find(&conn, "number7 words", &SPACES, "user:bob", 9), ["m7"]);
        assert_eq!(find(&conn, "common", &SPACES, "user:bob", 500).len(), 200);
    }

    /// Words of the letters `o` and `d` only, so that they begin like scopes and coincide.
    fn a_message() -> impl Strategy<Value = (usize, usize, Option<usize>, String)> {
        (0..2usize, 0..3usize, prop::option::of(0..3usize), "[od]{1,2}( [od]{1,2}){0,4}")
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

        #[test]
        fn found_is_what_holds_every_word_and_may_be_read(
            all in prop::collection::vec(a_message(), 0..30),
            query in "[od]{1,2}( [od]{1,2}){0,2}",
            reader in 0..3usize,
            only in prop::option::of(0..2usize),
        ) {
            let conn = database();
            for (n, (space, author, to, content)) in all.iter().enumerate() {
                say(&conn, n, SPACES[*space], PEOPLE[*author], to.map(|to| PEOPLE[to]), content);
            }
            let holds = |content: &str| query.split(' ').all(|word| content.split(' ').any(|one| one == word));
            let wanted: Vec<String> = all.iter().enumerate().rev()
                .filter(|(_, (space, author, to, content))| {
                    only.is_none_or(|only| only == *space) && holds(content)
                        && to.is_none_or(|to| to == reader || *author == reader)
                })
                .map(|(n, _)| format!("m{n}")).collect();
            let spaces = only.map_or(SPACES.to_vec(), |only| vec![SPACES[only]]);
            prop_assert_eq!(find(&conn, &query, &spaces, PEOPLE[reader], 100), wanted);
        }

        #[test]
        fn no_query_is_a_syntax_error(query in "(\\PC|[\"'*(){}^:+\\-\u{0}]|AND|OR|NOT|NEAR| ){0,60}") {
            let conn = database();
            say(&conn, 1, SPACES[0], "user:ann", None, "some plain words");
            find(&conn, &query, &SPACES, "user:ann", 10);
        }
    }
}
