//! Making agents. Owner, space and origin are always the caller's.

use crate::access::{Principal, Scopes};
use crate::api::engine::call::Tx;
use crate::limits::AGENTS_OF_USER;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store::agents::{self, Agent, AgentOrigin, Ownership};
use crate::store::grants::{self, GrantRole, Grantee, On};
use crate::store::{self, StoreError, spaces};

/// What a new agent is given; the rest comes from the caller.
pub struct Birth<'a> {
    /// The slug.
    pub slug: String,
    /// The name for people.
    pub display_name: String,
    /// The name other dialects know it by.
    pub given_name: Option<String>,
    /// Which way it came; the caller's own way if absent.
    pub origin: Option<AgentOrigin>,
    /// The space it lives in, which the caller was seen to own; the owner's default if absent.
    pub space_id: Option<String>,
    /// The scopes its tokens get.
    pub scopes: &'a Scopes,
}

impl<'a> Birth<'a> {
    /// An agent with nothing but its names.
    pub fn named(slug: String, display_name: String, scopes: &'a Scopes) -> Self {
        Self { slug, display_name, given_name: None, origin: None, space_id: None, scopes }
    }
}

/// A new agent that belongs to the caller, or to the owner of the agent that calls.
///
/// # Errors
/// The store's.
pub fn fresh(tx: &Tx<'_>, birth: Birth<'_>) -> Result<Agent, ApiError> {
    let user = tx.caller.user();
    let space_id = match birth.space_id {
        Some(space_id) => space_id,
        None => spaces::default_of(tx.conn, &user.id)?,
    };
    // People's agents live in their space; what an agent makes belongs to the core of agents.
    let origin = birth.origin.unwrap_or(match tx.caller.principal() {
        Principal::User(_) => AgentOrigin::SpaceAgent,
        Principal::Agent { .. } => AgentOrigin::Agentcore,
    });
    let owner = Ownership {
        user_id: user.id.clone(),
        username: user.username.clone(),
        space_id,
        origin,
        created_by: tx.caller.actor(),
    };
    let scopes = birth.scopes.stored();
    let mut agent = Agent::new(store::new_id(), birth.slug, birth.display_name, owner, scopes, tx.now);
    agent.given_name = birth.given_name;
    Ok(agent)
}

/// Adds the agent, its owner's grant (and the creating agent's), and the audit row.
///
/// # Errors
/// `limit_reached`, `name_conflict` or a refused input where the database would not have it, or the store's.
pub fn add(tx: &Tx<'_>, agent: &Agent) -> Result<(), ApiError> {
    if agents::count_of_owner(tx.conn, &agent.owner_user_id)? >= AGENTS_OF_USER {
        return Err(ApiError::limit_reached("agents of this owner", AGENTS_OF_USER));
    }
    agents::insert(tx.conn, agent).map_err(|error| refused(error, tx.caller.request_id()))?;
    let mut owners = vec![Grantee::User(agent.owner_user_id.clone())];
    owners.extend(tx.caller.agent_id().map(|id| Grantee::Agent(id.to_owned())));
    for owner in &owners {
        own(tx, &agent.id, owner)?;
    }
    Ok(tx.audit(format!("agent:{}", agent.id))?)
}

/// Gives somebody the role owner on an agent.
///
/// # Errors
/// The store's.
pub fn own(tx: &Tx<'_>, agent_id: &str, owner: &Grantee) -> store::Result<()> {
    grants::put(tx.conn, &store::new_id(), owner, &On::agent(agent_id), GrantRole::Owner, &tx.caller.actor(), tx.now)?;
    Ok(())
}

/// A row that a constraint refused is the request's fault, and ours for not having seen it before.
fn refused(error: StoreError, request_id: &str) -> ApiError {
    match error {
        StoreError::Exists(_) => codes::NAME_CONFLICT.into(),
        StoreError::Constraint(why) => {
            log::error!("request {request_id}: a new agent was refused by the database: {why}");
            ApiError::fields(vec![("agent".into(), "cannot be stored like this".into())])
        }
        other => other.into(),
    }
}
