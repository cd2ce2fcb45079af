//! Checks that every table, index, trigger and view of a database is ours, by a comparison with `schema.sql` (DESIGN
//! D22). A file from elsewhere contains SQL of its own: a trigger in it would run with the daemon's rights.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::migrate::{self, MigrateError, SCHEMA};
use super::{Result, StoreError, VERSION};

/// The most time for the statements that read a file before it is trusted.
const PATIENCE: Duration = Duration::from_secs(10);
/// Steps of SQLite's virtual machine between two looks at the clock.
const STEPS: i32 = 1000;
/// The most objects that are read; ours are about a hundred.
const MOST: u32 = 2000;
const READ: &str = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema LIMIT ?1";
/// The tables that `ANALYZE` makes, whoever ran it, with SQLite's own SQL: statistics for the query planner.
const STATISTICS: [(&str, &str); 2] = [
    ("sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)"),
    ("sqlite_stat4", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"),
];

/// Triggers and views of older releases that `schema.sql` no longer has.
const FORMER: [&str; 0] = [];

/// The kind and the name. They sort in the order in which objects can be made: tables come first.
type ObjectKey = (ObjectKind, String);
/// For each object, the table it is on and its SQL.
type Objects = BTreeMap<ObjectKey, (String, String)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ObjectKind {
    VirtualTable,
    Table,
    Index,
    View,
    Trigger,
}

impl ObjectKind {
    fn of(word: &str, sql: &str) -> Option<Self> {
        Some(match word {
            "table" if starts(sql, "CREATE VIRTUAL TABLE ") => Self::VirtualTable,
            "table" => Self::Table,
            "index" => Self::Index,
            "view" => Self::View,
            "trigger" => Self::Trigger,
            _ => return None,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::VirtualTable | Self::Table => "table",
            Self::Index => "index",
            Self::View => "view",
            Self::Trigger => "trigger",
        }
    }
}

fn starts(sql: &str, with: &str) -> bool {
    sql.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
}

/// Migrates a database to the newest schema with triggers off: the triggers in it are of an older release.
///
/// # Errors
/// Any [`MigrateError`].
pub fn bring_up(conn: &mut Connection) -> std::result::Result<(), MigrateError> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    let brought = migrate::migrate(conn);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true)?;
    brought
}

/// Makes all statements of a connection fail once `patience` is over, whatever the file contains. `None`: no limit.
///
/// # Errors
/// Any error of SQLite.
fn set_deadline(conn: &mut Connection, patience: Option<Duration>) -> rusqlite::Result<()> {
    match patience {
        None => conn.progress_handler(0, None::<fn() -> bool>),
        Some(patience) => {
            let end = Instant::now() + patience;
            conn.progress_handler(STEPS, Some(move || Instant::now() > end))
        }
    }
}

/// Returns a text with the number of objects if all are ours; else, as the inner error, which one is not. No SQL of the
/// file runs on its rows: an older schema is made again in memory, without rows, and migrated there.
///
/// # Errors
/// Any [`StoreError`], if the file cannot be read.
pub fn compare(conn: &mut Connection) -> Result<std::result::Result<String, String>> {
    set_deadline(conn, Some(PATIENCE))?;
    let compared = compare_in_time(conn);
    set_deadline(conn, None)?;
    compared
}

fn compare_in_time(conn: &Connection) -> Result<std::result::Result<String, String>> {
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > VERSION {
        return Ok(Ok("of a newer taosd, not compared".into()));
    }
    let ours = ours()?;
    let found = read(conn, &tables(&ours))?;
    if version == 0 && found.is_empty() {
        return Ok(Ok("none yet".into()));
    }
    let found = match version {
        VERSION => found,
        older => match brought_up(&found, &ours, older) {
            Ok(found) => found,
            Err(why) => return Ok(Err(why)),
        },
    };
    Ok(match difference(&ours, &found) {
        None => Ok(format!("{} objects, all of them taosd's", found.len())),
        Some(why) => Err(why),
    })
}

