//! Creates keys: their scopes, their maximum number, and their rows (aX contract, sections 2 and 8).

use serde_json::{Value, json};

use super::fields::AUDIENCE;
use crate::access::Scopes;
use crate::access::scopes::ax_scopes;
use crate::api::agents::frozen;
use crate::api::engine::call::Tx;
use crate::api::engine::descent;
use crate::api::taos::scope;
use crate::limits::KEYS_OF_USER;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::secret::{AgentPat, Issued, Kind, UserPat, token_mark};
use crate::store;
use crate::store::agents::Agent;
use crate::store::credentials::{CredentialState, KeyAudience, Maker};
use crate::store::keys::{self, NewPat, PatRecord};
use crate::time::Micros;

/// A key to create.
pub struct KeyRequest {
    /// The kind of key: a user's, an agent's, or an enrollment.
    pub kind: Kind,
    /// The id of the agent that it is bound to.
    pub agent_id: Option<String>,
    /// The scopes of the key.
    pub scopes: Scopes,
    /// Whether it may be exchanged for a manager's token.
    pub admin: bool,
    /// The name that people gave it.
    pub label: String,
    /// The audience of its tokens.
    pub audience: KeyAudience,
    /// The ids of the agents that it is restricted to; `None` for all.
    pub only_agents: Option<Vec<String>>,
    /// The id of the space of an enrollment's future agent.
    pub space_id: Option<String>,
    /// The lifetime in microseconds.
    pub lifetime: i64,
    /// The maker. A user's key and an enrollment depend on the maker's credential.
    pub maker: Maker,
}

/// Refuses a key that would exceed the maximum number.
///
/// # Errors
/// `cleanup_required`, or a `StoreError`.
pub fn check_count(tx: &Tx<'_>, max_of_agent: u64, user_id: &str, agent_id: Option<&str>) -> Result<(), ApiError> {
    let (count, max, whose) = match agent_id {
        Some(id) => (keys::count_of_agent(tx.conn, id, tx.now)?, max_of_agent, "agent"),
        None => (keys::count_of_user(tx.conn, user_id, tx.now)?, KEYS_OF_USER, "user"),
    };
    if count < max {
        return Ok(());
    }
    Err(ApiError::new(codes::CLEANUP_REQUIRED)
        .detail(format!("The {whose} has {count} active keys; at most {max} are allowed."))
        .with("active", count)
        .with("max", max))
}

/// Creates the key with its audit row, and returns its record with the token, which is never shown again.
///
/// # Errors
/// `agent_frozen`, 401 if the maker's credential has ended, or a `StoreError`.
pub fn make(tx: &Tx<'_>, user_id: &str, wanted: &KeyRequest) -> Result<Value, ApiError> {
    let issued: Issued = if wanted.kind == Kind::UserPat { UserPat::generate() } else { AgentPat::generate() };
    let id = store::new_id();
    let only = wanted.only_agents.as_ref().map(|ids| Value::from(ids.clone()).to_string());
    let bound = wanted.kind == Kind::AgentPat;
    if let Some(agent) = &wanted.agent_id {
        frozen::refuse_by_id(tx.conn, agent)?;
    }
    let wished = tx.now.plus(wanted.lifetime);
    let expires_at = if bound { wished } else { descent::end(tx, &wanted.maker, wished)? };
    let new = NewPat {
        id: &id,
        kind: wanted.kind,
        issued: &issued,
        user_id: (!bound).then_some(user_id),
        agent_id: wanted.agent_id.as_deref(),
        scopes: &wanted.scopes.stored(),
        label: &wanted.label,
        audience: wanted.audience,
        admin: wanted.admin,
        only_agents: only.as_deref(),
        space_id: wanted.space_id.as_deref(),
        token_mark: &token_mark(issued.plaintext.reveal()),
        maker: &wanted.maker,
        issued_at: tx.now,
        expires_at,
    };
    keys::insert(tx.conn, &new)?;
    tx.audit(format!("credential:{id}"))?;
    let key = keys::by_id(tx.conn, &id)?.ok_or(codes::INTERNAL)?;
    let mut shown = show(&key, tx.now);
    shown["token"] = json!(issued.plaintext.reveal());
    shown["agent_id"] = json!(key.agent_id);
    Ok(shown)
}

