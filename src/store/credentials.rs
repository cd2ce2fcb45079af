//! Credentials: every secret the box has issued, as a hash with its binding, scopes and state.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Result;
use super::page::Page;
use super::users::{Role, User};
use crate::secret::{Issued, Kind, SecretHash};
use crate::time::Micros;

const INSERT: &str = "INSERT INTO credentials
    (id, kind, key_id, secret_hash, user_id, agent_id, scopes, label, state, issued_by, issued_at, expires_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?12, ?9, ?10, ?11)";
const HOLDER: &str = "SELECT c.id, c.kind, c.scopes, c.expires_at,
        u.id, u.username, u.display_name, u.role, u.disabled, u.created_at, u.updated_at,
        a.id, a.slug, a.given_name, a.space_id,
        c.audience, c.admin, c.only_agents, c.space_id, c.token_mark, c.fingerprints, c.state, c.key_type
    FROM credentials c
    LEFT JOIN agents a ON a.id = c.agent_id
    LEFT JOIN users u ON u.id = coalesce(c.user_id, a.owner_user_id)";
const IS_ALIVE: &str = "c.state IN ('active', 'grace') AND c.revoked_at IS NULL
    AND (c.agent_id IS NULL OR (a.id IS NOT NULL AND a.archived_at IS NULL))";
const COLUMNS: &str = "id, key_id, scopes, label, state, issued_by, issued_at, expires_at, last_used_at";
const REVOKE_AGENT_TOKENS: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?2
    WHERE agent_id = ?1 AND kind = 'agent_token' AND state IN ('pending', 'active', 'grace')";
const REVOKE_ALL_OF_AGENT: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?2
    WHERE agent_id = ?1 AND state NOT IN ('revoked', 'expired')";
const GRACE_AGENT_TOKEN: &str = "UPDATE credentials SET state = 'grace', expires_at = min(coalesce(expires_at, ?2), ?2)
    WHERE agent_id = ?1 AND kind = 'agent_token' AND state = 'active'";
const END_GRACE: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?2
    WHERE agent_id = ?1 AND kind = 'agent_token' AND state = 'grace'";
const END_ACTIVE: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?2
    WHERE agent_id = ?1 AND kind = 'agent_token' AND state = 'active'";
const SELECT_PENDING: &str =
    "SELECT id, secret_hash FROM credentials WHERE agent_id = ?1 AND kind = 'agent_token' AND state = 'pending'";
const SELECT_ACTIVE_HASH: &str = "SELECT secret_hash FROM credentials WHERE agent_id = ?1 AND kind = 'agent_token'
    AND state = 'active' AND (expires_at IS NULL OR expires_at > ?2)";
const REVOKED_SINCE: &str = "SELECT EXISTS (SELECT 1 FROM credentials
    WHERE agent_id = ?1 AND kind = 'agent_token' AND revoked_at >= ?2)";
const IS_PENDING: &str = "SELECT EXISTS (SELECT 1 FROM credentials WHERE id = ?1 AND state = 'pending')";
const ACTIVATE: &str = "UPDATE credentials SET state = 'active' WHERE id = ?1 AND state = 'pending'";
const DELETE_PENDING: &str =
    "DELETE FROM credentials WHERE agent_id = ?1 AND kind = 'agent_token' AND state = 'pending'";
const SET_AGENT_SCOPES: &str = "UPDATE credentials SET scopes = ?2
    WHERE agent_id = ?1 AND (kind = 'agent_token' OR key_type = 'internal') AND state IN ('active', 'grace')
        AND scopes <> ?2";
const REVOKE_USER_TOKEN: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?3
    WHERE id = ?1 AND user_id = ?2 AND kind = 'user_token' AND state = 'active'";
const TOUCH: &str = "UPDATE credentials SET last_used_at = ?2
    WHERE id = ?1 AND state IN ('active', 'grace') AND coalesce(last_used_at, 0) < ?2";
