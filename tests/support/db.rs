//! The daemon's database, opened by the test: to see what is stored, and to make states that no request can make.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, Params};

use super::Daemon;

/// Every row of every table, as text, by table and first column.
pub type Rows = BTreeMap<String, String>;

impl Daemon {
    /// Opens a connection to the database. The daemon may use the database at the same time.
    pub fn db(&self) -> Connection {
        let conn = Connection::open(self.database()).expect("the database");
        conn.busy_timeout(Duration::from_secs(10)).expect("a timeout");
        conn
    }

    /// Runs one statement on the database. Returns the number of changed rows.
    #[track_caller]
    pub fn execute(&self, sql: &str, params: impl Params) -> usize {
        self.db().execute(sql, params).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// Returns the number that a query selects.
    #[track_caller]
    pub fn number(&self, sql: &str, params: impl Params) -> i64 {
        self.db().query_row(sql, params, |row| row.get(0)).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// Returns the text that a query selects.
    #[track_caller]
    pub fn text(&self, sql: &str, params: impl Params) -> String {
        self.db().query_row(sql, params, |row| row.get(0)).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// Returns all stored rows.
    pub fn rows(&self) -> Rows {
        let conn = self.db();
        let mut tables =
            conn.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").expect("tables");
        let names: Vec<String> =
            tables.query_map([], |row| row.get(0)).expect("names").collect::<Result<_, _>>().expect("names");
        let mut all = Rows::new();
        for name in names.iter().filter(|name| !name.starts_with("sqlite_")) {
            let mut statement = conn.prepare(&format!("SELECT * FROM \"{name}\"")).expect("a table");
            let width = statement.column_count();
            let mut rows = statement.query([]).expect("rows");
            let mut number = 0;
            while let Some(row) = rows.next().expect("a row") {
                let cells: Vec<String> = (0..width).map(|at| cell(row.get(at).expect("a cell"))).collect();
                number += 1;
                // The first column of most tables is the key. In `idempotency` it is not, so its rows are numbered.
                let key = if name == "idempotency" { number.to_string() } else { cells[0].clone() };
                all.insert(format!("{name}/{key}"), cells.join(" | "));
            }
        }
        all
    }
}

fn cell(value: Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Integer(n) => n.to_string(),
        Value::Real(n) => n.to_string(),
        Value::Text(text) => text,
        Value::Blob(bytes) => data_encoding::HEXLOWER.encode(&bytes),
    }
}

/// Returns true for a row of the audit chain, and for the row in `meta` with its head.
pub fn is_audit(key: &str) -> bool {
    key.starts_with("audit/") || key == "meta/audit_head"
}
