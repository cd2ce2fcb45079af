//! Making keys: what they may do, how many there may be, and the rows they become (aX contract, sections 2 and 8).

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

/// A key to be made.
pub struct KeyRequest {
    /// A user's or agent's key, or an enrollment.
    pub kind: Kind,
    /// The agent it is bound to.
    pub agent_id: Option<String>,
    /// What it may do.
    pub scopes: Scopes,
    /// Whether it may be exchanged for a manager's token.
    pub admin: bool,
    /// What people call it.
    pub label: String,
    /// What it may be exchanged for.
    pub audience: KeyAudience,
    /// The agents it is restricted to.
    pub only_agents: Option<Vec<String>>,
    /// The space of an enrollment's agent.
    pub space_id: Option<String>,
    /// Microseconds it is good for.
    pub lifetime: i64,
    /// Who makes it. A user's key and an enrollment live by the credential in it.
    pub maker: Maker,
}

/// Refuses a key that would be one too many.
///
/// # Errors
/// `cleanup_required`, or the store's.
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

/// Makes the key, with its audit row. What is shown of it: the record, and the token this once.
///
/// # Errors
/// The store's.
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

/// A key as told.
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

/// What a key made by this request may be exchanged for: what was asked for, or the default as far as the caller's own key
/// reaches.
///
/// # Errors
/// `scope_exceeds_issuer`.
pub fn audience(tx: &Tx<'_>, default: KeyAudience) -> Result<KeyAudience, ApiError> {
    let (held, asked) = (tx.caller.audience(), tx.input.body.word(&AUDIENCE)?);
    match asked {
        None if held == KeyAudience::Both => Ok(default),
        None => Ok(held),
        Some(asked) => reaches(held, asked).map(|()| asked),
    }
}

/// Lets an audience pass that the caller's own key has.
///
/// # Errors
/// `scope_exceeds_issuer`.
pub fn reaches(held: KeyAudience, wanted: KeyAudience) -> Result<(), ApiError> {
    if held == KeyAudience::Both || held == wanted {
        return Ok(());
    }
    Err(ApiError::new(codes::SCOPE_EXCEEDS_ISSUER)
        .detail(format!("The caller's own key is for the audience {held} and makes none for {wanted}."))
        .with("audience", held.slug()))
}

/// What an agent's key made by this request may do: what was asked for, or what agents do, as far as the caller and the
/// agent's owner let it.
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
            // What an agent's token can never do need not be in its key.
            scopes
        }
    };
    if scopes.is_empty() { Err(codes::SCOPE_EXCEEDS_ISSUER.into()) } else { Ok(scopes) }
}

/// What a user's key made by this request may do, and whether it is a manager's.
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
