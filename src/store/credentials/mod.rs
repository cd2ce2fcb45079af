//! Credentials: every secret the box has issued, as a hash with its binding, scopes and state.

mod agent_tokens;
mod descent;
mod holder;
mod sets;
mod upkeep;
mod user_tokens;

use rusqlite::{Connection, params};

pub use agent_tokens::{
    activate, active_hash, agent_token, delete_pending, end_all_of_agent, is_pending, others_of_agent, pending,
    retire_agent_token, revoke_agent_tokens, revoke_all_of_agent, revoked_since, set_agent_scopes, set_scopes,
};
pub use descent::{
    MadeCredential, MakerTerms, is_below, kept_below, living_below, made_by, reparent, revoke, scopes_of, terms_of,
};
pub use holder::{Holder, Holding, Lent, find, find_by_id, find_exchangeable, find_session};
pub use sets::{CredentialState, KeyAudience, KeyType};
pub use upkeep::{Of, add_fingerprints, expire, forget_dead, is_due, sweep, touch};
pub use user_tokens::{count_user_tokens, labelled, user_token, user_tokens};

use super::Result;
use super::row::record;
use crate::secret::{Issued, Kind};
use crate::time::Micros;

const INSERT: &str = "INSERT INTO credentials
    (id, kind, key_id, secret_hash, user_id, agent_id, scopes, label, state, issued_by, issued_at, expires_at,
        issuer_id, made_by)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?12, ?9, ?10, ?11, ?13, ?14)";

/// Who makes a credential, and with which one.
#[derive(Debug, Clone)]
pub struct Maker {
    /// As people know it: `user:NAME`, `agent:ID` or `system`.
    pub actor: String,
    /// By id: `user:ID` or `agent:ID`; `None` for the daemon itself.
    pub id: Option<String>,
    /// The credential; `None` on the operator's socket and for the daemon itself.
    pub credential: Option<String>,
}

impl Maker {
    /// The daemon itself.
    pub fn system() -> Self {
        Self { actor: "system".into(), id: None, credential: None }
    }
}

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
    pub state: CredentialState,
    /// Who issued it.
    pub maker: &'a Maker,
    /// When.
    pub issued_at: Micros,
    /// Until when it is good.
    pub expires_at: Option<Micros>,
}

record! {
    /// What is told about a credential: never its hash.
    pub struct Credential from "credentials" {
        /// The id.
        pub id: String = "id",
        /// The public name of the secret.
        pub key_id: String = "key_id",
        /// Its scopes as a JSON array.
        pub scopes: String = "scopes",
        /// What people call it.
        pub label: String = "label",
        /// Where it stands.
        pub state: CredentialState = "state",
        /// Who issued it.
        pub issued_by: String = "issued_by",
        /// When.
        pub issued_at: Micros = "issued_at",
        /// Until when it is good.
        pub expires_at: Option<Micros> = "expires_at",
        /// When it was last used, to the minute.
        pub last_used_at: Option<Micros> = "last_used_at",
    }
}

/// Stores a new credential; the oldest dead ones of its holder and kind make room.
///
/// # Errors
/// `Exists` for a second active token of an agent.
pub fn insert(conn: &Connection, new: &NewCredential<'_>) -> Result<()> {
    conn.prepare_cached(INSERT)?.execute(params![
        new.id,
        new.kind,
        new.issued.key_id,
        new.issued.hash.as_bytes(),
        new.user_id,
        new.agent_id,
        new.scopes,
        new.label,
        new.maker.actor,
        new.issued_at,
        new.expires_at,
        new.state,
        new.maker.id,
        new.maker.credential
    ])?;
    match (new.agent_id, new.user_id) {
        (Some(id), _) => forget_dead(conn, Of::Agent(id), new.kind),
        (None, Some(id)) => forget_dead(conn, Of::User(id), new.kind),
        (None, None) => Ok(()),
    }
}
