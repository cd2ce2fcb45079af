//! OAuth grants: access that a person gave a program. Each is a credential with the hash of the refresh token, and a
//! row with the facts that the token endpoint checks (OAuth contract, section 7).

use rusqlite::{Connection, OptionalExtension, Params, params};

use super::Result;
use super::credentials::{self, CredentialState, Maker, NewCredential};
use super::expiry;
use super::grants::{Grantee, are_more_than};
use super::page::{Page, Take, each};
use super::row::record;
use crate::secret::{Issued, Kind, SecretHash};
use crate::time::Micros;

const INSERT: &str = "INSERT INTO oauth_grants (credential_id, handle_hash, refreshed_at, user_id, client_hash,
        client_name, redirect_host, audience, words, created_at, ends_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?3, ?10)";
const ROTATE: &str = "UPDATE oauth_grants SET previous_hash = ?2, refreshed_at = ?3 WHERE credential_id = ?1";
/// A later end is warned of anew.
const NEW_HASH: &str = "UPDATE credentials SET secret_hash = ?2, expires_at = ?3,
    notices = iif(expires_at < ?3, ?4, notices) WHERE id = ?1 AND state = 'active'";
const BY_HANDLE: &str = "WHERE g.handle_hash = ?1";
const BY_ID: &str = "WHERE g.credential_id = ?1";
/// The most roles of one user that a list starts from; with more, it walks all live grants by age.
const FEW: u64 = 256;
const EDITS: &str = "r.principal_user_id = ?1 AND (r.role = 'owner' OR r.role = 'editor')
        AND (r.expires_at IS NULL OR r.expires_at > ?2)";
const OF_USER: &str = "g.live = 1 AND c.expires_at > ?2 AND (g.created_at, g.credential_id) > (?3, ?4)
    ORDER BY g.created_at, g.credential_id LIMIT ?5";
const OF_ALL: &str = "WHERE g.live = 1 AND c.expires_at > ?1 AND (g.created_at, g.credential_id) > (?2, ?3)
    ORDER BY g.created_at, g.credential_id LIMIT ?4";
const COUNT_OF_USER: &str = "SELECT count(*) FROM oauth_grants g JOIN credentials c ON c.id = g.credential_id
    WHERE g.user_id = ?1 AND g.live = 1 AND c.expires_at > ?2";
const COUNT_OF_AGENT: &str = "SELECT count(*) FROM credentials
    WHERE agent_id = ?1 AND kind = 'oauth_grant' AND state = 'active' AND expires_at > ?2";
const LAST_AGENT: &str = "SELECT a.id FROM (SELECT credential_id FROM oauth_grants
        WHERE user_id = ?1 AND client_name = ?2 ORDER BY created_at DESC LIMIT 1) g
    JOIN credentials c ON c.id = g.credential_id JOIN agents a ON a.id = c.agent_id AND a.archived_at IS NULL";
const USES_CLIENT: &str = "SELECT EXISTS (SELECT 1 FROM oauth_grants g JOIN credentials c ON c.id = g.credential_id
    WHERE g.client_hash = ?1 AND g.live = 1 AND c.expires_at > ?2)";
const GIVEN_BY: &str = "SELECT credential_id FROM oauth_grants WHERE user_id = ?1 AND live = 1";
const ORPHANED: &str = "SELECT id FROM credentials k WHERE expires_at > ?1 AND state = 'active'
        AND kind = 'oauth_grant' AND NOT EXISTS (SELECT 1 FROM oauth_grants g WHERE g.credential_id = k.id)
    ORDER BY expires_at, id LIMIT ?2";
const OF_CLIENT: &str = "SELECT credential_id FROM oauth_grants WHERE client_hash = ?1 AND live = 1";

