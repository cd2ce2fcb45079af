//! For tests: the query plan of every statement that some work runs, on a database with only one user and one space,
//! and whether the plan scans a table that grows or sorts without bound.

use std::cell::RefCell;
use std::collections::BTreeSet;

use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

thread_local! {
    static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn note(event: TraceEvent<'_>) {
    if let TraceEvent::Stmt(_, sql) = event {
        SEEN.with(|seen| seen.borrow_mut().push(sql.to_owned()));
    }
}

/// Runs the work on a database with user `u` and space `s`. Returns each statement once, with the lines of its plan.
pub fn of(work: impl FnOnce(&Connection)) -> Vec<(String, Vec<String>)> {
    let mut conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(include_str!("../../schema.sql")).unwrap();
    conn.execute_batch(
        "INSERT INTO users VALUES ('u', 'ann', '', 'member', 0, 0, 0);
        INSERT INTO spaces (id, slug, name, visibility, owner_user_id, created_at) VALUES ('s', 's', 's', 'private', 'u', 0)",
    )
    .unwrap();
    conn.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(note)).unwrap();
    work(&conn);
    conn.trace_v2(TraceEventCodes::empty(), None::<fn(TraceEvent<'_>)>).unwrap();
    let mut all = SEEN.with(RefCell::take);
    all.sort();
    all.dedup();
    let own = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
    all.retain(|sql| own.iter().any(|word| sql.starts_with(word)));
    all.iter().map(|sql| (sql.clone(), explain(&conn, sql))).collect()
}

fn explain(conn: &Connection, sql: &str) -> Vec<String> {
    let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let (mut rows, mut lines) = (plan.raw_query(), Vec::new());
    while let Some(row) = rows.next().unwrap() {
        lines.push(row.get(3).unwrap());
    }
    lines
}

/// Statements whose plans look wrong but are allowed: a part of the statement, and why it costs no more on a large box.
const EXCEPTIONS: &[(&str, &str)] = &[
    (") v CROSS JOIN ", "starts at what one principal holds: at most 256 grants or agents, else another plan is taken"),
    ("FROM operations WHERE id IN (", "the same: of each of these agents as many as fit on the page"),
    ("FROM (SELECT DISTINCT value AS id FROM json_each(", "the ids that one credential names"),
    ("SELECT seq, score FROM (", "ranks at most 2,000 documents; of more the newest are taken"),
    ("r.registered_at", "the Agentex list in an order that is no agent's own: nobody asks for it but an admin"),
    ("FROM audit_spans WHERE max_at >=", "a row for 1,024 of the audit"),
    ("FROM knowledge_words WHERE knowledge_words MATCH ?1 AND rowid >= ?2", "the numbers of at most 128,000 documents"),
    ("INDEXED BY agents_container", "at the start: as many as there are containers"),
    ("FROM deployments WHERE agent_id", "one agent's deployments; it has at most 1,000"),
    ("FROM deployment_history WHERE agent_id", "one agent's commits; at most 1,000 are kept"),
    ("AND agent_id = ?3 ORDER BY", "one agent's keys; it has at most 64"),
    ("s.kind = 'session'", "one user's sessions; it has at most 64"),
    ("WHERE s.id IN (", "the spaces of one principal"),
    ("UNION ALL SELECT * FROM (", "pages of messages from two indexes, each of which was cut to the page"),
    ("FROM users u WHERE", "the admins"),
    ("FROM requests WHERE state = 'pending' ORDER BY expires_at", ENDS),
    ("FROM requests WHERE state = 'approved' AND until IS NOT NULL ORDER BY until", ENDS),
    ("FROM grants WHERE expires_at IS NOT NULL AND request_id IS NULL ORDER BY expires_at", ENDS),
    ("status IS NOT NULL ORDER BY created_at DESC LIMIT ?3 OFFSET ?2", "the replies of one principal with too many"),
    ("'main'.'", "what FTS5 does within its own tables"),
];

const ENDS: &str = "what has an end and waits for it; the clock of ends has all of it in memory";

/// Returns what is wrong with a plan: it scans a table that grows without bound, or sorts rows without bound.
pub fn fault(sql: &str, lines: &[String]) -> Option<String> {
    if EXCEPTIONS.iter().any(|(mark, _)| one_line(sql).contains(mark)) {
        return None;
    }
    let sorts = lines.iter().find(|line| line.contains("TEMP B-TREE"));
    // The scan is in the order of a key or an index and stops at the end of a page.
    let stops = sql.contains("LIMIT ") && sorts.is_none();
    let walks = |line: &&String| {
        let Some(rest) = line.strip_prefix("SCAN ") else { return false };
        let name = rest.split(' ').next().unwrap_or_default();
        let Some(table) = table_of(sql, name) else { return false };
        // FTS5 shows in the plan how it narrows the rows: `=` is the number of one row, `M` a match.
        let by_number = rest.ends_with(" INDEX 0:=");
        let narrowed = rest.contains(" INDEX ") && !rest.ends_with(':');
        table != "meta" && !by_number && !(stops && (narrowed || !sql.contains(" WHERE ")))
    };
    let why = lines.iter().find(walks).or(sorts)?;
    Some(format!("{why}: {}\n{lines:#?}", one_line(sql)))
}

/// Returns the statement on one line.
pub fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the table that a name stands for in a statement; `None` if it stands for a result that was bounded before.
fn table_of(sql: &str, name: &str) -> Option<String> {
    let schema = include_str!("../../schema.sql");
    let made = |line: &str| {
        let rest = line.strip_prefix("CREATE TABLE ").or(line.strip_prefix("CREATE VIRTUAL TABLE "))?;
        rest.split(' ').next().map(str::to_owned)
    };
    let tables: BTreeSet<String> = schema.lines().filter_map(made).collect();
    let words: Vec<&str> =
        sql.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
    let is_alias = |pair: &&[&str]| tables.contains(pair[0]) && pair[1] == name;
    match tables.get(name) {
        Some(table) => Some(table.clone()),
        None => words.windows(2).find(is_alias).map(|pair| pair[0].to_owned()),
    }
}

#[test]
fn a_walk_and_a_sort_are_seen() {
    let plan = |sql: &str| {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(include_str!("../../schema.sql")).unwrap();
        fault(sql, &explain(&conn, sql)).is_some()
    };
    for bad in [
        "SELECT id FROM messages WHERE content = 'x'",
        "SELECT id FROM messages m WHERE m.content = 'x' LIMIT 9",
        "SELECT count(*) FROM audit",
        "SELECT seq FROM audit WHERE action = 'x' ORDER BY at LIMIT 9",
        "SELECT rowid FROM message_words WHERE message_words MATCH 'x'",
        "SELECT count(*) FROM tasks",
        "SELECT a.id FROM agents a CROSS JOIN tasks t",
    ] {
        assert!(plan(bad), "{bad}");
    }
    for good in [
        "SELECT seq FROM audit ORDER BY seq DESC LIMIT 1",
        "SELECT seq FROM audit WHERE action = 'x' ORDER BY seq DESC LIMIT 9",
        "SELECT a.id FROM agents a WHERE a.archived_at IS NULL ORDER BY a.created_at, a.id LIMIT 9",
        "SELECT rowid FROM message_words WHERE message_words MATCH 'x' LIMIT 9",
        "DELETE FROM message_words WHERE rowid = 1",
        "SELECT value FROM meta",
    ] {
        assert!(!plan(good), "{good}");
    }
}