const SELECT_FINGERPRINTS: &str = "SELECT fingerprints FROM credentials WHERE id = ?1";
const SET_FINGERPRINTS: &str = "UPDATE credentials SET fingerprints = ?2 WHERE id = ?1";
/// Fingerprints kept of one credential.
const FINGERPRINTS: usize = 16;
const EXPIRE: &str = "UPDATE credentials SET state = 'expired'
    WHERE expires_at < ?1 AND state IN ('active', 'grace', 'pending_enrollment')";
const EXPIRE_ONE: &str = "UPDATE credentials SET state = 'expired'
    WHERE id = ?1 AND expires_at <= ?2 AND state IN ('active', 'grace', 'pending_enrollment')";
const SWEEP: &str = "DELETE FROM credentials WHERE state IN ('revoked', 'expired')
    AND coalesce(revoked_at, expires_at) < ?1";

const IS_DUE: &str = "SELECT EXISTS (SELECT 1 FROM credentials WHERE expires_at < ?1
        AND state IN ('active', 'grace', 'pending_enrollment'))
    OR EXISTS (SELECT 1 FROM credentials WHERE state IN ('revoked', 'expired') AND coalesce(revoked_at, expires_at) < ?2)";
const REVOKE_LABELLED: &str = "UPDATE credentials SET state = 'revoked', revoked_at = ?3
    WHERE user_id = ?1 AND kind = 'user_token' AND label = ?2 AND state = 'active'";

/// A credential to be stored.
#[derive(Debug)]
pub struct NewCredential<'a> {
    /// The id.
    pub id: &'a str,
    /// The kind.
    pub kind: Kind,
    /// Key id and hash.
    pub issued: &'a Issued,
    /// The user it acts for.
    pub user_id: Option<&'a str>,
    /// The agent it is.
    pub agent_id: Option<&'a str>,
    /// Its scopes as a JSON array.
    pub scopes: &'a str,
    /// What people call it.
    pub label: &'a str,
    /// `active`, or `pending` until it is delivered.
    pub state: &'static str,
    /// Who issued it: `user:NAME`, `agent:ID` or `system`.
    pub issued_by: &'a str,
    /// When.
    pub issued_at: Micros,
    /// Until when it is good.
    pub expires_at: Option<Micros>,
}

/// A live credential found by its hash, with the principal behind it.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The credential's id.
    pub credential_id: String,
    /// Its kind's name.
    pub kind: String,
    /// Its scopes as a JSON array.
    pub scopes: String,
    /// Until when it is good; the caller of [`find`] compares with its clock.
    pub expires_at: Option<Micros>,
    /// The user it acts for, or the owner of its agent.
    pub user: User,
    /// The agent it is.
    pub agent: Option<Holding>,
    /// What a personal access token may be exchanged for: `cli`, `mcp` or `both`.
    pub audience: Option<String>,
    /// Whether a personal access token may be exchanged for a management token.
    pub admin: bool,
    /// The agents it is restricted to, as a JSON array.
    pub only_agents: Option<String>,
    /// The space an enrollment puts its agent into.
    pub space_id: Option<String>,
    /// The first 16 hex digits of the secret's SHA-256, of personal access tokens.
    pub token_mark: Option<String>,
    /// The clients' fingerprints seen so far, as a JSON array.
    pub fingerprints: String,
    /// Its state's name.
    pub state: String,
    /// Of an agent's key, `internal` or `external`.
    pub key_type: Option<String>,
}

/// The agent behind a credential.
#[derive(Debug, Clone)]
pub struct Holding {
    /// The id.
    pub id: String,
    /// The slug.
    pub slug: String,
    /// The name another dialect gave it.
    pub given_name: Option<String>,
    /// The space it lives in.
    pub space_id: String,
}