/// A grant to be stored.
#[derive(Debug)]
pub struct NewGrant<'a> {
    /// The id of its credential.
    pub id: &'a str,
    /// The first refresh token.
    pub issued: &'a Issued,
    /// The hash of that token's handle, the part that no rotation changes.
    pub handle: SecretHash,
    /// The id of the user who consented.
    pub user_id: &'a str,
    /// The id of the agent that the program acts as; `None` if it acts as the user.
    pub agent_id: Option<&'a str>,
    /// The scopes of its credential, as a JSON array.
    pub scopes: &'a str,
    /// The scope words that the user was shown and granted, separated by blanks.
    pub words: &'a str,
    /// The audience of its tokens.
    pub audience: &'a str,
    /// The hash of the client's id.
    pub client_hash: SecretHash,
    /// The name that the client gives itself.
    pub client_name: &'a str,
    /// The host that the client was redirected to.
    pub redirect_host: &'a str,
    /// Who makes it.
    pub maker: &'a Maker,
    /// When it is made.
    pub now: Micros,
    /// When it ends if it is not used.
    pub expires_at: Micros,
    /// When it ends at the latest.
    pub ends_at: Micros,
}

record! {
    /// An OAuth grant.
    pub struct OauthGrant from "oauth_grants g JOIN credentials c ON c.id = g.credential_id
        LEFT JOIN agents a ON a.id = c.agent_id JOIN users u ON u.id = g.user_id" {
        /// The id of its credential.
        pub id: String = "g.credential_id",
        /// The state of the credential.
        pub state: CredentialState = "c.state",
        /// The hash of the present refresh token.
        pub current: Vec<u8> = "c.secret_hash",
        /// The hash of the previous refresh token, while that may be used once more.
        pub previous: Option<Vec<u8>> = "g.previous_hash",
        /// When the present refresh token was made.
        pub refreshed_at: Micros = "g.refreshed_at",
        /// The id of the user who consented.
        pub user_id: String = "g.user_id",
        /// That user's name.
        pub username: String = "u.username",
        /// The id of the agent that the program acts as; `None` if it acts as the user.
        pub agent_id: Option<String> = "c.agent_id",
        /// The agent's slug.
        pub agent_name: Option<String> = "a.slug",
        /// The hash of the client's id.
        pub client_hash: Vec<u8> = "g.client_hash",
        /// The name that the client gives itself.
        pub client_name: String = "g.client_name",
        /// The host that the client was redirected to.
        pub redirect_host: String = "g.redirect_host",
        /// The audience of its tokens.
        pub audience: String = "g.audience",
        /// Its scope words, separated by blanks.
        pub words: String = "g.words",
        /// When it was made.
        pub created_at: Micros = "g.created_at",
        /// When it ends if it is not used.
        pub expires_at: Option<Micros> = "c.expires_at",
        /// When it ends at the latest.
        pub ends_at: Micros = "g.ends_at",
        /// When its tokens were last used, to the minute.
        pub last_used_at: Option<Micros> = "c.last_used_at",
    }
}

/// Stores a new grant with its credential.
///
/// # Errors
/// Any `StoreError`.
pub fn insert(conn: &Connection, new: &NewGrant<'_>) -> Result<()> {
    credentials::insert(
        conn,
        &NewCredential {
            id: new.id,
            kind: Kind::OauthGrant,
            issued: new.issued,
            user_id: new.agent_id.is_none().then_some(new.user_id),
            agent_id: new.agent_id,
            scopes: new.scopes,
            label: new.client_name,
            state: CredentialState::Active,
            maker: new.maker,
            issued_at: new.now,
            expires_at: Some(new.expires_at),
        },
    )?;
    conn.prepare_cached(INSERT)?.execute(params![
        new.id,
        new.handle.as_bytes(),
        new.now,
        new.user_id,
        new.client_hash.as_bytes(),
        new.client_name,
        new.redirect_host,
        new.audience,
        new.words,
        new.ends_at,
    ])?;
    Ok(())
}

/// Replaces the present refresh token. `previous` is the hash of the token that may be used once more.
///
/// # Errors
/// Any `StoreError`.
pub fn rotate(
    conn: &Connection,
    id: &str,
    issued: &Issued,
    previous: Option<&[u8]>,
    now: Micros,
    expires_at: Micros,
) -> Result<()> {
    let given = expiry::passed_over(expires_at.0 - now.0);
    conn.prepare_cached(NEW_HASH)?.execute(params![id, issued.hash.as_bytes(), expires_at, given])?;
    conn.prepare_cached(ROTATE)?.execute(params![id, previous, now])?;
    Ok(())
}

