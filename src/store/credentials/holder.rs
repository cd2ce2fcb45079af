//! The principal behind a live credential, found by the credential's hash at a request and by its id afterwards.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{CredentialState, KeyAudience, KeyType};
use crate::secret::{Kind, SecretHash};
use crate::store::Result;
use crate::store::row::Columns;
use crate::store::users::User;
use crate::time::Micros;

const OWN: &str = "c.id, c.kind, c.scopes, c.expires_at, c.audience, c.admin, c.only_agents, c.space_id, c.token_mark,
    c.fingerprints, c.state, c.key_type, c.parent_id, c.made_by, c.issuer_id";
const AGENT: &str = "a.id, a.slug, a.given_name, a.space_id, a.scope,
    (SELECT json_group_array(json_object('id', r.id, 'granted', json(r.granted), 'until', r.until)) FROM requests r
        WHERE r.agent_id = a.id AND r.state = 'approved' AND r.kind = 'scope'),
    a.frozen_at IS NOT NULL";
const FROM: &str = "FROM credentials c
    LEFT JOIN agents a ON a.id = c.agent_id
    LEFT JOIN users u ON u.id = coalesce(c.user_id, a.owner_user_id)";
const IS_ALIVE: &str = "c.state IN ('active', 'grace') AND c.revoked_at IS NULL
    AND (c.agent_id IS NULL OR (a.id IS NOT NULL AND a.archived_at IS NULL))
    AND (c.made_by IS NULL OR c.user_id IS NULL
        OR EXISTS (SELECT 1 FROM credentials m WHERE m.id = c.made_by AND m.state = 'active'))
    AND (c.kind <> 'oauth_grant' OR EXISTS (SELECT 1 FROM oauth_grants g JOIN users w ON w.id = g.user_id
        WHERE g.credential_id = c.id AND w.disabled = 0))";
const OPEN: &str = "c.state = 'pending_enrollment' AND (c.made_by IS NULL
    OR EXISTS (SELECT 1 FROM credentials m WHERE m.id = c.made_by AND m.state = 'active'))";

/// A live credential found by its hash, with the principal behind it.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The credential's id.
    pub credential_id: String,
    /// The kind.
    pub kind: Kind,
    /// Its scopes as a JSON array.
    pub scopes: String,
    /// The time of its expiry, if it has one; the caller of [`find`] compares it with its clock.
    pub expires_at: Option<Micros>,
    /// The user it acts for, or the owner of its agent.
    pub user: User,
    /// The agent that it stands for, if any.
    pub agent: Option<Holding>,
    /// What a personal access token may be exchanged for.
    pub audience: Option<KeyAudience>,
    /// Whether a personal access token may be exchanged for a management token.
    pub admin: bool,
    /// The agents it is restricted to, as a JSON array.
    pub only_agents: Option<String>,
    /// The id of the space that an enrollment puts its agent into.
    pub space_id: Option<String>,
    /// The first 16 hex digits of the secret's SHA-256, for personal access tokens.
    pub token_mark: Option<String>,
    /// The clients' fingerprints seen so far, as a JSON array.
    pub fingerprints: String,
    /// The state.
    pub state: CredentialState,
    /// What an agent's key is for.
    pub key_type: Option<KeyType>,
    /// The id of the token that opened this session.
    pub parent_id: Option<String>,
    /// The id of the credential that it was made with.
    pub made_by: Option<String>,
    /// Who issued it: `user:ID` or `agent:ID`.
    pub issuer_id: Option<String>,
}

/// The agent behind a credential.
#[derive(Debug, Clone)]
pub struct Holding {
    /// The id.
    pub id: String,
    /// The slug.
    pub slug: String,
    /// The name that another dialect gave it.
    pub given_name: Option<String>,
    /// The id of the space that it lives in.
    pub space_id: String,
    /// The scopes that its owner allows it now, as a JSON array; no credential of the agent can do more.
    pub scope: String,
    /// The scopes that approved requests give it for a time, as a JSON array of [`Lent`].
    pub lent: String,
    /// Whether it is frozen. Its credentials are then suspended, and the caller must refuse them.
    pub frozen: bool,
}

/// Scopes that an approved request gives an agent for a time.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Lent {
    /// The id of the request.
    pub id: String,
    /// The granted scopes.
    pub granted: LentScopes,
    /// The end in microseconds, if it has one; the caller compares it with its clock.
    pub until: Option<i64>,
}