/// Reads all objects. A quoted name of `tables` loses its quotes.
fn read(conn: &Connection, tables: &[String]) -> Result<Objects> {
    let mut statement = conn.prepare(READ)?;
    let mut rows = statement.query([MOST])?;
    let mut objects = Objects::new();
    while let Some(row) = rows.next()? {
        let (word, name, table, sql): (String, String, String, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        // SQLite reads the text only as far as this.
        if sql.contains('\0') {
            return Err(StoreError::Damaged(format!("the SQL of the {word} {name} has a zero byte")));
        }
        let sql = plain(&sql, tables);
        let kind = ObjectKind::of(&word, &sql)
            .ok_or_else(|| StoreError::Damaged(format!("unknown kind of object: {word}")))?;
        if objects.insert((kind, name.clone()), (table, sql)).is_some() {
            return Err(StoreError::Damaged(format!("two objects have the name {name}")));
        }
    }
    if objects.len() >= MOST as usize {
        return Err(StoreError::Damaged("it has thousands of tables, indexes, triggers and views".into()));
    }
    objects.retain(|(kind, name), (table, sql)| {
        let own = STATISTICS.contains(&(name.as_str(), sql.as_str())) && name == table;
        !(own && *kind == ObjectKind::Table)
    });
    Ok(objects)
}

/// Returns the objects of a new database.
fn ours() -> Result<Objects> {
    let conn = Connection::open_in_memory()?;
    conn.execute_batch(SCHEMA)?;
    read(&conn, &[])
}

/// Returns the names of the tables.
fn tables(objects: &Objects) -> Vec<String> {
    let is_table = |kind: &ObjectKind| matches!(kind, ObjectKind::Table | ObjectKind::VirtualTable);
    objects.keys().filter(|(kind, _)| is_table(kind)).map(|(_, name)| name.clone()).collect()
}

/// Returns the objects that an older schema has after its migration, or why it is not ours.
fn brought_up(found: &Objects, ours: &Objects, version: i64) -> std::result::Result<Objects, String> {
    let made = || -> rusqlite::Result<Connection> {
        let mut conn = Connection::open_in_memory()?;
        conn.pragma_update(None, "trusted_schema", false)?;
        set_deadline(&mut conn, Some(PATIENCE))?;
        Ok(conn)
    };
    let mut conn = made().map_err(|error| error.to_string())?;
    for ((kind, name), (_, sql)) in found {
        // A migration may make its table anew: then the object would be gone and nothing would report it.
        let runs = matches!(kind, ObjectKind::View | ObjectKind::Trigger);
        if runs && !ours.contains_key(&(*kind, name.clone())) && !FORMER.contains(&name.as_str()) {
            return Err(format!("the {} {name} is not taosd's", kind.word()));
        }
        make(&conn, *kind, name, sql)?;
    }
    let remade = read(&conn, &tables(ours)).map_err(|error| error.to_string())?;
    if let Some(why) = difference(&remade, found) {
        return Err(why);
    }
    conn.pragma_update(None, "user_version", version).map_err(|error| error.to_string())?;
    bring_up(&mut conn).map_err(|error| format!("it cannot be brought up: {error}"))?;
    read(&conn, &tables(ours)).map_err(|error| error.to_string())
}

/// Makes one object of an older schema, unless SQLite has made it by itself.
fn make(conn: &Connection, kind: ObjectKind, name: &str, sql: &str) -> std::result::Result<(), String> {
    let foreign = |why: String| format!("the {} {name} is not taosd's: {why}", kind.word());
    let there = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1)";
    let is_there: bool = conn.query_row(there, [name], |row| row.get(0)).map_err(|error| error.to_string())?;
    if is_there || sql.is_empty() {
        return Ok(());
    }
    if kind == ObjectKind::VirtualTable && !sql.contains(" USING fts5") {
        return Err(foreign("no table of ours is of that kind".into()));
    }
    if !starts(sql, "CREATE ") {
        return Err(foreign("its SQL does not make it".into()));
    }
    conn.execute(sql, []).map(|_| ()).map_err(|error| foreign(error.to_string()))
}

/// Returns the first difference, in words.
fn difference(ours: &Objects, found: &Objects) -> Option<String> {
    for (key, object) in found {
        let (kind, name) = (key.0.word(), &key.1);
        match ours.get(key) {
            None => return Some(format!("the {kind} {name} is not taosd's")),
            Some(own) if own != object => return Some(format!("the {kind} {name} is not as taosd makes it")),
            Some(_) => {}
        }
    }
    let missing = ours.keys().find(|key| !found.contains_key(*key));
    missing.map(|(kind, name)| format!("the {} {name} is missing", kind.word()))
}

/// Returns SQL in one form: comments and white space become one blank, and a quoted name of `tables` loses its quotes
/// (`ALTER TABLE ... RENAME` adds them). Every other quoted word stays as it is: to SQLite it may be a text.
fn plain(sql: &str, tables: &[String]) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    let mut blank = false;
    while let Some(first) = rest.chars().next() {
        let (token, length) = token(rest, first);
        rest = &rest[length..];
        match token {
            None => blank = true,
            Some(token) => {
                if blank && !out.is_empty() {
                    out.push(' ');
                }
                blank = false;
                let inner = token.strip_prefix('"').and_then(|inner| inner.strip_suffix('"'));
                let name = inner.filter(|inner| tables.iter().any(|table| table == inner));
                out.push_str(name.unwrap_or(token));
            }
        }
    }
    out
}

