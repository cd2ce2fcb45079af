//! Upgrades: the real binary upgrades a database of every released schema version. The result has the schema of a new
//! database. The databases are kept as SQL dumps with rows in every table.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::time::Instant;

use rusqlite::Connection;
use taosd::store::VERSION;

use crate::dump;
use crate::support::{Daemon, Dice};

/// The number of kills during the upgrade of each version, spread evenly over its duration. `TAOSD_TEST_KILLS`
/// overrides it.
const KILLS: u64 = 5;

/// Returns the statements of a schema by name.
fn schema(conn: &Connection) -> BTreeMap<String, String> {
    let mut statement = conn.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Returns the versions that have a dump: every released one.
fn released() -> impl Iterator<Item = i64> {
    (1..=VERSION).filter(|version| dump::path(*version).exists())
}

fn counts(conn: &Connection) -> BTreeMap<String, i64> {
    let count = |table: &String| {
        let sql = format!("SELECT count(*) FROM \"{table}\"");
        (table.clone(), conn.query_row(&sql, [], |row| row.get(0)).unwrap())
    };
    let mut statement = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let names: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    names.iter().map(count).collect()
}

fn load(version: i64) -> (Daemon, BTreeMap<String, i64>) {
    // The dumps grow old, but their rows must not be deleted for their age.
    let daemon = Daemon::prepared(None, &[], &[("TAOSD_AUDIT_RETENTION_DAYS", "36500")]);
    fs::create_dir_all(&daemon.data).unwrap();
    dump::load(version, &daemon.database());
    let counts = counts(&Connection::open(daemon.database()).unwrap());
    for (table, rows) in &counts {
        assert!(*rows > 0, "the dump of version {version} has no row in {table}");
    }
    fs::write(daemon.data.join("operator.token"), dump::TOKEN).unwrap();
    (daemon, counts)
}

#[test]
fn each_dump_is_brought_up_and_served() {
    for version in released() {
        let (mut daemon, before) = load(version);
        comes_up(&mut daemon, version, &before);
    }
}

#[test]
fn an_upgrade_that_is_killed_is_done_by_the_next_start() {
    for version in released().filter(|version| *version < VERSION) {
        let (mut ended, kills) = (0, Dice::told("TAOSD_TEST_KILLS").unwrap_or(KILLS));
        let begun = Instant::now();
        load(version).0.spawn();
        let takes = begun.elapsed();
        for n in 0..kills {
            let (mut daemon, before) = load(version);
            let mut upgrade = daemon.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(takes.mul_f64(n as f64 / kills as f64));
            upgrade.kill().unwrap();
            upgrade.wait().unwrap();
            let conn = Connection::open(daemon.database()).unwrap();
            let now: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
            assert!(now == version || now == VERSION, "{now}: neither the old version nor the new");
            ended += u64::from(now == VERSION);
            drop(conn);
            comes_up(&mut daemon, version, &before);
        }
        println!("version {version}: {kills} kills, after {ended} the upgrade had been done");
        assert!(ended < kills, "no upgrade was ever interrupted");
    }
}

/// Starts the daemon on a dump. All rows must be there, be served and be in the current schema.
fn comes_up(daemon: &mut Daemon, version: i64, before: &BTreeMap<String, i64>) {
    daemon.spawn();
    let operator = daemon.operator();
    assert_eq!(operator.get("/api/auth/whoami").expect(200).json()["username"], "operator");
    for path in ["/api/agents", "/api/agents/archived", "/api/users", "/api/grants", "/api/audit"] {
        let items = operator.get(path).expect(200).json();
        let items = items.as_array().or_else(|| items["items"].as_array()).expect("a list").len();
        assert!(items > 0, "version {version}, {path}");
    }
    operator.post("/api/agents/atlas/token/issue", serde_json::json!({})).expect(200);
    assert_eq!(daemon.stop(), Some(0), "{}", daemon.log_text());
    daemon.check();

    let conn = Connection::open(daemon.database()).unwrap();
    let now: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(now, VERSION);
    let kept = daemon.data.join(format!("backup/before-schema-{VERSION}.db"));
    assert_eq!(kept.exists(), version < VERSION, "an upgrade keeps what it upgrades");
    if version < VERSION {
        let kept = Connection::open(kept).unwrap();
        let of_kept: i64 = kept.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!((of_kept, self::counts(&kept)), (version, before.clone()), "what is kept is whole");
    }
    for (table, rows) in counts(&conn) {
        // No row is lost. The sweep deletes old rows of these tables only.
        let swept = ["credentials", "idempotency", "operations"].contains(&table.as_str());
        assert!(swept || rows >= before.get(&table).copied().unwrap_or(0), "version {version} lost rows of {table}");
    }
    let fresh = Connection::open_in_memory().unwrap();
    fresh.execute_batch(include_str!("../../schema.sql")).unwrap();
    let (found, wanted) = (schema(&conn), schema(&fresh));
    for name in found.keys().chain(wanted.keys()) {
        assert_eq!(found.get(name), wanted.get(name), "version {version} brought up differs from schema.sql: {name}");
    }
}

#[test]
fn numbers_that_were_given_are_not_given_again_after_an_upgrade() {
    let (mut daemon, _) = load(2);
    let conn = Connection::open(daemon.database()).unwrap();
    conn.execute("UPDATE sqlite_sequence SET seq = 4711 WHERE name = 'notifications'", []).unwrap();
    drop(conn);
    daemon.spawn();
    daemon.operator().post("/api/ui/notify", serde_json::json!({"title": "Next", "body": "after"})).expect(200);
    assert_eq!(daemon.stop(), Some(0), "{}", daemon.log_text());
    let conn = Connection::open(daemon.database()).unwrap();
    let next: i64 = conn.query_row("SELECT max(seq) FROM notifications", [], |row| row.get(0)).unwrap();
    assert_eq!(next, 4712);
}

#[test]
fn what_was_known_before_an_upgrade_is_found_after_it() {
    let (mut daemon, _) = load(2);
    let conn = Connection::open(daemon.database()).unwrap();
    let insert = "INSERT INTO knowledge_items (id, source_type, source_id, path, title, author, summary, content,
            categories, content_hash, created_at, updated_at)
        VALUES ('k1', 'guide', 'app:birds', 'a.md', 'Birds', '', '', 'a kingfisher waits', '[]', zeroblob(32), 1, 1)";
    conn.execute(insert, []).unwrap();
    drop(conn);
    daemon.spawn();
    let found = daemon.operator().get("/api/knowledge/search?q=kingfisher").expect(200).json();
    assert_eq!(found[0]["title"], "Birds", "{found}");
    daemon.operator().delete("/api/knowledge/sources/app:birds").expect(204);
    let found = daemon.operator().get("/api/knowledge/search?q=kingfisher").expect(200).json();
    assert_eq!(found.as_array().map(Vec::len), Some(0), "{found}");
}

#[test]
fn every_version_before_this_one_has_its_dump() {
    assert_eq!(released().filter(|version| *version < VERSION).count() as i64, VERSION - 1);
    assert!(!dump::path(VERSION + 1).exists());
}