/// The scopes of a [`Lent`].
#[derive(Debug, Clone, serde::Deserialize)]
pub struct LentScopes {
    /// The scopes.
    pub scope: Vec<String>,
}

impl Holding {
    /// Returns what approved requests give the agent, even past its end. Unreadable JSON gives nothing.
    pub fn lent(&self) -> Vec<Lent> {
        if self.lent == "[]" { Vec::new() } else { serde_json::from_str(&self.lent).unwrap_or_default() }
    }
}

impl Holder {
    /// True while the agent behind it is frozen.
    pub fn is_frozen(&self) -> bool {
        self.agent.as_ref().is_some_and(|agent| agent.frozen)
    }
}

/// Finds the live credential with this hash, in one indexed lookup. The caller must check the expiry, a disabled user
/// and a frozen agent.
///
/// # Errors
/// Any `StoreError`.
pub fn find(conn: &Connection, hash: &SecretHash) -> Result<Option<Holder>> {
    let sql = select(&format!("WHERE c.secret_hash = ?1 AND {IS_ALIVE}"));
    Ok(conn.prepare_cached(&sql)?.query_row([hash.as_bytes().as_slice()], read_holder).optional()?)
}

/// Like [`find`], but also finds an enrollment that is not bound yet: all that can be exchanged.
///
/// # Errors
/// Any `StoreError`.
pub fn find_exchangeable(conn: &Connection, hash: &SecretHash) -> Result<Option<Holder>> {
    let sql = select(&format!("WHERE c.secret_hash = ?1 AND (({OPEN}) OR ({IS_ALIVE}))"));
    Ok(conn.prepare_cached(&sql)?.query_row([hash.as_bytes().as_slice()], read_holder).optional()?)
}

/// Finds the live session with this hash, if the token that opened it is live too.
///
/// # Errors
/// Any `StoreError`.
pub fn find_session(conn: &Connection, hash: &SecretHash, now: Micros) -> Result<Option<Holder>> {
    let sql = select(&format!(
        "JOIN credentials p ON p.id = c.parent_id AND p.state = 'active'
            AND (p.expires_at IS NULL OR p.expires_at > ?2)
            AND (p.made_by IS NULL OR EXISTS (SELECT 1 FROM credentials m WHERE m.id = p.made_by AND m.state = 'active'))
        WHERE c.secret_hash = ?1 AND {IS_ALIVE}"
    ));
    Ok(conn.prepare_cached(&sql)?.query_row(params![hash.as_bytes().as_slice(), now], read_holder).optional()?)
}

/// Finds the live credential with this id.
///
/// # Errors
/// Any `StoreError`.
pub fn find_by_id(conn: &Connection, id: &str) -> Result<Option<Holder>> {
    // A session lives no longer than the token that opened it.
    let sql = select(&format!(
        "WHERE c.id = ?1 AND {IS_ALIVE} AND (c.parent_id IS NULL
            OR EXISTS (SELECT 1 FROM credentials p WHERE p.id = c.parent_id AND p.state = 'active'))"
    ));
    Ok(conn.prepare_cached(&sql)?.query_row([id], read_holder).optional()?)
}

fn select(rest: &str) -> String {
    format!("SELECT {OWN}, {}, {AGENT} {FROM} {rest}", User::COLUMNS)
}

fn read_holder(row: &Row<'_>) -> rusqlite::Result<Holder> {
    let mut columns = Columns::of(row);
    Ok(Holder {
        credential_id: columns.next()?,
        kind: columns.next()?,
        scopes: columns.next()?,
        expires_at: columns.next()?,
        audience: columns.next()?,
        admin: columns.next()?,
        only_agents: columns.next()?,
        space_id: columns.next()?,
        token_mark: columns.next()?,
        fingerprints: columns.next()?,
        state: columns.next()?,
        key_type: columns.next()?,
        parent_id: columns.next()?,
        made_by: columns.next()?,
        issuer_id: columns.next()?,
        user: User::take(&mut columns)?,
        agent: read_agent(&mut columns)?,
    })
}

/// Reads the agent from the last columns, if there is one.
fn read_agent(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Option<Holding>> {
    let Some(id) = columns.next()? else { return Ok(None) };
    Ok(Some(Holding {
        id,
        slug: columns.next()?,
        given_name: columns.next()?,
        space_id: columns.next()?,
        scope: columns.next()?,
        lent: columns.next()?,
        frozen: columns.next()?,
    }))
}
