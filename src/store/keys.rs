//! Personal access tokens and enrollments: credentials that are exchanged, never used directly.

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use super::credentials::{CredentialState, KeyAudience, Maker, Of, forget_dead};
use super::page::{Page, Take, each};
use super::row::record;
use crate::secret::{Issued, Kind};
use crate::time::Micros;

const INSERT: &str =
    "INSERT INTO credentials (id, kind, key_id, secret_hash, user_id, agent_id, scopes, label, audience,
        admin, only_agents, space_id, token_mark, state, issued_by, issued_at, expires_at, issuer_id, made_by)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";
const IS_PAT: &str = "WHERE c.kind IN ('user_pat', 'agent_pat', 'enrollment')";
/// The most agents of one user whose keys a list sorts.
const FEW: u64 = 256;
const HAS_MANY_AGENTS: &str = "SELECT EXISTS (SELECT 1 FROM agents WHERE owner_user_id = ?1 LIMIT 1 OFFSET ?2)";
const OWN: &str = "(SELECT id FROM credentials WHERE user_id = ?1
    UNION ALL SELECT k.id FROM agents w CROSS JOIN credentials k ON k.agent_id = w.id AND k.kind = 'agent_pat'
        WHERE w.owner_user_id = ?1)";
const COUNT_OF_AGENT: &str = "SELECT count(*) FROM credentials
    WHERE agent_id = ?1 AND kind = 'agent_pat' AND state = 'active' AND expires_at > ?2";
const COUNT_OF_USER: &str = "SELECT count(*) FROM credentials WHERE user_id = ?1 AND expires_at > ?2
    AND ((kind = 'user_pat' AND state = 'active') OR state = 'pending_enrollment')";
const BIND: &str = "UPDATE credentials SET kind = 'agent_pat', agent_id = ?2, user_id = NULL, state = 'active',
        expires_at = ?3
    WHERE id = ?1 AND state = 'pending_enrollment'";
const HOST: &str = "SELECT host_binding FROM credentials WHERE id = ?1";
const MARK: &str = "SELECT token_mark FROM credentials WHERE id = ?1";
const SET_HOST: &str = "UPDATE credentials SET host_binding = ?2 WHERE id = ?1";

/// A key to be stored.
#[derive(Debug)]
pub struct NewPat<'a> {
    /// The id.
    pub id: &'a str,
    /// A user's or agent's key, or an enrollment.
    pub kind: Kind,
    /// The public name and the hash of the secret.
    pub issued: &'a Issued,
    /// The user that it acts for; for an enrollment, its issuer.
    pub user_id: Option<&'a str>,
    /// The agent that it stands for.
    pub agent_id: Option<&'a str>,
    /// Its scopes, as a JSON array.
    pub scopes: &'a str,
    /// The label for people.
    pub label: &'a str,
    /// The tokens that it may be exchanged for.
    pub audience: KeyAudience,
    /// Whether it may be exchanged for a manager's token.
    pub admin: bool,
    /// The agents it is restricted to, as a JSON array.
    pub only_agents: Option<&'a str>,
    /// The space an enrollment puts its agent into.
    pub space_id: Option<&'a str>,
    /// The first 16 hex digits of its SHA-256.
    pub token_mark: &'a str,
    /// Who issued it, and with which credential.
    pub maker: &'a Maker,
    /// When it was issued.
    pub issued_at: Micros,
    /// When it expires.
    pub expires_at: Micros,
}

record! {
    /// A key as shown to clients, never with its hash.
    pub struct PatRecord from "credentials c LEFT JOIN agents a ON a.id = c.agent_id" {
        /// The id.
        pub id: String = "c.id",
        /// The public name of the secret.
        pub key_id: String = "c.key_id",
        /// The kind: a user's or agent's key, or an enrollment.
        pub kind: Kind = "c.kind",
        /// The label for people.
        pub label: String = "c.label",
        /// The tokens that it may be exchanged for.
        pub audience: KeyAudience = "c.audience",
        /// Whether it may be exchanged for a manager's token.
        pub admin: bool = "c.admin",
        /// Its scopes, as a JSON array.
        pub scopes: String = "c.scopes",
        /// The agents it is restricted to, as a JSON array.
        pub only_agents: Option<String> = "c.only_agents",
        /// The space an enrollment puts its agent into.
        pub space_id: Option<String> = "c.space_id",
        /// The user that it acts for.
        pub user_id: Option<String> = "c.user_id",
        /// The agent that it stands for.
        pub agent_id: Option<String> = "c.agent_id",
        /// The state.
        pub state: CredentialState = "c.state",
        /// Who issued it.
        pub issued_by: String = "c.issued_by",
        /// When it was issued.
        pub issued_at: Micros = "c.issued_at",
        /// When it expires.
        pub expires_at: Micros = "c.expires_at",
        /// When it was last used, to the minute.
        pub last_used_at: Option<Micros> = "c.last_used_at",
        /// When it was revoked.
        pub revoked_at: Option<Micros> = "c.revoked_at",
        /// The id of its owner: the user, or the agent's owner.
        pub owner_user_id: String = "coalesce(c.user_id, a.owner_user_id)",
        /// The credential that it was made with.
        pub made_by: Option<String> = "c.made_by",
    }
}

