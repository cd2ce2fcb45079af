//! Creating agents. Owner, space and origin come from the caller.

use crate::access::{Principal, Scopes};
use crate::api::engine::call::Tx;
use crate::limits::AGENTS_OF_USER;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store::agents::{self, Agent, AgentOrigin, Ownership};
use crate::store::grants::{self, GrantRole, Grantee, On};
use crate::store::{self, StoreError, spaces};

/// The values that a new agent gets. The rest comes from the caller.
pub struct Birth<'a> {
    /// The slug.
    pub slug: String,
    /// The display name.
    pub display_name: String,
    /// The name that other dialects use for the agent.
    pub given_name: Option<String>,
    /// The way that the agent came to the box; derived from the caller if absent.
    pub origin: Option<AgentOrigin>,
    /// The agent's space, which was checked to belong to the caller; the owner's default space if absent.
    pub space_id: Option<String>,
    /// The scopes of the agent's tokens.
    pub scopes: &'a Scopes,
}

impl<'a> Birth<'a> {
    /// Returns the values of an agent with only names and scopes.
    pub fn named(slug: String, display_name: String, scopes: &'a Scopes) -> Self {
        Self { slug, display_name, given_name: None, origin: None, space_id: None, scopes }
    }
}

/// Returns a new agent, not stored yet, of the calling user or of the calling agent's owner.
///
/// # Errors
/// Any [`StoreError`].
pub fn fresh(tx: &Tx<'_>, birth: Birth<'_>) -> Result<Agent, ApiError> {
    let user = tx.caller.user();
    let space_id = match birth.space_id {
        Some(space_id) => space_id,
        None => spaces::default_of(tx.conn, &user.id)?,
    };
    // The agents that a user creates live in the user's space; those that an agent creates belong to the agent core.
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

/// Stores the agent, its owner's grant (and the creating agent's), and the audit row.
///
/// # Errors
/// `limit_reached`, `name_conflict`, `validation_error` if a constraint of the database refuses the row, or another
/// [`StoreError`].
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

/// Grants `owner` the role owner on an agent.
///
/// # Errors
/// Any [`StoreError`].
pub fn own(tx: &Tx<'_>, agent_id: &str, owner: &Grantee) -> store::Result<()> {
    grants::put(tx.conn, &store::new_id(), owner, &On::agent(agent_id), GrantRole::Owner, &tx.caller.actor(), tx.now)?;
    Ok(())
}

/// Turns the refusal of a row into an error of the request. It is logged, because a check before should have refused
/// it.
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
