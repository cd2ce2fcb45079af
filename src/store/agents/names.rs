//! Search for agents by a part of their name. An index has the slug and display name of each live agent in parts of one
//! to three characters; every longer part of a name contains some of these. So a search reads only the agents that have
//! the rarest part, in the order in which they were made, however many agents there are.
//!
//! Triggers mark the names that have changed; the index is updated at the end of the transaction.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use crate::store::Result;

const STALE: &str = "SELECT n.seq, n.taken, a.archived_at IS NULL, a.slug, a.display_name
    FROM agent_names n CROSS JOIN agents a ON a.id = n.agent_id WHERE n.stale = 1 ORDER BY n.seq LIMIT ?1";
const REMOVE: &str = "DELETE FROM agent_parts WHERE rowid = ?1";
const ADD: &str = "INSERT INTO agent_parts (rowid, parts) VALUES (?1, ?2)";
const TAKEN: &str = "UPDATE agent_names SET stale = 0, taken = ?2 WHERE seq = ?1";
const PLACE: &str = "SELECT seq FROM agent_names WHERE agent_id = ?1";
/// The most names that one call of [`index`] handles.
const AT_ONCE: u64 = 1000;
/// The length of the longest parts, in characters.
const LONGEST: usize = 3;
/// The most parts of a search text that are looked up. The names found are compared with the whole text.
const LOOKED_UP: usize = 16;

struct Stale {
    place: i64,
    is_taken: bool,
    is_live: bool,
    names: [String; 2],
}

/// Updates the index for at most [`AT_ONCE`] changed names. Returns true if there were so many: then more may be left.
///
/// # Errors
/// Any `StoreError`.
pub fn index(conn: &Connection) -> Result<bool> {
    let mut statement = conn.prepare_cached(STALE)?;
    let rows = statement.query_map([AT_ONCE], |row| {
        let names = [row.get(3)?, row.get(4)?];
        Ok(Stale { place: row.get(0)?, is_taken: row.get(1)?, is_live: row.get(2)?, names })
    })?;
    let all: Vec<Stale> = rows.collect::<rusqlite::Result<_>>()?;
    for one in &all {
        if one.is_taken {
            conn.prepare_cached(REMOVE)?.execute([one.place])?;
        }
        if one.is_live {
            let parts: BTreeSet<String> = one.names.iter().flat_map(|name| parts(name, 1)).collect();
            let parts: Vec<String> = parts.into_iter().collect();
            conn.prepare_cached(ADD)?.execute(params![one.place, parts.join(" ")])?;
        }
        conn.prepare_cached(TAKEN)?.execute(params![one.place, one.is_live])?;
    }
    Ok(all.len() as u64 == AT_ONCE)
}

/// Returns the position of an agent in the order in which agents were made.
///
/// # Errors
/// Any `StoreError`.
pub(super) fn place(conn: &Connection, id: &str) -> Result<Option<i64>> {
    Ok(conn.prepare_cached(PLACE)?.query_row([id], |row| row.get(0)).optional()?)
}

/// Returns the query for names that may contain `text`, which is not empty: its longest parts, evenly spread.
pub(super) fn query(text: &str) -> String {
    let parts = parts(text, LONGEST.min(text.chars().count()));
    let step = parts.len().div_ceil(LOOKED_UP).max(1);
    parts.into_iter().step_by(step).collect::<Vec<_>>().join(" AND ")
}

