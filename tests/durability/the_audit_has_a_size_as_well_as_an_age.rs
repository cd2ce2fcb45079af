//! The daemon trims the audit to its maximum size in small steps, whatever the age of its rows. The rest still
//! verifies.

use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::json;
use taosd::store::audit::{self, AuditEntry, AuditOutcome};
use taosd::time::Micros;

use crate::support::Daemon;

#[test]
fn rows_beyond_the_size_go_from_the_beginning() {
    let env = [("TAOSD_AUDIT_MAX_BYTES", "65536"), ("TAOSD_SWEEP_INTERVAL", "1")];
    let daemon = Daemon::with(&[], &env);
    for n in 0..600 {
        daemon.operator().patch("/api/users/operator", json!({"display_name": format!("Operator {n}")})).expect(200);
    }
    let rows = || daemon.number("SELECT count(*) FROM audit", []);
    let until = Instant::now() + Duration::from_secs(20);
    while rows() > 400 {
        assert!(Instant::now() < until, "{} rows", rows());
        thread::sleep(Duration::from_millis(50));
    }
    assert!(rows() > 100, "only what is too much goes: {}", rows());
    let newest = daemon.operator().get("/api/audit?action=users.update&limit=1").expect(200).json();
    assert_eq!(newest[0]["seq"], daemon.number("SELECT max(seq) FROM audit", []));
    let first = "SELECT outcome = 'checkpoint' FROM audit ORDER BY seq LIMIT 1";
    assert_eq!(daemon.number(first, []), 1);
    assert!(daemon.check().contains("unbroken"));
}

fn chain(rows: i64, resource: usize) -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(include_str!("../../schema.sql")).unwrap();
    for at in 1..=rows {
        let entry = AuditEntry {
            at: Micros(at),
            actor: "agent:1".into(),
            action: "auth.exchange".into(),
            resource: "r".repeat(resource),
            outcome: AuditOutcome::Ok,
            count: 1,
            request_id: "q".into(),
        };
        audit::append(&conn, &entry).unwrap();
    }
    conn
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_steps_leave_a_chain_that_verifies(rows in 1..60_i64, steps in prop::collection::vec((1..20_u64, any::<bool>(), 0..80_i64), 1..8)) {
        let conn = chain(rows, 20);
        let count = || conn.query_row("SELECT count(*) FROM audit", [], |row| row.get::<_, i64>(0)).unwrap();
        for (most, any_age, before) in steps {
            let had = count();
            let removed = audit::retain(&conn, Micros(before), any_age, most).unwrap();
            // The previous checkpoint counts as a removed row, and a new checkpoint replaces all removed rows.
            prop_assert!(removed as u64 <= most + 1, "{removed} of at most {most}");
            prop_assert_eq!(count(), had - (removed as i64 - 1).max(0));
            prop_assert!(audit::verify(&conn).unwrap().is_ok());
            prop_assert!(count() >= 1);
        }
    }

    #[test]
    fn its_size_is_told_without_looking_at_every_row(rows in 0..500_i64, resource in 0..300_usize) {
        let conn = chain(rows, resource);
        let told = audit::bytes(&conn).unwrap();
        let texts = "agent:1".len() + "auth.exchange".len() + 2 * resource + "ok".len() + 1 + 120;
        prop_assert_eq!(told, rows as u64 * texts as u64);
    }
}
