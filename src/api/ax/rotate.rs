//! Rotates a key: the successor has the same rights and depends on the same credential, and the credentials that the
//! key made then depend on the successor (aX contract, sections 2 and 8).

use super::issue::{self, KeyRequest};
use super::keys::find;
use crate::access::Scopes;
use crate::access::scopes::ax_scopes;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::reply::Reply;
use crate::secret::Kind;
use crate::store::credentials::{self, CredentialState, Maker};
use crate::store::keys::PatRecord;

pub(super) fn rotate(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let key = find(tx.conn, tx.caller, tx.input.param(0))?;
        if key.state != CredentialState::Active || key.expires_at <= tx.now || key.kind == Kind::Enrollment {
            return Err(ApiError::new(codes::CREDENTIAL_NOT_FOUND).detail("Only an active key can be rotated."));
        }
        check_not_wider(tx, &key)?;
        let maker = hanging(tx, &key)?;
        let old = key.id.clone();
        credentials::revoke(tx.conn, &old, tx.now)?;
        let wanted = KeyRequest {
            kind: if key.agent_id.is_some() { Kind::AgentPat } else { Kind::UserPat },
            agent_id: key.agent_id,
            scopes: Scopes::from_stored(&key.scopes),
            admin: key.admin,
            label: key.label,
            audience: key.audience,
            only_agents: key.only_agents.as_deref().and_then(|list| serde_json::from_str(list).ok()),
            space_id: key.space_id,
            lifetime: key.expires_at.0 - key.issued_at.0,
            maker,
        };
        let made = issue::make(tx, &key.owner_user_id, &wanted)?;
        // The credentials that the old key made now depend on its successor.
        credentials::reparent(tx.conn, &old, made["credential_id"].as_str(), tx.now)?;
        Ok(Reply::ok(&made))
    })
}

/// Returns the maker that the successor of a key depends on. It is the key's own maker if the key is the caller's own
/// or was made with it. Otherwise it is the caller's credential, because the caller now knows the secret.
fn hanging(tx: &Tx<'_>, key: &PatRecord) -> Result<Maker, ApiError> {
    let caller = tx.caller.maker();
    let Some(own) = caller.credential.as_deref().filter(|_| key.agent_id.is_none()) else {
        let credential = caller.credential.or_else(|| key.made_by.clone());
        return Ok(Maker { credential, actor: caller.actor, id: caller.id });
    };
    if own == key.id || credentials::is_below(tx.conn, &key.id, own)? {
        return Ok(Maker { credential: key.made_by.clone(), ..caller });
    }
    if credentials::is_below(tx.conn, own, &key.id)? {
        return Err(ApiError::new(codes::INSUFFICIENT_SCOPE)
            .detail("This key made the caller's own key, so the caller cannot rotate it."));
    }
    Ok(caller)
}

/// Checks that the key has no more rights than the caller, because the caller gets the new key.
fn check_not_wider(tx: &Tx<'_>, key: &PatRecord) -> Result<(), ApiError> {
    let scopes = Scopes::from_stored(&key.scopes);
    let own = match key.agent_id {
        Some(_) => ax_scopes::issuer_of_agents(tx.caller.issuer_scopes()),
        None => tx.caller.issuer_scopes().clone(),
    };
    let restricted = match (tx.caller.only_agents(), &key.only_agents) {
        (None, _) => true,
        (Some(_), None) => key.agent_id.is_some(),
        (Some(own), Some(list)) => {
            serde_json::from_str::<Vec<String>>(list).is_ok_and(|ids| ids.iter().all(|id| own.contains(id)))
        }
    };
    let reaches = issue::reaches(tx.caller.audience(), key.audience).is_ok();
    if restricted
        && reaches
        && own.first_not_covered(&scopes).is_none()
        && (!key.admin || tx.caller.may_make_managers())
    {
        return Ok(());
    }
    Err(ApiError::new(codes::INSUFFICIENT_SCOPE).detail("The key has more scopes than the caller."))
}