/// Returns the grant whose refresh token has this handle, in any state.
///
/// # Errors
/// Any `StoreError`.
pub fn by_handle(conn: &Connection, handle: &SecretHash) -> Result<Option<OauthGrant>> {
    OauthGrant::one(conn, BY_HANDLE, [handle.as_bytes().as_slice()])
}

/// Returns the grant with this id, in any state.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<OauthGrant>> {
    OauthGrant::one(conn, BY_ID, [id])
}

/// Lists the live grants that a user has given and those that act as an agent which the user may change, or the grants
/// of all users, oldest first.
///
/// # Errors
/// Any `StoreError`.
pub fn list(
    conn: &Connection,
    user_id: Option<&str>,
    now: Micros,
    page: &Page,
    take: Take<'_, OauthGrant>,
) -> Result<()> {
    let (at, id) = page.oldest_first();
    match user_id {
        Some(user) => {
            let mut statement =
                conn.prepare_cached(&of_user(are_more_than(conn, &Grantee::User(user.into()), FEW)?))?;
            each(&mut statement, params![user, now, at, id, page.fetch()], OauthGrant::read, take)
        }
        None => {
            let mut statement = conn.prepare_cached(&format!("{} {OF_ALL}", OauthGrant::SELECT))?;
            each(&mut statement, params![now, at, id, page.fetch()], OauthGrant::read, take)
        }
    }
}

/// Returns the statement that lists what a user with few or many roles may end.
fn of_user(has_many: bool) -> String {
    if has_many {
        return format!(
            "{} WHERE (g.user_id = ?1 OR EXISTS (SELECT 1 FROM grants r
                WHERE coalesce(r.agent_id, 'space:' || r.space_id, '*') = +c.agent_id AND {EDITS})) AND {OF_USER}",
            OauthGrant::SELECT
        );
    }
    let own = format!(
        "(SELECT credential_id AS id FROM oauth_grants WHERE user_id = ?1 AND live = 1
        UNION SELECT k.id FROM grants r CROSS JOIN credentials k ON k.agent_id = r.agent_id
            AND k.kind = 'oauth_grant' AND k.state = 'active' WHERE r.agent_id IS NOT NULL AND {EDITS})"
    );
    let select = OauthGrant::SELECT.replacen("FROM ", &format!("FROM {own} v CROSS JOIN "), 1);
    format!("{select} WHERE g.credential_id = v.id AND {OF_USER}")
}

/// Returns how many live grants a user has given.
///
/// # Errors
/// Any `StoreError`.
pub fn count_of_user(conn: &Connection, user_id: &str, now: Micros) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT_OF_USER)?.query_row(params![user_id, now], |row| row.get(0))?)
}

/// Returns how many live grants act as an agent.
///
/// # Errors
/// Any `StoreError`.
pub fn count_of_agent(conn: &Connection, agent_id: &str, now: Micros) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT_OF_AGENT)?.query_row(params![agent_id, now], |row| row.get(0))?)
}

/// Returns the id of the agent in the user's last grant to a client of this name, if that agent is not archived.
///
/// # Errors
/// Any `StoreError`.
pub fn last_agent(conn: &Connection, user_id: &str, client_name: &str) -> Result<Option<String>> {
    Ok(conn.prepare_cached(LAST_AGENT)?.query_row([user_id, client_name], |row| row.get(0)).optional()?)
}

/// Returns true if this client has a live grant.
///
/// # Errors
/// Any `StoreError`.
pub fn uses_client(conn: &Connection, client_hash: &SecretHash, now: Micros) -> Result<bool> {
    let values = params![client_hash.as_bytes(), now];
    Ok(conn.prepare_cached(USES_CLIENT)?.query_row(values, |row| row.get(0))?)
}

