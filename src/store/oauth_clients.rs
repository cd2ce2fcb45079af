//! Programs that an admin has registered, with a secret or without (OAuth contract, section 3).

use rusqlite::{Connection, params};

use super::Result;
use super::page::{Page, Take, each};
use super::row::record;
use crate::secret::SecretHash;
use crate::time::Micros;

const INSERT: &str = "INSERT INTO oauth_clients
    (id, name, redirect_uris, secret_hash, can_introspect, created_by, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const LIST: &str = "WHERE (created_at, id) > (?1, ?2) ORDER BY created_at, id LIMIT ?3";
const COUNT: &str = "SELECT count(*) FROM oauth_clients";
const NAMED: &str = "WHERE name = ?1 LIMIT 2";
const DELETE: &str = "DELETE FROM oauth_clients WHERE id = ?1";

record! {
    /// A registered program.
    pub struct Client from "oauth_clients" {
        /// Its client id.
        pub id: String = "id",
        /// Its name, for people.
        pub name: String = "name",
        /// The URIs that it may be redirected to, as a JSON array.
        pub redirect_uris: String = "redirect_uris",
        /// The hash of its secret; `None` if it has no secret.
        pub secret: Option<Vec<u8>> = "secret_hash",
        /// Whether it may introspect every token of the box.
        pub can_introspect: bool = "can_introspect",
        /// Who registered it.
        pub created_by: String = "created_by",
        /// When it was registered.
        pub created_at: Micros = "created_at",
    }
}

/// Stores a new client.
///
/// # Errors
/// Any `StoreError`.
pub fn insert(conn: &Connection, new: &Client) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![
        new.id,
        new.name,
        new.redirect_uris,
        new.secret,
        new.can_introspect,
        new.created_by,
        new.created_at
    ])?;
    Ok(())
}

/// Returns the client with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<Client>> {
    Client::one(conn, "WHERE id = ?1", [id])
}

/// Returns the client with this id, or else the only client with this name. There are few clients: at most 200.
///
/// # Errors
/// Any `StoreError`.
pub fn resolve(conn: &Connection, given: &str) -> Result<Option<Client>> {
    if let Some(client) = by_id(conn, given)? {
        return Ok(Some(client));
    }
    let mut statement = conn.prepare_cached(&format!("{} {NAMED}", Client::SELECT))?;
    let mut named: Vec<Client> = statement.query_map([given], Client::read)?.collect::<rusqlite::Result<_>>()?;
    Ok(if named.len() == 1 { named.pop() } else { None })
}

/// Lists all clients, oldest first.
///
/// # Errors
/// Any `StoreError`.
pub fn list(conn: &Connection, page: &Page, take: Take<'_, Client>) -> Result<()> {
    let (at, id) = page.oldest_first();
    let mut statement = conn.prepare_cached(&format!("{} {LIST}", Client::SELECT))?;
    each(&mut statement, params![at, id, page.fetch()], Client::read, take)
}

/// Returns how many clients there are; there are few.
///
/// # Errors
/// Any `StoreError`.
pub fn count(conn: &Connection) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT)?.query_row([], |row| row.get(0))?)
}

/// Deletes a client. Returns false if there is none with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn delete(conn: &Connection, id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(DELETE)?.execute([id])? > 0)
}

impl Client {
    /// Returns true if this is the hash of its secret. Both sides are hashes, so the time of the comparison reveals
    /// nothing about the secret.
    pub fn is_secret(&self, shown: &SecretHash) -> bool {
        self.secret.as_deref() == Some(shown.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plans;

    #[test]
    fn no_statement_about_clients_sorts_or_reads_rows_that_it_does_not_return() {
        let page = Page { limit: 10, after: None };
        let all = plans::of(|conn| {
            by_id(conn, "x").unwrap();
            list(conn, &page, &mut |_| true).unwrap();
            delete(conn, "x").unwrap();
        });
        assert_eq!(all.len(), 3);
        for (sql, plan) in all {
            let bad = |line: &String| {
                line.contains("TEMP B-TREE") || (line.starts_with("SCAN") && !line.contains("oauth_clients_by_age"))
            };
            assert!(!plan.iter().any(bad), "{sql}\n{plan:#?}");
        }
    }
}
