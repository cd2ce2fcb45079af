//! Prepares a copy of a database to replace another database: `taosd restore` (DESIGN D16).

use std::collections::HashSet;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::migrate::MigrateError;
use super::open::{self, OpenError};
use super::rights::{self, Rights, TakenRight};
use super::{Result, StoreError, VERSION, audit, joins, meta, objects};
use crate::time::Micros;

const END_SESSIONS: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?1 WHERE (kind = 'session' OR kind = 'oauth_grant') AND state = 'active'";
const LIVE: &str = "SELECT id FROM credentials WHERE state IN ('active', 'grace', 'pending_enrollment')";
const REVOKE: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?2 WHERE id = ?1";
const IS_LIVE: &str = "SELECT 1 FROM credentials c JOIN users u ON u.id = c.user_id
    WHERE c.secret_hash = ?1 AND c.state = 'active' AND u.role = 'admin' AND u.disabled = 0";

/// The state of the database in place that must also hold in the restored one.
#[derive(Debug, Default)]
pub struct Since {
    /// The ids of the credentials that may stay live. All others of the backup are revoked.
    live: HashSet<String>,
    /// The rights that are given now; `None` if they are unknown.
    rights: Option<Rights>,
}

/// Opens a copy for changes and migrates it to this daemon's schema.
///
/// # Errors
/// [`OpenError`], as for a daemon's start.
pub fn open_copy(path: &Path) -> std::result::Result<Connection, OpenError> {
    let failed = |error: StoreError| OpenError::Store(path.to_owned(), error);
    let mut conn = open::copy_in_hand(path).map_err(|error| failed(error.into()))?;
    objects::bring_up(&mut conn).map_err(|error| match error {
        MigrateError::TooNew(found) => OpenError::TooNew { path: path.to_owned(), found, known: VERSION },
        MigrateError::Foreign => OpenError::Foreign(path.to_owned(), error.to_string()),
        MigrateError::Dangling(_) => OpenError::Damaged(path.to_owned(), error.to_string()),
        MigrateError::Sqlite(error) => failed(error.into()),
    })?;
    let foreign = |why| OpenError::Damaged(path.to_owned(), format!("its schema is not taosd's: {why}"));
    objects::compare(&mut conn).map_err(failed)?.map_err(foreign)?;
    Ok(conn)
}

/// Reads the state of the database in place. Returns `None` if the copy is of another installation.
///
/// # Errors
/// Any [`StoreError`]: a damaged database in place may be the reason for the restore.
pub fn since(in_place: &Path, copy: &Connection) -> Result<Option<Since>> {
    let conn = open::reading(in_place, open::at_rest(in_place))?;
    if meta::get(&conn, meta::INSTALL_ID)? != meta::get(copy, meta::INSTALL_ID)? {
        return Ok(None);
    }
    let tx = conn.unchecked_transaction()?;
    Ok(Some(Since { live: ids(&tx, LIVE)?.into_iter().collect(), rights: Some(Rights::since(&tx, copy)?) }))
}

/// The changes that a restore made in the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreChanges {
    /// The number of web sessions and OAuth grants that were ended.
    pub sessions: usize,
    /// The number of credentials that were revoked in the copy because they died after the backup.
    pub dead: usize,
    /// The rights that were taken away since the backup and stay so.
    pub taken: Vec<TakenRight>,
}

/// Ends every session, OAuth grant and token signed before, revokes the credentials that have died since the backup,
/// and takes away the rights that were taken since, all in one transaction.
///
/// # Errors
/// Any [`StoreError`].
pub fn settle(conn: &Connection, since: &Since, source: &str, now: Micros) -> Result<RestoreChanges> {
    let tx = conn.unchecked_transaction()?;
    let sessions = tx.execute(END_SESSIONS, [now])?;
    joins::end_all(&tx, now)?;
    let mut changed = RestoreChanges { sessions, dead: 0, taken: Vec::new() };
    for id in ids(&tx, LIVE)?.iter().filter(|id| !since.live.contains(*id)) {
        changed.dead += tx.execute(REVOKE, params![id, now])?;
    }
    if let Some(rights) = &since.rights {
        changed.taken = rights::take(&tx, rights, now)?;
    }
    // A new epoch: the old signing keys belong to the database before this restore.
    meta::set(&tx, meta::SIGNING_EPOCH, &super::new_id())?;
    let entry = audit::AuditEntry::new("system", "backups.restore", source, "-").at(now);
    audit::append(&tx, &entry)?;
    tx.commit()?;
    Ok(changed)
}

/// Returns every live credential of a copy, for a restore without a database to compare with.
///
/// # Errors
/// Any [`StoreError`].
pub fn all_live(conn: &Connection) -> Result<Since> {
    Ok(Since { live: ids(conn, LIVE)?.into_iter().collect(), rights: None })
}

/// Returns true if this is the hash of a live credential of an enabled admin.
///
/// # Errors
/// Any [`StoreError`].
pub fn is_admins(conn: &Connection, hash: &[u8; 32]) -> Result<bool> {
    Ok(conn.query_row(IS_LIVE, [hash], |_| Ok(())).optional()?.is_some())
}

fn ids(conn: &Connection, sql: &str) -> Result<Vec<String>> {
    let mut statement = conn.prepare(sql)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
