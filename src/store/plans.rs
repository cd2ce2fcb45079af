//! For tests: the plan of every statement that some work runs, on an empty database with one user and one space.

use std::cell::RefCell;

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

/// Runs the work as user `u` in space `s`; each statement once, with the lines of its plan.
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
