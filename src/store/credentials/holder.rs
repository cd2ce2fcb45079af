//! Who is behind a live credential: found by its hash at a request, by its id afterwards.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::secret::SecretHash;
use crate::store::Result;
use crate::store::users::{Role, User};
use crate::time::Micros;

const HOLDER: &str = "SELECT c.id, c.kind, c.scopes, c.expires_at,
        u.id, u.username, u.display_name, u.role, u.disabled, u.created_at, u.updated_at,
        a.id, a.slug, a.given_name, a.space_id,
        c.audience, c.admin, c.only_agents, c.space_id, c.token_mark, c.fingerprints, c.state, c.key_type,
        a.scope, c.parent_id, c.made_by, c.issuer_id
    FROM credentials c
    LEFT JOIN agents a ON a.id = c.agent_id
    LEFT JOIN users u ON u.id = coalesce(c.user_id, a.owner_user_id)";
const IS_ALIVE: &str = "c.state IN ('active', 'grace') AND c.revoked_at IS NULL
    AND (c.agent_id IS NULL OR (a.id IS NOT NULL AND a.archived_at IS NULL))
    AND (c.made_by IS NULL OR c.user_id IS NULL
        OR EXISTS (SELECT 1 FROM credentials m WHERE m.id = c.made_by AND m.state = 'active'))";
const OPEN: &str = "c.state = 'pending_enrollment' AND (c.made_by IS NULL
    OR EXISTS (SELECT 1 FROM credentials m WHERE m.id = c.made_by AND m.state = 'active'))";

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
    /// The token a session was opened with.
    pub parent_id: Option<String>,
    /// The credential it was made with.
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
    /// The name another dialect gave it.
    pub given_name: Option<String>,
    /// The space it lives in.
    pub space_id: String,
    /// What its owner lets it do now, as a JSON array: no credential of it is worth more.
    pub scope: String,
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
    let sql = format!("{HOLDER} WHERE c.secret_hash = ?1 AND (({OPEN}) OR ({IS_ALIVE}))");
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
            AND (p.made_by IS NULL OR EXISTS (SELECT 1 FROM credentials m WHERE m.id = p.made_by AND m.state = 'active'))
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
        Some(id) => Some(Holding {
            id,
            slug: row.get(12)?,
            given_name: row.get(13)?,
            space_id: row.get(14)?,
            scope: row.get(23)?,
        }),
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
        parent_id: row.get(24)?,
        made_by: row.get(25)?,
        issuer_id: row.get(26)?,
    })
}
