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
    LISTED, MadeCredential, MakerTerms, end_of_successor, is_below, kept_below, living_below, made_by, reparent,
    revoke, scopes_of, terms_of,
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
    /// The name that people know: `user:NAME`, `agent:ID` or `system`.
    pub actor: String,
    /// The id: `user:ID` or `agent:ID`; `None` for the daemon itself.
    pub id: Option<String>,
    /// The id of the credential; `None` on the operator's socket and for the daemon itself.
    pub credential: Option<String>,
}

impl Maker {
    /// Returns the daemon itself as the maker.
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
    /// The key id and hash of the secret.
    pub issued: &'a Issued,
    /// The id of the user that it acts for.
    pub user_id: Option<&'a str>,
    /// The id of the agent that it stands for.
    pub agent_id: Option<&'a str>,
    /// Its scopes as a JSON array.
    pub scopes: &'a str,
    /// The label.
    pub label: &'a str,
    /// `active`, or `pending` until it is delivered.
    pub state: CredentialState,
    /// Who issued it.
    pub maker: &'a Maker,
    /// The time of issue.
    pub issued_at: Micros,
    /// The time of its expiry, if it has one.
    pub expires_at: Option<Micros>,
}

record! {
    /// The data of a credential to show, never its hash.
    pub struct Credential from "credentials" {
        /// The id.
        pub id: String = "id",
        /// The public name of the secret.
        pub key_id: String = "key_id",
        /// Its scopes as a JSON array.
        pub scopes: String = "scopes",
        /// The label.
        pub label: String = "label",
        /// The state.
        pub state: CredentialState = "state",
        /// The name of the one who issued it.
        pub issued_by: String = "issued_by",
        /// The time of issue.
        pub issued_at: Micros = "issued_at",
        /// The time of its expiry, if it has one.
        pub expires_at: Option<Micros> = "expires_at",
        /// When it was last used, to the minute.
        pub last_used_at: Option<Micros> = "last_used_at",
    }
}

/// Stores a new credential, and deletes the oldest dead ones of the same holder and kind if there are too many.
///
/// # Errors
/// `StoreError::Exists` for a second active token of an agent.
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
