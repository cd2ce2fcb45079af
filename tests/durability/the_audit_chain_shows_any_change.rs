//! An attacker has the file and knows SQL, but does not rewrite the whole chain of audit rows.

use proptest::prelude::*;
use rusqlite::{Connection, params};
use taosd::store::audit::{self, Actor, AuditEntry, AuditOutcome};
use taosd::time::Micros;

const ROWS: i64 = 12;

fn entry(at: i64) -> AuditEntry {
    AuditEntry {
        at: Micros(at),
        // Some rows have no id, like those of older versions.
        actor: Actor { name: format!("user:{at}"), id: (at % 3 > 0).then(|| format!("user:id{at}")) },
        action: "agents.create".into(),
        resource: "agent:1".into(),
        outcome: AuditOutcome::Ok,
        count: 1,
        request_id: "q".into(),
    }
}

/// A chain of [`ROWS`] rows at the times 1, 2, …, its guard against updates taken away.
fn chain() -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(include_str!("../../schema.sql")).unwrap();
    for at in 1..=ROWS {
        audit::append(&conn, &entry(at)).unwrap();
    }
    conn.execute_batch("DROP TRIGGER audit_is_append_only").unwrap();
    conn
}

fn verified(conn: &Connection) -> Option<u64> {
    audit::verify(conn).unwrap().ok()
}

/// Changes the order of the rows by swapping two of them.
fn swap(conn: &Connection, a: i64, b: i64) {
    for (from, to) in [(a, -1), (b, a), (-1, b)] {
        conn.execute("UPDATE audit SET seq = ?2 WHERE seq = ?1", [from, to]).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn an_altered_field_is_found(row in 1..=ROWS, field in 0..9usize) {
        let conn = chain();
        prop_assert_eq!(verified(&conn), Some(ROWS as u64));
        let change = [
            "at = at + 1", "actor = actor || 'x'", "action = 'agents.read'", "resource = 'agent:2'",
            "outcome = 'denied'", "count = 2", "request_id = ''", "prev_hash = randomblob(32)",
            "actor_id = iif(actor_id IS NULL, 'user:x', NULL)",
        ][field];
        conn.execute(&format!("UPDATE audit SET {change} WHERE seq = ?1"), [row]).unwrap();
        prop_assert_eq!(verified(&conn), None);
    }

    #[test]
    fn text_moved_from_one_field_to_the_next_is_found(row in 1..=ROWS) {
        let conn = chain();
        conn.execute("UPDATE audit SET actor = actor || 'a', action = substr(action, 2) WHERE seq = ?1", [row]).unwrap();
        prop_assert_eq!(verified(&conn), None);
    }

    #[test]
    fn a_removed_row_is_found(row in 1..=ROWS) {
        let conn = chain();
        conn.execute("DELETE FROM audit WHERE seq = ?1", [row]).unwrap();
        prop_assert_eq!(verified(&conn), None);
    }

    #[test]
    fn an_inserted_row_is_found(row in 2..=ROWS) {
        let conn = chain();
        conn.execute("UPDATE audit SET seq = -seq WHERE seq >= ?1", [row]).unwrap();
        conn.execute("UPDATE audit SET seq = -seq + 1 WHERE seq < 0", []).unwrap();
        let copy = "INSERT INTO audit SELECT ?2, at, actor, action, resource, outcome, count, request_id, prev_hash, hash,
            actor_id FROM audit WHERE seq = ?1";
        conn.execute(copy, params![row - 1, row]).unwrap();
        prop_assert_eq!(verified(&conn), None);
    }

    #[test]
    fn reordered_rows_are_found(a in 1..=ROWS, b in 1..=ROWS) {
        prop_assume!(a != b);
        let conn = chain();
        swap(&conn, a, b);
        prop_assert_eq!(verified(&conn), None);
    }

    #[test]
    fn retention_keeps_what_follows_verifying(before in 1..=ROWS + 2, again in 1..=ROWS + 2, more in 0..3i64) {
        let conn = chain();
        let removed = audit::retain(&conn, Micros(before), false, 1000).unwrap();
        prop_assert_eq!(removed as i64, (before - 1).min(ROWS));
        prop_assert!(verified(&conn).is_some());
        for at in 0..more {
            audit::append(&conn, &entry(ROWS + 1 + at)).unwrap();
        }
        audit::retain(&conn, Micros(again), false, 1000).unwrap();
        prop_assert!(verified(&conn).is_some());
        // A change after the checkpoint is still found.
        if let Ok(row) = conn.query_row("SELECT seq FROM audit WHERE outcome = 'ok' LIMIT 1", [], |r| r.get::<_, i64>(0)) {
            conn.execute("UPDATE audit SET actor = 'user:eve' WHERE seq = ?1", [row]).unwrap();
            prop_assert_eq!(verified(&conn), None);
        }
    }
}

#[test]
fn a_row_written_while_the_clock_was_wrong_takes_no_younger_row_with_it() {
    let conn = chain();
    // A board without a battery starts in 1970, until the network sets its clock.
    for at in [1_000, 1, 1_001] {
        audit::append(&conn, &entry(at)).unwrap();
    }
    assert_eq!(
        audit::retain(&conn, Micros(500), false, 1000).unwrap() as i64,
        ROWS,
        "the row in the middle waits for its neighbours"
    );
    assert_eq!(verified(&conn), Some(4));
    assert!(!audit::is_due(&conn, Micros(500)).unwrap());
}