/// What is told about a credential: never its hash.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The id.
    pub id: String,
    /// The public name of the secret.
    pub key_id: String,
    /// Its scopes as a JSON array.
    pub scopes: String,
    /// What people call it.
    pub label: String,
    /// Its state's name.
    pub state: String,
    /// Who issued it.
    pub issued_by: String,
    /// When.
    pub issued_at: Micros,
    /// Until when it is good.
    pub expires_at: Option<Micros>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Micros>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Credential> {
    Ok(Credential {
        id: row.get(0)?,
        key_id: row.get(1)?,
        scopes: row.get(2)?,
        label: row.get(3)?,
        state: row.get(4)?,
        issued_by: row.get(5)?,
        issued_at: row.get(6)?,
        expires_at: row.get(7)?,
        last_used_at: row.get(8)?,
    })
}

/// Stores a new credential.
///
/// # Errors
/// `Exists` for a second active token of an agent.
pub fn insert(conn: &Connection, new: &NewCredential<'_>) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![
        new.id,
        new.kind.as_str(),
        new.issued.key_id,
        new.issued.hash.as_bytes(),
        new.user_id,
        new.agent_id,
        new.scopes,
        new.label,
        new.issued_by,
        new.issued_at,
        new.expires_at,
        new.state
    ])?;
    Ok(())
}

/// The live credential with this hash: one indexed lookup. Expiry and a disabled user are the caller's to judge.
///
/// # Errors
/// The store's.
pub fn find(conn: &Connection, hash: &SecretHash) -> Result<Option<Holder>> {
    let sql = format!("{HOLDER} WHERE c.secret_hash = ?1 AND {IS_ALIVE}");
    Ok(conn.prepare_cached(&sql)?.query_row([hash.as_bytes().as_slice()], read_holder).optional()?)
}

/// Like [`find`], and also an enrollment that is not bound yet: what may be exchanged.
///
/// # Errors
/// The store's.
pub fn find_exchangeable(conn: &Connection, hash: &SecretHash) -> Result<Option<Holder>> {
    let sql = format!("{HOLDER} WHERE c.secret_hash = ?1 AND (c.state = 'pending_enrollment' OR ({IS_ALIVE}))");
    Ok(conn.prepare_cached(&sql)?.query_row([hash.as_bytes().as_slice()], read_holder).optional()?)
}

/// The live session with this hash, if the token it was opened with lives too.
///
/// # Errors
/// The store's.
pub fn find_session(conn: &Connection, hash: &SecretHash, now: Micros) -> Result<Option<Holder>> {
    let sql = format!(
        "{HOLDER} JOIN credentials p ON p.id = c.parent_id AND p.state = 'active'
            AND (p.expires_at IS NULL OR p.expires_at > ?2)
        WHERE c.secret_hash = ?1 AND {IS_ALIVE}"
    );
    Ok(conn.prepare_cached(&sql)?.query_row(params![hash.as_bytes().as_slice(), now], read_holder).optional()?)
}

/// The live credential of this id.
///
/// # Errors
/// The store's.
pub fn find_by_id(conn: &Connection, id: &str) -> Result<Option<Holder>> {
    // A session lives no longer than the token it was opened with.
    let sql = format!(
        "{HOLDER} WHERE c.id = ?1 AND {IS_ALIVE} AND (c.parent_id IS NULL
            OR EXISTS (SELECT 1 FROM credentials p WHERE p.id = c.parent_id AND p.state = 'active'))"
    );
    Ok(conn.prepare_cached(&sql)?.query_row([id], read_holder).optional()?)
}

fn read_holder(row: &Row<'_>) -> rusqlite::Result<Holder> {
    let agent = match row.get::<_, Option<String>>(11)? {
        None => None,
        Some(id) => Some(Holding { id, slug: row.get(12)?, given_name: row.get(13)?, space_id: row.get(14)? }),
    };
    Ok(Holder {
        credential_id: row.get(0)?,
        kind: row.get(1)?,
        scopes: row.get(2)?,
        expires_at: row.get(3)?,
        user: User {
            id: row.get(4)?,
            username: row.get(5)?,
            display_name: row.get(6)?,
            role: Role::named(row.get_ref(7)?.as_str()?),
            disabled: row.get(8)?,
            created_at: row.get(9)?,
            updated_at: row.get(10)?,
        },
        agent,
        audience: row.get(15)?,
        admin: row.get(16)?,
        only_agents: row.get(17)?,
        space_id: row.get(18)?,
        token_mark: row.get(19)?,
        fingerprints: row.get(20)?,
        state: row.get(21)?,
        key_type: row.get(22)?,
    })
}

