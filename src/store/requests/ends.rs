//! Everything that ends by its time: pending requests, what approved ones give, and grants. For the clock of ends.

use rusqlite::{Connection, Row, params};

use crate::store::Result;
use crate::time::Micros;

const PENDING: &str = "SELECT id, expires_at, created_at, 0 FROM requests WHERE state = 'pending' ORDER BY expires_at";
const IN_FORCE: &str =
    "SELECT id, until, decided_at, 1 FROM requests WHERE state = 'approved' AND until IS NOT NULL ORDER BY until";
const GRANTS: &str = "SELECT id, expires_at, granted_at, 2 FROM grants WHERE expires_at IS NOT NULL AND request_id IS NULL ORDER BY expires_at";

/// A kind of thing that ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ending {
    /// The time to decide a request.
    Pending,
    /// The right that an approved request gives.
    InForce,
    /// A grant that does not come from a request.
    Grant,
}

/// An end that is not recorded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The kind.
    pub what: Ending,
    /// The id of the request or the grant.
    pub id: String,
    /// When it ends, by the box's clock.
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

/// Lists all ends that are not recorded yet.
///
/// # Errors
/// Any `StoreError`.
pub fn ends(conn: &Connection) -> Result<Vec<End>> {
    let mut all = Vec::new();
    for sql in [PENDING, IN_FORCE, GRANTS] {
        let mut statement = conn.prepare_cached(sql)?;
        let rows = statement.query_map(params![], read)?;
        all.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    Ok(all)
}