/// Stores a new key; an enrollment waits to be bound. Deletes old dead keys of its holder if there are too many.
///
/// # Errors
/// Any `StoreError`.
pub fn insert(conn: &Connection, new: &NewPat<'_>) -> Result<()> {
    let state = if new.kind == Kind::Enrollment { CredentialState::PendingEnrollment } else { CredentialState::Active };
    conn.prepare_cached(INSERT)?.execute(params![
        new.id,
        new.kind,
        new.issued.key_id,
        new.issued.hash.as_bytes(),
        new.user_id,
        new.agent_id,
        new.scopes,
        new.label,
        new.audience,
        new.admin,
        new.only_agents,
        new.space_id,
        new.token_mark,
        state,
        new.maker.actor,
        new.issued_at,
        new.expires_at,
        new.maker.id,
        new.maker.credential
    ])?;
    match (new.agent_id, new.user_id) {
        (Some(id), _) => forget_dead(conn, Of::Agent(id), new.kind),
        (None, Some(id)) => forget_dead(conn, Of::User(id), new.kind),
        (None, None) => Ok(()),
    }
}

/// Returns the key with this id, in any state.
///
/// # Errors
/// Any `StoreError`.
pub fn by_id(conn: &Connection, id: &str) -> Result<Option<PatRecord>> {
    PatRecord::one(conn, &format!("{IS_PAT} AND c.id = ?1"), [id])
}

/// Passes the keys of a user and of the agents that the user owns to `take`, oldest first, in any state.
///
/// # Errors
/// Any `StoreError`.
pub fn of_user(conn: &Connection, user_id: &str, page: &Page, take: Take<'_, PatRecord>) -> Result<()> {
    // Starts from the user's own keys. If there are many agents, walks all keys by age instead.
    let has_many: bool = conn.prepare_cached(HAS_MANY_AGENTS)?.query_row(params![user_id, FEW], |row| row.get(0))?;
    let select = if has_many {
        PatRecord::SELECT.to_owned()
    } else {
        PatRecord::SELECT.replacen("FROM ", &format!("FROM {OWN} v CROSS JOIN "), 1)
    };
    let own = if has_many { "c.user_id = ?1 OR a.owner_user_id = ?1" } else { "c.id = v.id" };
    let sql = format!(
        "{select} {IS_PAT} AND c.audience IS NOT NULL AND ({own}) AND (c.issued_at, c.id) > (?2, ?3)
            ORDER BY c.issued_at, c.id LIMIT ?4"
    );
    let (at, id) = page.oldest_first();
    let mut statement = conn.prepare_cached(&sql)?;
    each(&mut statement, params![user_id, at, id, page.fetch()], PatRecord::read, take)
}

/// Returns the number of active keys of an agent.
///
/// # Errors
/// Any `StoreError`.
pub fn count_of_agent(conn: &Connection, agent_id: &str, now: Micros) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT_OF_AGENT)?.query_row(params![agent_id, now], |row| row.get(0))?)
}

/// Returns the number of active keys and open enrollments of a user.
///
/// # Errors
/// Any `StoreError`.
pub fn count_of_user(conn: &Connection, user_id: &str, now: Micros) -> Result<u64> {
    Ok(conn.prepare_cached(COUNT_OF_USER)?.query_row(params![user_id, now], |row| row.get(0))?)
}

/// Turns an open enrollment into the key of an agent. Returns false if it is not an open enrollment.
///
/// # Errors
/// Any `StoreError`.
pub fn bind(conn: &Connection, id: &str, agent_id: &str, expires_at: Micros) -> Result<bool> {
    Ok(conn.prepare_cached(BIND)?.execute(params![id, agent_id, expires_at])? > 0)
}

/// Returns the mark of a key, the first 16 hex digits of its SHA-256; `None` if the credential is not a key.
///
/// # Errors
/// Any `StoreError`.
pub fn mark(conn: &Connection, id: &str) -> Result<Option<String>> {
    Ok(conn.prepare_cached(MARK)?.query_row([id], |row| row.get(0)).optional()?.flatten())
}

/// Records the host that a credential is used on. Returns true if none was recorded before.
///
/// # Errors
/// Any `StoreError`.
pub fn set_host(conn: &Connection, id: &str, host: &str) -> Result<bool> {
    let before: Option<String> = conn.prepare_cached(HOST)?.query_row([id], |row| row.get(0))?;
    if before.as_deref() != Some(host) {
        conn.prepare_cached(SET_HOST)?.execute([id, host])?;
    }
    Ok(before.is_none())
}
