//! The statements on stored replies find their rows by an index, and only a principal with too many replies loses some.

use rusqlite::Connection;

use super::idempotency::{self, RequestKey, RowCounts, StoredReply};
use super::plans;
use crate::time::Micros;

fn key(principal: &str, key: u64) -> RequestKey {
    RequestKey { principal: principal.into(), route: "POST /x".into(), key: key.to_string() }
}

fn reserve(conn: &Connection, principal: &str, n: u64) {
    let at = Micros(i64::try_from(n).unwrap());
    idempotency::reserve(conn, &key(principal, n), &[1; 32], "owner", at).unwrap();
}

fn store(conn: &Connection, principal: &str, n: u64) {
    reserve(conn, principal, n);
    let reply = StoredReply { status: 200, headers: "{}".into(), body: Vec::new() };
    idempotency::complete(conn, &key(principal, n), "owner", &reply).unwrap();
}

fn everything(conn: &Connection) {
    (0..4).for_each(|n| store(conn, "p", n));
    let reply = StoredReply { status: 200, headers: "{}".into(), body: Vec::new() };
    idempotency::replace(conn, &key("p", 0), "owner", &reply).unwrap();
    idempotency::forget(conn, &key("p", 0), "owner").unwrap();
    idempotency::release(conn, &key("p", 1)).unwrap();
    let mut counts = RowCounts::default();
    assert_eq!(counts.look(conn, 2).unwrap(), (vec![], true));
    assert_eq!(counts.look(conn, 2).unwrap(), (vec!["p".to_owned()], false));
    let surplus = idempotency::surplus(conn, "p", 2, 9).unwrap();
    assert_eq!(idempotency::delete_all(conn, "p", &surplus).unwrap(), 1);
    assert!(idempotency::is_due(conn, Micros(9)).unwrap());
    assert_eq!(idempotency::sweep(conn, Micros(9)).unwrap(), 2);
}

#[test]
fn no_statement_on_replies_walks_through_all_of_them() {
    let all = plans::of(everything);
    assert!(all.len() > 10, "{}", all.len());
    for (sql, lines) in &all {
        assert_eq!(plans::fault(sql, lines), None);
    }
}

#[test]
fn a_principal_with_too_many_replies_loses_the_oldest_and_no_other_loses_any() {
    plans::of(|conn| {
        let mut counts = RowCounts::default();
        (0..5).for_each(|n| store(conn, "few", n));
        for n in (0..12).rev() {
            store(conn, "many", n);
        }
        reserve(conn, "many", 12);
        let mut crowded = Vec::new();
        while let (some, true) = counts.look(conn, 5).unwrap() {
            crowded.extend(some);
        }
        crowded.dedup();
        assert_eq!(crowded, ["many"]);
        let surplus = idempotency::surplus(conn, "many", 5, 100).unwrap();
        assert_eq!(idempotency::delete_all(conn, "few", &surplus).unwrap(), 0, "they are another one's");
        assert_eq!(idempotency::delete_all(conn, "many", &surplus).unwrap(), 7);
        let keys: String = conn
            .query_row(
                "SELECT group_concat(key, ' ') FROM (SELECT key FROM idempotency WHERE principal = 'many'
                ORDER BY created_at)",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(keys, "7 8 9 10 11 12", "what is being worked on stays");
        assert_eq!(counts.look(conn, 5).unwrap(), (vec![], false), "nothing is new");
        (20..22).for_each(|n| store(conn, "many", n));
        assert_eq!(counts.look(conn, 5).unwrap(), (vec!["many".to_owned()], false));
        store(conn, "few", 6);
        assert_eq!(counts.look(conn, 5).unwrap(), (vec!["few".to_owned()], false));
    });
}

#[test]
fn rows_that_get_the_number_of_a_deleted_one_are_counted() {
    plans::of(|conn| {
        let mut counts = RowCounts::default();
        (0..3).for_each(|n| store(conn, "p", n));
        assert_eq!(counts.look(conn, 5).unwrap(), (vec![], false));
        idempotency::sweep(conn, Micros(9)).unwrap();
        assert_eq!(counts.look(conn, 5).unwrap(), (vec![], false));
        (0..7).for_each(|n| store(conn, "q", n));
        let mut crowded = counts.look(conn, 5).unwrap().0;
        crowded.extend(counts.look(conn, 5).unwrap().0);
        assert_eq!(crowded, ["q"]);
    });
}