/// Returns the record of a key as JSON.
pub fn show(key: &PatRecord, now: Micros) -> Value {
    let state = match key.state {
        CredentialState::Active | CredentialState::PendingEnrollment if key.expires_at <= now => {
            CredentialState::Expired
        }
        state => state,
    };
    let only: Value = key.only_agents.as_deref().and_then(|list| serde_json::from_str(list).ok()).unwrap_or(json!([]));
    json!({
        "credential_id": key.id,
        "key_id": key.key_id,
        "name": key.label,
        "kind": key.kind,
        "audience": key.audience,
        "bound_agent_id": key.agent_id,
        "scopes": Scopes::from_stored(&key.scopes).texts(),
        "allowed_agent_ids": only,
        "lifecycle_state": state,
        "created_at": key.issued_at.micros(),
        "expires_at": key.expires_at.micros(),
        "last_used_at": key.last_used_at.map(Micros::micros),
        "revoked_at": key.revoked_at.map(Micros::micros),
        "created_by": key.issued_by,
        "made_by": key.made_by,
    })
}

/// Returns the audience of a key that this request creates: the requested one, or the default as far as the caller's
/// own key allows it.
///
/// # Errors
/// `scope_exceeds_issuer` if the caller's own key does not have the requested audience.
pub fn audience(tx: &Tx<'_>, default: KeyAudience) -> Result<KeyAudience, ApiError> {
    let (held, asked) = (tx.caller.audience(), tx.input.body.word(&AUDIENCE)?);
    match asked {
        None if held == KeyAudience::Both => Ok(default),
        None => Ok(held),
        Some(asked) => reaches(held, asked).map(|()| asked),
    }
}

/// Checks that the caller's own key has this audience.
///
/// # Errors
/// `scope_exceeds_issuer` if it does not.
pub fn reaches(held: KeyAudience, wanted: KeyAudience) -> Result<(), ApiError> {
    if held == KeyAudience::Both || held == wanted {
        return Ok(());
    }
    Err(ApiError::new(codes::SCOPE_EXCEEDS_ISSUER)
        .detail(format!("The caller's own key is for the audience {held} and makes none for {wanted}."))
        .with("audience", held.slug()))
}

/// Returns the scopes of an agent's key that this request creates: the requested ones, or the agents' default, as far
/// as the caller and the agent's owner allow it.
///
/// # Errors
/// `invalid_request`, `scope_exceeds_issuer`.
pub fn scopes_for_agent(tx: &Tx<'_>, agent: Option<&Agent>, asked: Option<Vec<&str>>) -> Result<Scopes, ApiError> {
    let issuer = tx.caller.issuer_scopes();
    let scopes = match asked {
        None => {
            let default = ax_scopes::agent_default(issuer);
            agent.map_or_else(|| default.clone(), |agent| default.intersection(&Scopes::of_agent(&agent.scope)))
        }
        Some(entries) => {
            let (scopes, _) = ax_scopes::parse(crate::access::Class::Agent, entries)?;
            exceeds(&ax_scopes::issuer_of_agents(issuer), &scopes)?;
            if let Some(agent) = agent {
                scope::within_agent(tx.conn, tx.caller, agent, Some(&scopes))?;
            }
            // The scopes are not narrowed to those that an agent's token can use.
            scopes
        }
    };
    if scopes.is_empty() { Err(codes::SCOPE_EXCEEDS_ISSUER.into()) } else { Ok(scopes) }
}

/// Returns the scopes of a user's key that this request creates, and whether it may be exchanged for a manager's token.
///
/// # Errors
/// `invalid_request`, `scope_exceeds_issuer`.
pub fn scopes_for_user(tx: &Tx<'_>, asked: Option<Vec<&str>>) -> Result<(Scopes, bool), ApiError> {
    let may = tx.caller.may_make_managers();
    let Some(entries) = asked else { return Ok((tx.caller.issuer_scopes().clone(), may)) };
    let (scopes, admin) = ax_scopes::parse(crate::access::Class::User, entries)?;
    exceeds(tx.caller.issuer_scopes(), &scopes)?;
    if admin && !may {
        return Err(ApiError::new(codes::SCOPE_EXCEEDS_ISSUER)
            .detail("Only a user's own token can make a key that may manage agents and credentials."));
    }
    Ok((scopes, admin))
}

fn exceeds(own: &Scopes, wanted: &Scopes) -> Result<(), ApiError> {
    match own.first_not_covered(wanted) {
        None => Ok(()),
        Some(scope) => Err(ApiError::new(codes::SCOPE_EXCEEDS_ISSUER)
            .detail(format!("The caller's own scopes do not cover {scope}."))
            .with("scope", scope)),
    }
}
