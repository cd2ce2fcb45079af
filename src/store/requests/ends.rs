//! What ends by its time: pending requests, and what approved ones and grants give. For the clock of ends.

use rusqlite::{Connection, Row, params};

use crate::store::Result;
use crate::time::Micros;

const PENDING: &str = "SELECT id, expires_at, created_at, 0 FROM requests WHERE state = 'pending' ORDER BY expires_at";
const IN_FORCE: &str =
    "SELECT id, until, decided_at, 1 FROM requests WHERE state = 'approved' AND until IS NOT NULL ORDER BY until";
const GRANTS: &str = "SELECT id, expires_at, granted_at, 2 FROM grants WHERE expires_at IS NOT NULL AND request_id IS NULL ORDER BY expires_at";

/// What has an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ending {
    /// The time to decide a request.
    Pending,
    /// What an approved request gives.
    InForce,
    /// A grant that no request brought.
    Grant,
}

/// An end to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// What ends.
    pub what: Ending,
    /// The id of the request or the grant.
    pub id: String,
    /// When, by the host's clock.
    pub at: Micros,
    /// When it began: it never lasts longer than from then to its end.
    pub since: Micros,
}

fn read(row: &Row<'_>) -> rusqlite::Result<End> {
    let since: Option<Micros> = row.get(2)?;
    let at: Micros = row.get(1)?;
    let what = match row.get(3)? {
        0 => Ending::Pending,
        1 => Ending::InForce,
        _ => Ending::Grant,
    };
    Ok(End { what, id: row.get(0)?, at, since: since.unwrap_or(at) })
}

/// Everything that ends by its time and has not yet.
///
/// # Errors
/// The store's.
pub fn ends(conn: &Connection) -> Result<Vec<End>> {
    let mut all = Vec::new();
    for sql in [PENDING, IN_FORCE, GRANTS] {
        let mut statement = conn.prepare_cached(sql)?;
        let rows = statement.query_map(params![], read)?;
        all.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    Ok(all)
}
