//! Searches for the items that hold every word of a query, best first. The cost is bounded: a query has few words, and
//! only the rows of the page are read in full. If more items hold the words than are ranked, those with the words in
//! the title come first, and in each group the newest: words that so many items have say little about which is best.

use rusqlite::{Connection, params};

use super::snippet::snippet;
use super::{BRIEF, ItemFilter, KnowledgeItem, read};
use crate::store::Result;
use crate::store::clauses::Clauses;
use crate::store::page::{Page, Take};
use crate::time::Micros;

/// The most different words of a query that count; further words are ignored.
const WORDS: usize = 8;
/// The most tokens of all words together. One word may be many tokens to the index (`a-a-a-...`), and each costs a walk
/// through it.
const TOKENS: usize = 16;

/// Finds only places and scores; the other columns are read only for the rows of the page. A word in a title weighs as
/// much as four in the text.
const RANKED: &str = "SELECT seq, score FROM (
        SELECT i.seq AS seq, -bm25(knowledge_words, 4.0, 1.0) AS score
        FROM knowledge_words CROSS JOIN knowledge_items i ON i.seq = knowledge_words.rowid {filtered})
    WHERE {score} IS NULL OR score < {score} OR (score = {score} AND seq > {seq})
    ORDER BY score DESC, seq LIMIT {limit}";

/// The most items that are ranked, at about 1.5 µs each.
const RANKED_MOST: u64 = 2000;
const ARE_COMMON: &str =
    "SELECT count(*) > ?2 FROM (SELECT 1 FROM knowledge_words WHERE knowledge_words MATCH ?1 LIMIT ?2 + 1)";
/// Finds places without a look at the items, for a filter that lets few through.
const BETWEEN: &str = "SELECT rowid FROM knowledge_words WHERE knowledge_words MATCH ?1 AND rowid >= ?2 AND rowid <= ?3
    ORDER BY rowid";
/// The scores that replace a rank if there are too many items for one: in the title, and not in the title.
const IN_TITLE: f64 = 2.0;
const ELSEWHERE: f64 = 1.0;
/// If fewer items than this have common words in the title, all of them are found at once.
const TITLES_MOST: u64 = 200;

/// An item that a search found.
#[derive(Debug, Clone)]
pub struct KnowledgeHit {
    /// The item.
    pub item: KnowledgeItem,
    /// The words around the match.
    pub snippet: String,
    /// How well the item fits; larger is better.
    pub score: f64,
    /// Its place in the order: the bits of the score, and the item's number.
    pub place: (Micros, String),
}

/// Finds the items that hold every word of `query`, best first. A word is the text between blanks; nothing in it is
/// syntax. The first [`WORDS`] different words count.
///
/// # Errors
/// Any `StoreError`.
pub fn search(
    conn: &Connection,
    query: &str,
    filter: &ItemFilter,
    page: &Page,
    take: Take<'_, KnowledgeHit>,
) -> Result<()> {
    let words = words(query);
    if words.is_empty() {
        return Ok(());
    }
    let after = page.after.as_ref().map(|(bits, seq)| (f64::from_bits(bits.0.cast_unsigned()), seq));
    let (score, seq) = (after.map(|(score, _)| score), after.and_then(|(_, seq)| seq.parse::<i64>().ok()));
    let query = quoted(&words);
    let are_common = conn.prepare_cached(ARE_COMMON)?.query_row(params![query, RANKED_MOST], |row| row.get(0))?;
    let after = score.zip(seq);
    let places = match (are_common, few(conn, filter)?) {
        (false, _) => ranked(conn, &query, filter, after, page.fetch())?,
        (true, Some(few)) => {
            by_title(after, page.fetch(), &query, |query, order, left| places_of(conn, query, &few, order, left))?
        }
        (true, None) => {
            by_title(after, page.fetch(), &query, |query, order, left| places(conn, query, filter, order, left))?
        }
    };
    let mut told =
        conn.prepare_cached(&format!("SELECT {BRIEF}, i.content FROM knowledge_items i WHERE i.seq = ?1"))?;
    for (seq, score) in places {
        let hit = told.query_row([seq], |row| {
            let (item, content) = (read(row)?, row.get_ref(11)?.as_str()?);
            let snippet = snippet(&item.title, content, &words);
            Ok(KnowledgeHit { item, snippet, score, place: (Micros(score.to_bits().cast_signed()), seq.to_string()) })
        })?;
        if !take(hit) {
            break;
        }
    }
    Ok(())
}