/// An agent's token in a state: the active one, or the one in its grace.
///
/// # Errors
/// The store's.
pub fn agent_token(conn: &Connection, agent_id: &str, state: &str) -> Result<Option<Credential>> {
    let sql = format!("SELECT {COLUMNS} FROM credentials WHERE agent_id = ?1 AND kind = 'agent_token' AND state = ?2");
    Ok(conn.prepare_cached(&sql)?.query_row([agent_id, state], read).optional()?)
}

/// Revokes every token an agent holds: active, in grace or being delivered. How many there were.
///
/// # Errors
/// The store's.
pub fn revoke_agent_tokens(conn: &Connection, agent_id: &str, now: Micros) -> Result<usize> {
    Ok(conn.prepare_cached(REVOKE_AGENT_TOKENS)?.execute(params![agent_id, now])?)
}

/// Revokes every credential of any kind an agent holds. How many there were.
///
/// # Errors
/// The store's.
pub fn revoke_all_of_agent(conn: &Connection, agent_id: &str, now: Micros) -> Result<usize> {
    Ok(conn.prepare_cached(REVOKE_ALL_OF_AGENT)?.execute(params![agent_id, now])?)
}

/// Ends the tokens an agent has; its active one only after `grace` microseconds, if it is to have a grace. Until when
/// that goes on working. A token that waits for its delivery stays.
///
/// # Errors
/// The store's.
pub fn retire_agent_token(conn: &Connection, agent_id: &str, grace: i64, now: Micros) -> Result<Option<Micros>> {
    conn.prepare_cached(END_GRACE)?.execute(params![agent_id, now])?;
    let active = agent_token(conn, agent_id, "active")?;
    if let Some(active) = active.filter(|token| grace > 0 && token.expires_at.is_none_or(|at| at > now)) {
        let until = active.expires_at.map_or(now.plus(grace), |at| at.min(now.plus(grace)));
        conn.prepare_cached(GRACE_AGENT_TOKEN)?.execute(params![agent_id, until])?;
        return Ok(Some(until));
    }
    conn.prepare_cached(END_ACTIVE)?.execute(params![agent_id, now])?;
    Ok(None)
}

/// The id and hash of the token that waits for its delivery to this agent.
///
/// # Errors
/// The store's.
pub fn pending(conn: &Connection, agent_id: &str) -> Result<Option<(String, SecretHash)>> {
    let found = conn
        .prepare_cached(SELECT_PENDING)?
        .query_row([agent_id], |row| Ok((row.get(0)?, SecretHash::from_stored(row.get(1)?))));
    Ok(found.optional()?)
}

/// The hash of an agent's active token.
///
/// # Errors
/// The store's.
pub fn active_hash(conn: &Connection, agent_id: &str, now: Micros) -> Result<Option<SecretHash>> {
    let found = conn.prepare_cached(SELECT_ACTIVE_HASH)?.query_row(params![agent_id, now], |row| row.get(0));
    Ok(found.optional()?.map(SecretHash::from_stored))
}

/// True if a token of this agent's was revoked at or after `since`.
///
/// # Errors
/// The store's.
pub fn revoked_since(conn: &Connection, agent_id: &str, since: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(REVOKED_SINCE)?.query_row(params![agent_id, since], |row| row.get(0))?)
}

/// True while the credential waits for its delivery.
///
/// # Errors
/// The store's.
pub fn is_pending(conn: &Connection, id: &str) -> Result<bool> {
    Ok(conn.prepare_cached(IS_PENDING)?.query_row([id], |row| row.get(0))?)
}