/// Returns the parts of a text that have `shortest` to [`LONGEST`] characters, in lower case. Each is encoded as a word
/// that the index does not split.
fn parts(text: &str, shortest: usize) -> Vec<String> {
    let lower: Vec<char> = text.to_ascii_lowercase().chars().collect();
    let word = |part: &[char]| {
        let text: String = part.iter().collect();
        format!("x{}", data_encoding::HEXLOWER.encode(text.as_bytes()))
    };
    (shortest..=LONGEST).flat_map(|length| lower.windows(length.max(1)).map(word).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::agents::{AgentFilter, AgentViewer, list};
    use crate::store::page::Page;
    use proptest::prelude::*;

    fn database(names: &[(String, String)]) -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(include_str!("../../../schema.sql")).unwrap();
        conn.execute_batch(
            "INSERT INTO users VALUES ('u', 'ann', '', 'member', 0, 0, 0);
            INSERT INTO spaces (id, slug, name, visibility, owner_user_id, created_at)
                VALUES ('s', 's', 's', 'private', 'u', 0)",
        )
        .unwrap();
        for (n, (slug, display)) in names.iter().enumerate() {
            let sql = "INSERT INTO agents (id, slug, display_name, origin, owner_user_id, owner_space_id, space_id,
                    created_by, status, scope, created_at, updated_at)
                VALUES (printf('a%03d', ?1), ?2, ?3, 'cloud', 'u', 's', 's', 'u', 'registered', '[]', ?1, ?1)";
            conn.execute(sql, params![n as i64, format!("{slug}{n}"), display]).unwrap();
        }
        index(&conn).unwrap();
        conn
    }

    /// Returns the slugs of all agents found, read in pages of `limit`.
    fn found(conn: &Connection, text: &str, limit: u64) -> Vec<String> {
        let filter = AgentFilter { text: Some(text.to_owned()), ..AgentFilter::default() };
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let before = all.len() as u64;
            let page = Page { limit, after: after.clone() };
            list(conn, &AgentViewer::All, &filter, &page, &mut |live| {
                let is_on_page = (all.len() as u64) < before + limit;
                if is_on_page {
                    after = Some((live.agent.created_at, live.agent.id));
                    all.push(live.agent.slug);
                }
                is_on_page
            })
            .unwrap();
            if (all.len() as u64) < before + limit {
                return all;
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

        #[test]
        fn found_are_those_whose_names_hold_the_text(
            names in prop::collection::vec(("[ab-]{1,6}", "[abAB é\"*]{0,8}"), 0..20),
            text in "[abAB é\"*-]{1,6}",
            limit in 1u64..5,
        ) {
            let conn = database(&names);
            let lower = text.to_ascii_lowercase();
            let holds = |n: usize, (slug, display): &(String, String)| {
                format!("{slug}{n}").contains(&lower) || display.to_ascii_lowercase().contains(&lower)
            };
            let wanted: Vec<String> = names.iter().enumerate().filter(|(n, name)| holds(*n, name))
                .map(|(n, (slug, _))| format!("{slug}{n}")).collect();
            prop_assert_eq!(found(&conn, &text, limit), wanted);
        }
    }

    #[test]
    fn a_name_that_changes_is_found_by_what_it_is_now_and_an_archived_one_by_nothing() {
        let conn = database(&[("atlas".into(), "Atlas".into()), ("boreas".into(), "Boreas".into())]);
        assert_eq!(found(&conn, "as", 9), ["atlas0", "boreas1"]);
        conn.execute("UPDATE agents SET display_name = 'Zephyr' WHERE id = 'a001'", []).unwrap();
        conn.execute("UPDATE agents SET archived_at = 1 WHERE id = 'a000'", []).unwrap();
        index(&conn).unwrap();
        assert_eq!((found(&conn, "as", 9), found(&conn, "EPH", 9)), (vec!["boreas1".into()], vec!["boreas1".into()]));
        assert!(found(&conn, "atl", 9).is_empty());
        conn.execute("UPDATE agents SET archived_at = NULL WHERE id = 'a000'", []).unwrap();
        index(&conn).unwrap();
        assert_eq!(found(&conn, "atl", 9), ["atlas0"]);
        conn.execute("DELETE FROM agents WHERE id = 'a000'", []).unwrap();
        assert!(!index(&conn).unwrap() && found(&conn, "atl", 9).is_empty());
        conn.execute("INSERT INTO agent_parts (agent_parts, rank) VALUES ('integrity-check', 0)", []).unwrap();
    }
}