/// Returns the places of items with their scores, in order, after the score and place in `after`.
fn ranked(
    conn: &Connection,
    query: &str,
    filter: &ItemFilter,
    after: Option<(f64, i64)>,
    limit: u64,
) -> Result<Vec<(i64, f64)>> {
    let mut clauses = Clauses::default();
    clauses.and_if("knowledge_words MATCH ?", Some(query.to_owned()));
    filter.check(&mut clauses);
    let (score, seq) = after.unzip();
    let (score, seq) = (clauses.bind(score), clauses.bind(seq));
    let limit = clauses.bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let sql = RANKED.replace("{filtered}", clauses.text());
    let sql = sql.replace("{score}", &score).replace("{seq}", &seq).replace("{limit}", &limit);
    let mut ranked = conn.prepare_cached(&sql)?;
    let places = ranked.query_map(clauses.values(), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(places.collect::<rusqlite::Result<_>>()?)
}

/// Returns the places that a filter lets through, in order; `None` if they are too many, or there is no filter.
fn few(conn: &Connection, filter: &ItemFilter) -> Result<Option<Vec<i64>>> {
    if filter.is_none() {
        return Ok(None);
    }
    let mut clauses = Clauses::default();
    filter.narrow(&mut clauses);
    let limit = clauses.bind(RANKED_MOST as i64 + 1);
    let sql = format!("SELECT i.seq FROM {} {} LIMIT {limit}", filter.from(), clauses.text());
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map(clauses.values(), |row| row.get(0))?;
    let mut places: Vec<i64> = rows.collect::<rusqlite::Result<_>>()?;
    places.sort_unstable();
    Ok((places.len() as u64 <= RANKED_MOST).then_some(places))
}

/// The order in which places are found.
#[derive(Debug, Clone, Copy)]
enum PlaceOrder {
    /// All places, in the order in which FTS5 walks quickest.
    OldestFirst,
    /// The places before this one.
    NewestFirst(i64),
}

/// Returns a page for words that many items hold: first the items with the words in the title, then the others, newest
/// first. `find` finds the places.
fn by_title(
    after: Option<(f64, i64)>,
    limit: u64,
    query: &str,
    find: impl Fn(&str, PlaceOrder, u64) -> Result<Vec<i64>>,
) -> Result<Vec<(i64, f64)>> {
    let in_title = format!("title : ({query})");
    let before_of = |score: f64| match after {
        Some((of, _)) if of < score => None,
        Some((of, seq)) if of == score => Some(seq),
        _ => Some(i64::MAX),
    };
    let mut found = Vec::new();
    // If few items have the words in the title, FTS5 walks over all the others to find them. That is done once, and not
    // again to leave them out.
    let mut titles = find(&in_title, PlaceOrder::OldestFirst, TITLES_MOST)?;
    titles.reverse();
    let are_all = (titles.len() as u64) < TITLES_MOST;
    if let Some(before) = before_of(IN_TITLE) {
        let places = if are_all {
            titles.iter().copied().filter(|place| *place < before).take(size(limit)).collect()
        } else {
            find(&in_title, PlaceOrder::NewestFirst(before), limit)?
        };
        found.extend(places.into_iter().map(|place| (place, IN_TITLE)));
    }
    let left = limit.saturating_sub(found.len() as u64);
    if let Some(before) = before_of(ELSEWHERE).filter(|_| left > 0) {
        let places = if are_all {
            let mut places = find(query, PlaceOrder::NewestFirst(before), left + titles.len() as u64)?;
            places.retain(|place| !titles.contains(place));
            places.truncate(size(left));
            places
        } else {
            find(&format!("({query}) NOT ({in_title})"), PlaceOrder::NewestFirst(before), left)?
        };
        found.extend(places.into_iter().map(|place| (place, ELSEWHERE)));
    }
    Ok(found)
}

fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn places(conn: &Connection, query: &str, filter: &ItemFilter, order: PlaceOrder, limit: u64) -> Result<Vec<i64>> {
    let mut clauses = Clauses::default();
    clauses.and_if("knowledge_words MATCH ?", Some(query.to_owned()));
    let direction = match order {
        PlaceOrder::OldestFirst => "ASC",
        PlaceOrder::NewestFirst(before) => {
            clauses.and_if("knowledge_words.rowid < ?", Some(before));
            "DESC"
        }
    };
    filter.check(&mut clauses);
    let limit = clauses.bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let sql = format!(
        "SELECT i.seq FROM knowledge_words CROSS JOIN knowledge_items i ON i.seq = knowledge_words.rowid {}
            ORDER BY knowledge_words.rowid {direction} LIMIT {limit}",
        clauses.text()
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let places = statement.query_map(clauses.values(), |row| row.get(0))?;
    Ok(places.collect::<rusqlite::Result<_>>()?)
}

/// Like `places`, but only among `few`, which is in order.
fn places_of(conn: &Connection, query: &str, few: &[i64], order: PlaceOrder, limit: u64) -> Result<Vec<i64>> {
    let few = match order {
        PlaceOrder::OldestFirst => few,
        PlaceOrder::NewestFirst(before) => &few[..few.partition_point(|place| *place < before)],
    };
    let (Some(first), Some(last)) = (few.first(), few.last()) else { return Ok(Vec::new()) };
    let mut statement = conn.prepare_cached(BETWEEN)?;
    let mut found = Vec::new();
    // From the oldest on: towards older places, the cost of an FTS5 jump is the square of what it leaves out.
    for place in statement.query_map(params![query, first, last], |row| row.get(0))? {
        let place = place?;
        if few.binary_search(&place).is_ok() {
            found.push(place);
        }
    }
    if matches!(order, PlaceOrder::NewestFirst(_)) {
        found.reverse();
    }
    found.truncate(size(limit));
    Ok(found)
}

/// Returns the words to look for: each word with a letter or digit, once, up to the limits.
fn words(query: &str) -> Vec<String> {
    let (mut words, mut tokens) = (Vec::<String>::new(), 0);
    for word in query.split_whitespace() {
        let mut left = TOKENS - tokens;
        let word = first_tokens(word, &mut left);
        if TOKENS - left > tokens && !words.contains(&word) {
            tokens = TOKENS - left;
            words.push(word);
        }
        if words.len() == WORDS || tokens == TOKENS {
            break;
        }
    }
    words
}

/// Returns the beginning of a word that holds at most `left` runs of letters and digits. Sets `left` to what remains.
fn first_tokens(word: &str, left: &mut usize) -> String {
    let mut inside = false;
    let end = word.char_indices().find_map(|(at, c)| {
        let begins = c.is_alphanumeric() && !inside;
        inside = c.is_alphanumeric();
        if begins && *left == 0 {
            return Some(at);
        }
        *left -= usize::from(begins);
        None
    });
    word[..end.unwrap_or(word.len())].to_owned()
}

/// Returns every word as an FTS5 string. Within quotes only the quote itself has a meaning.
fn quoted(words: &[String]) -> String {
    let quote = |word: &String| format!("\"{}\"", word.replace('"', "\"\"").replace('\0', " "));
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::knowledge::{Changes, NewDocument, Replacement, replace};
    use crate::time::Micros;
    use proptest::prelude::*;

    #[test]
    fn words_are_quoted_and_signs_alone_are_no_words() {
        assert_eq!(quoted(&words("a \"b\" NOT*")), "\"a\" \"\"\"b\"\"\" \"NOT*\"");
        assert!(words(" - * \" ").is_empty());
    }

    #[test]
    fn each_word_counts_once_and_there_are_not_many() {
        assert_eq!(words(&"a ".repeat(100)), ["a"]);
        let many: Vec<String> = (0..50).map(|n| format!("w{n}")).collect();
        assert_eq!(words(&many.join(" ")), many[..WORDS]);
        assert_eq!(words(&"a-".repeat(100)), ["a-".repeat(TOKENS)]);
        assert_eq!(words(&format!("{} b", "a-".repeat(TOKENS - 1))).len(), 2);
    }

    /// Returns everything that is found, page by page.
    fn all(conn: &Connection, query: &str, limit: u64) -> Vec<KnowledgeHit> {
        let (mut found, mut page) = (Vec::<KnowledgeHit>::new(), Page { limit, after: None });
        loop {
            let before = found.len();
            let mut more = false;
            search(conn, query, &ItemFilter::default(), &page, &mut |hit| {
                more = (found.len() - before) as u64 == limit;
                if !more {
                    found.push(hit);
                }
                !more
            })
            .unwrap();
            if !more {
                return found;
            }
            page.after = found.last().map(|hit| hit.place.clone());
        }
    }

    #[test]
    fn pages_go_on_where_the_one_before_ended() {
        let conn = open();
        let of = |n: usize| document(&n.to_string(), &format!("word {}", "filler ".repeat(n / 3)));
        put(&conn, &(0..20).map(of).collect::<Vec<_>>());
        let paths = |limit| all(&conn, "word", limit).into_iter().map(|hit| hit.item.path).collect::<Vec<_>>();
        assert_eq!(paths(500).len(), 20);
        for limit in [1, 3, 7, 20] {
            assert_eq!(paths(limit), paths(500), "{limit}");
        }
    }

    #[test]
    fn of_words_that_many_hold_titles_come_first_and_then_the_newest() {
        let most = usize::try_from(RANKED_MOST).unwrap();
        // Few items have the words in the title, no item has, and more than are found at once.
        for every in [100, usize::MAX, 5] {
            let conn = open();
            let is_titled = |n: usize| n > 0 && n.is_multiple_of(every);
            let of = |n: usize| {
                let title = if is_titled(n) { "Common words" } else { "0" };
                NewDocument { title: title.into(), ..document(&n.to_string(), "words in common") }
            };
            put(&conn, &(0..=most).map(of).collect::<Vec<_>>());
            let (titles, others): (Vec<usize>, Vec<usize>) = (0..=most).rev().partition(|n| is_titled(*n));
            let expected = [titles, others].concat();
            for limit in [90, 500] {
                let found = all(&conn, "common words", limit);
                let paths: Vec<usize> = found.iter().map(|hit| hit.item.path.parse().unwrap()).collect();
                assert_eq!(paths, expected, "every {every}, pages of {limit}");
                let is_right =
                    |hit: &KnowledgeHit| hit.score == if hit.item.title == "0" { ELSEWHERE } else { IN_TITLE };
                assert!(found.iter().all(is_right));
            }
            // One item less brings the number below the bound.
            put(&conn, &(1..=most).map(of).collect::<Vec<_>>());
            assert_eq!(all(&conn, "common words", 90).len(), most);
        }
    }

    fn open() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.pragma_update(None, "trusted_schema", false).unwrap();
        conn.execute_batch(include_str!("../../../schema.sql")).unwrap();
        conn
    }

    fn document(path: &str, content: &str) -> NewDocument {
        let (title, summary) = ("0".to_owned(), String::new());
        NewDocument { path: path.into(), title, summary, content: content.into(), categories: vec!["c".into()] }
    }

    fn put(conn: &Connection, documents: &[NewDocument]) -> Changes {
        let replacement = Replacement { source_id: "s", source_type: "guide", author: "t", documents };
        replace(conn, &replacement, Micros(1)).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

        #[test]
        fn no_query_is_a_syntax_error(query in "(\\PC|[\"'*(){}^:+\\-\u{0}]|AND|OR|NOT|NEAR| ){0,60}") {
            let conn = open();
            put(&conn, &[document("p", "some plain words")]);
            let page = Page { limit: 10, after: None };
            prop_assert!(search(&conn, &query, &ItemFilter::default(), &page, &mut |_| true).is_ok());
        }

        #[test]
        fn a_documents_own_word_finds_it(words in prop::collection::vec("[a-z]{1,8}", 1..6), at in 0usize..6) {
            let conn = open();
            put(&conn, &[document("p", &words.join(" ")), document("q", "!")]);
            let found = all(&conn, &words[at % words.len()], 10);
            prop_assert_eq!(found.len(), 1);
        }
    }

    #[test]
    fn the_words_follow_the_documents() {
        let conn = open();
        let one = |changes: Changes| (changes.added, changes.updated, changes.unchanged, changes.removed);
        assert_eq!(one(put(&conn, &[document("a", "old"), document("b", "keep")])), (2, 0, 0, 0));
        let id = |word: &str| all(&conn, word, 9).pop().map(|hit| hit.item.id);
        let before = id("old");
        assert_eq!(one(put(&conn, &[document("a", "new"), document("b", "keep")])), (0, 1, 1, 0));
        assert_eq!((id("new"), id("old")), (before, None));
        assert_eq!(one(put(&conn, &[document("b", "keep")])), (0, 0, 1, 1));
        assert_eq!(id("new"), None);
        // FTS5 checks whether its index is whole.
        conn.execute("INSERT INTO knowledge_words (knowledge_words, rank) VALUES ('integrity-check', 0)", []).unwrap();
    }
}
