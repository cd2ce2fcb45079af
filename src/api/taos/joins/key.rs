//! The key of an approved join: made when its caller fetches it, shown to nobody else, and only once.

use serde_json::{Value, json};

use crate::access::Scopes;
use crate::api::agents::frozen;
use crate::api::engine::call::Tx;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::secret::{AgentPat, Kind, SecretHash, token_mark};
use crate::store::agents::{self, Agent};
use crate::store::audit::{self, Actor, AuditEntry};
use crate::store::credentials::{self, KeyAudience, Maker};
use crate::store::joins::{self as rows, Join};
use crate::store::keys::{self, NewPat};
use crate::store::requests::RequestState;
use crate::store::{self, users};
use crate::time::Micros;

/// The life of the key, which is the default of keys.
const LIFE: i64 = 90 * Micros::DAY;

/// Refuses a key beyond the agent's maximum.
///
/// # Errors
/// `cleanup_required`, or a `StoreError`.
pub(super) fn has_room(tx: &Tx<'_>, most: u64, agent: &Agent) -> Result<(), ApiError> {
    let count = keys::count_of_agent(tx.conn, &agent.id, tx.now)?;
    if count < most {
        return Ok(());
    }
    Err(ApiError::new(codes::CLEANUP_REQUIRED)
        .detail(format!("The agent has {count} active keys; at most {most} are allowed."))
        .with("active", count)
        .with("max", most))
}

/// Makes and returns the key of an approved join; `None` if nobody has decided.
///
/// # Errors
/// `access_denied`, `expired_token`, `agent_frozen`, or a `StoreError`.
pub fn fetch(
    conn: &rusqlite::Connection,
    device: &SecretHash,
    request_id: &str,
    now: Micros,
) -> Result<Option<Value>, ApiError> {
    let Some(join) = rows::by_device(conn, device)? else { return Ok(None) };
    if join.state != RequestState::Approved {
        return Err(denied(join.note));
    }
    let (Some(agent_id), Some(scopes)) = (&join.agent_id, &join.scopes) else { return Err(codes::INTERNAL.into()) };
    let agent = agents::by_id(conn, agent_id)?.ok_or(codes::ACCESS_DENIED)?.agent;
    still_good(conn, &join, &agent, now)?;
    frozen::refuse(&agent)?;
    if !rows::fetch(conn, &join.id, now)? {
        return Err(codes::EXPIRED_TOKEN.into());
    }
    let (id, issued, expires_at) = (store::new_id(), AgentPat::generate(), now.plus(LIFE));
    let decider = Actor { name: format!("user:{}", join.decided_by), id: Some(format!("user:{}", join.decider_id)) };
    let maker = Maker { actor: decider.name.clone(), id: decider.id.clone(), credential: join.made_by.clone() };
    keys::insert(
        conn,
        &NewPat {
            id: &id,
            kind: Kind::AgentPat,
            issued: &issued,
            user_id: None,
            agent_id: Some(agent_id),
            scopes,
            label: &format!("join {}", join.code),
            audience: KeyAudience::Both,
            admin: false,
            only_agents: None,
            space_id: None,
            token_mark: &token_mark(issued.plaintext.reveal()),
            maker: &maker,
            issued_at: now,
            expires_at,
        },
    )?;
    audit::append(conn, &AuditEntry::new(decider, "joins.fetch", format!("credential:{id}"), request_id).at(now))?;
    Ok(Some(json!({
        "access_token": issued.plaintext.reveal(),
        "token_type": "pat",
        "credential_id": id,
        "agent_id": agent.id,
        "agent_name": agent.given_name.unwrap_or(agent.slug),
        "space_id": agent.space_id,
        "scopes": Scopes::from_stored(scopes).texts(),
        "expires_at": expires_at.millis(),
    })))
}

fn denied(note: Option<String>) -> ApiError {
    ApiError::new(codes::ACCESS_DENIED).with("note", note)
}

/// Checks that the decider could still decide, with the credential of the decision: an approval counts only as long as
/// that.
fn still_good(conn: &rusqlite::Connection, join: &Join, agent: &Agent, now: Micros) -> Result<(), ApiError> {
    if let Some(made_by) = &join.made_by
        && credentials::terms_of(conn, made_by, now)?.is_none()
    {
        return Err(codes::ACCESS_DENIED.into());
    }
    let user = users::by_id(conn, &join.decider_id)?.filter(|user| !user.disabled);
    match user {
        Some(user) if user.id == agent.owner_user_id || user.role == users::Role::Admin => Ok(()),
        _ => Err(codes::ACCESS_DENIED.into()),
    }
}