/// Returns the ids of a client's live grants.
///
/// # Errors
/// Any `StoreError`.
pub fn of_client(conn: &Connection, client_hash: &SecretHash) -> Result<Vec<String>> {
    ids(conn, OF_CLIENT, [client_hash.as_bytes().as_slice()])
}

/// Returns the ids of the live grants that a user has given.
///
/// # Errors
/// Any `StoreError`.
pub fn given_by(conn: &Connection, user_id: &str) -> Result<Vec<String>> {
    ids(conn, GIVEN_BY, [user_id])
}

/// Returns the ids of at most `most` live credentials of grants whose rows went with the user who gave them. Older
/// releases left such: they act as an agent, and nobody can list them.
///
/// # Errors
/// Any `StoreError`.
pub fn orphaned(conn: &Connection, now: Micros, most: u64) -> Result<Vec<String>> {
    ids(conn, ORPHANED, params![now, most])
}

fn ids(conn: &Connection, sql: &str, values: impl Params) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map(values, |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plans;

    #[test]
    fn no_statement_about_grants_reads_a_table_from_end_to_end() {
        let page = Page { limit: 10, after: None };
        let all = plans::of(|conn| {
            let (now, hash) = (Micros(1), SecretHash::of("x"));
            by_handle(conn, &hash).unwrap();
            by_id(conn, "x").unwrap();
            list(conn, Some("u"), now, &page, &mut |_| true).unwrap();
            list(conn, None, now, &page, &mut |_| true).unwrap();
            count_of_user(conn, "u", now).unwrap();
            count_of_agent(conn, "a", now).unwrap();
            last_agent(conn, "u", "c").unwrap();
            uses_client(conn, &hash, now).unwrap();
            of_client(conn, &hash).unwrap();
            given_by(conn, "u").unwrap();
            orphaned(conn, now, 10).unwrap();
        });
        assert!(all.len() >= 11);
        // Only the list of one user's grants may sort, and only while that user has few roles.
        assert_eq!(all.iter().filter(|(sql, _)| sql.contains(") v CROSS JOIN ")).count(), 1);
        for (sql, plan) in all {
            let bad = |line: &String| {
                // What a user's list starts from is little, so that list may sort.
                let is_small = sql.contains(") v CROSS JOIN ");
                let is_bounded =
                    ["CONSTANT", "SCAN g"].iter().any(|whole| line.contains(whole)) || (is_small && line == "SCAN v");
                (line.starts_with("SCAN") && !is_bounded) || (line.contains("TEMP B-TREE") && !is_small)
            };
            assert!(!plan.iter().any(bad), "{sql}\n{plan:#?}");
            // Every scan of grants reads only live ones, or ends after the first row.
            let walks = plan.iter().filter(|line| line.contains("oauth_grants_by_"));
            for walk in walks {
                let is_partial = ["by_user", "by_age", "by_client"].iter().any(|name| walk.contains(name));
                assert!(is_partial || sql.contains("LIMIT 1)"), "{sql}\n{walk}");
            }
        }
    }

    #[test]
    fn a_grant_is_live_as_long_as_its_credential_is_active() {
        plans::of(|conn| {
            conn.execute_batch(
                "INSERT INTO credentials (id, kind, key_id, secret_hash, user_id, scopes, state, issued_by, issued_at,
                    expires_at)
                    VALUES ('g', 'oauth_grant', '0123456789', zeroblob(32), 'u', '[]', 'active', 'system', 1, 9);
                INSERT INTO oauth_grants (credential_id, handle_hash, refreshed_at, user_id, client_hash, client_name,
                    redirect_host, audience, words, created_at, ends_at)
                    VALUES ('g', zeroblob(32), 1, 'u', zeroblob(32), 'x', 'h', 'ax-api', 'tasks', 1, 9);",
            )
            .unwrap();
            let count = |now: i64| count_of_user(conn, "u", Micros(now)).unwrap();
            assert_eq!((count(1), count(9)), (1, 0));
            credentials::revoke(conn, "g", Micros(2)).unwrap();
            assert_eq!(count(1), 0);
            let live = "SELECT live FROM oauth_grants";
            assert_eq!(conn.query_row(live, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
        });
    }
}