/// Returns the first token (`None` for a blank), and its length in bytes. It must end where it ends for SQLite: else a
/// file could hide a part of its SQL from the comparison.
fn token(rest: &str, first: char) -> (Option<&str>, usize) {
    // The end is looked for behind the beginning: `/*/` is a comment that has not ended.
    let until = |begin: usize, end: &str| rest[begin..].find(end).map_or(rest.len(), |at| begin + at + end.len());
    if first.is_ascii_whitespace() {
        return (None, rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_whitespace()).len());
    }
    if rest.starts_with("--") {
        return (None, until(2, "\n"));
    }
    if rest.starts_with("/*") {
        return (None, until(2, "*/"));
    }
    if matches!(first, '\'' | '"' | '`') {
        // A doubled quote does not end it.
        let quote = &rest[..1];
        let mut length = until(1, quote);
        while rest[length..].starts_with(quote) {
            length = until(length + 1, quote);
        }
        return (Some(&rest[..length]), length);
    }
    (Some(&rest[..first.len_utf8()]), first.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ours_and(sql: &str) -> std::result::Result<String, String> {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate::migrate(&mut conn).unwrap();
        conn.execute_batch(sql).unwrap();
        compare(&mut conn).unwrap()
    }

    #[test]
    fn only_our_own_schema_is_ours() {
        assert!(ours_and("").unwrap().contains("all of them taosd's"));
        assert!(ours_and("ANALYZE").is_ok(), "whoever runs it");
        for (sql, why) in [
            ("CREATE TABLE t (x)", "the table t is not taosd's"),
            ("CREATE VIEW v AS SELECT 1", "the view v is not taosd's"),
            ("CREATE INDEX i ON users (role)", "the index i is not taosd's"),
            ("CREATE TRIGGER g AFTER UPDATE ON users BEGIN SELECT 1; END", "the trigger g is not taosd's"),
            ("DROP TRIGGER audit_is_append_only", "the trigger audit_is_append_only is missing"),
            ("ALTER TABLE users ADD COLUMN x TEXT", "the table users is not as taosd makes it"),
            ("CREATE VIRTUAL TABLE f USING fts5 (x)", "the table f is not taosd's"),
            (
                "DROP TRIGGER audit_is_append_only;
                CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit BEGIN SELECT 1; END",
                "the trigger audit_is_append_only is not as taosd makes it",
            ),
        ] {
            assert_eq!(ours_and(sql), Err(why.to_owned()), "{sql}");
        }
    }

    #[test]
    fn an_object_put_into_the_schema_table_by_hand_is_found() {
        let sql = "PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET sql = replace(sql, 'role IN (''admin'', ''member'')', '1') WHERE name = 'users';
            INSERT INTO sqlite_schema VALUES ('trigger', 'z', 'users', 0, 'CREATE TRIGGER z AFTER UPDATE ON users BEGIN
                SELECT 1; END');";
        assert!(ours_and(sql).is_err());
    }

    #[test]
    fn sql_has_one_form_and_texts_are_kept() {
        for (sql, same) in [
            ("CREATE TABLE \"a_1\" (\n  x -- y\n)", "CREATE TABLE a_1 ( x )"),
            ("a /* b\n c */ d", "a d"),
            ("a /*/ b /* c */ d", "a d"),
            ("a /**/ d", "a d"),
            ("'a  --b' \"c d\" ''", "'a  --b' \"c d\" ''"),
            ("x 'it''s  ' y", "x 'it''s  ' y"),
            ("x IS \"NULL\" \"a_1\"\"\" `a_1`", "x IS \"NULL\" \"a_1\"\"\" `a_1`"),
            ("\"a_1\" /* \" */ \"", "a_1 \""),
        ] {
            assert_eq!(plain(sql, &["a_1".to_owned()]), same);
        }
    }

    #[test]
    fn a_statement_without_an_end_is_ended() {
        let mut conn = Connection::open_in_memory().unwrap();
        set_deadline(&mut conn, Some(Duration::from_millis(50))).unwrap();
        let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
        let error = conn.query_row(endless, [], |row| row.get::<_, i64>(0)).unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::OperationInterrupted));
    }

    proptest! {
        #[test]
        fn no_sql_makes_it_panic(sql in "[a-z'\"`/*\\-\\n é(]{0,60}") {
            let once = plain(&sql, &["a".to_owned()]);
            prop_assert!(once.len() <= sql.len());
        }
    }
}