/// Makes a delivered token the active one; the one before must be retired.
///
/// # Errors
/// `Exists` if there is an active one.
pub fn activate(conn: &Connection, id: &str) -> Result<()> {
    conn.prepare_cached(ACTIVATE)?.execute([id])?;
    Ok(())
}

/// Forgets the tokens that wait for their delivery to this agent.
///
/// # Errors
/// The store's.
pub fn delete_pending(conn: &Connection, agent_id: &str) -> Result<()> {
    conn.prepare_cached(DELETE_PENDING)?.execute([agent_id])?;
    Ok(())
}

/// Gives an agent's live tokens these scopes. How many had others.
///
/// # Errors
/// The store's.
pub fn set_agent_scopes(conn: &Connection, agent_id: &str, scopes: &str) -> Result<usize> {
    Ok(conn.prepare_cached(SET_AGENT_SCOPES)?.execute([agent_id, scopes])?)
}

/// A user's live tokens, oldest first.
///
/// # Errors
/// The store's.
pub fn user_tokens(conn: &Connection, user_id: &str, page: &Page) -> Result<Vec<Credential>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM credentials WHERE user_id = ?1 AND kind = 'user_token' AND state = 'active'
            AND (issued_at, id) > (?2, ?3) ORDER BY issued_at, id LIMIT ?4"
    );
    let (at, id) = page.oldest_first();
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map(params![user_id, at, id, page.fetch()], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Revokes one token of a user. False if it has no such live token.
///
/// # Errors
/// The store's.
pub fn revoke_user_token(conn: &Connection, id: &str, user_id: &str, now: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(REVOKE_USER_TOKEN)?.execute(params![id, user_id, now])? > 0)
}

/// Revokes a user's tokens of this label.
///
/// # Errors
/// The store's.
pub fn revoke_labelled(conn: &Connection, user_id: &str, label: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(REVOKE_LABELLED)?.execute(params![user_id, label, now])?;
    Ok(())
}

/// True if [`sweep`] may find something.
///
/// # Errors
/// The store's.
pub fn is_due(conn: &Connection, now: Micros, before: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(IS_DUE)?.query_row([now, before], |row| row.get(0))?)
}

/// Notes when live credentials were last used; a time never goes back and a dead row is never touched.
///
/// # Errors
/// The store's.
pub fn touch(conn: &Connection, used: &[(String, Micros)]) -> Result<()> {
    let mut statement = conn.prepare_cached(TOUCH)?;
    for (id, at) in used {
        statement.execute(params![id, at])?;
    }
    Ok(())
}

/// Adds fingerprints seen, up to as many as are kept.
///
/// # Errors
/// The store's.
pub fn add_fingerprints(conn: &Connection, seen: &[(String, Vec<String>)]) -> Result<()> {
    for (id, new) in seen {
        let stored: Option<String> =
            conn.prepare_cached(SELECT_FINGERPRINTS)?.query_row([id], |row| row.get(0)).optional()?;
        let Some(stored) = stored else { continue };
        let mut all: Vec<String> = serde_json::from_str(&stored).unwrap_or_default();
        all.extend(new.iter().cloned());
        all.truncate(FINGERPRINTS);
        let json = serde_json::Value::from(all).to_string();
        conn.prepare_cached(SET_FINGERPRINTS)?.execute([id, &json])?;
    }
    Ok(())
}

/// Marks a credential as expired, if it is.
///
/// # Errors
/// The store's.
pub fn expire(conn: &Connection, id: &str, now: Micros) -> Result<()> {
    conn.prepare_cached(EXPIRE_ONE)?.execute(params![id, now])?;
    Ok(())
}

/// Marks what has expired and removes dead rows older than `before`. How many rows changed.
///
/// # Errors
/// The store's.
pub fn sweep(conn: &Connection, now: Micros, before: Micros) -> Result<usize> {
    let expired = conn.prepare_cached(EXPIRE)?.execute([now])?;
    Ok(expired + conn.prepare_cached(SWEEP)?.execute([before])?)
}
