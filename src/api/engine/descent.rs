//! What a credential was made with, how long it may live by that, and what goes with it when it is revoked (aX contract,
//! section 2; DESIGN D21).

use serde_json::{Value, json};

use super::call::Tx;
use crate::access::{self, AgentRole};
use crate::closed_set::closed_set;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::store::credentials::{self, MadeCredential, Maker};
use crate::time::Micros;

closed_set! {
    /// What is revoked with a credential.
    pub enum Cascade {
        Keys "keys" "The user's tokens and keys that were made with it.";
        All "all" "Those, and the credentials of agents.";
        None "none" "Nothing. What it made then depends on its own maker.";
    }
}

/// The query parameter of the routes that revoke.
pub const CASCADE: Field = Field::word(
    "cascade",
    Cascade::SLUGS,
    "What else ends: keys (the default: the user keys that it made), all or none.",
);
/// A credential that another was used to make, as told.
pub const MADE: &[Field] = &[
    Field::unbounded("credential_id", "The id of the credential.").required(),
    Field::unbounded("kind", "The kind of credential.").required(),
    Field::unbounded("name", "The name or label of the credential.").required(),
    Field::unbounded("agent_id", "The agent that the credential acts as.").required().nullable(),
];

/// Who makes what this request makes; `bound`: with the credential it will live by.
///
/// # Errors
/// 401 if that credential has died meanwhile, or the store's.
pub fn maker(tx: &Tx<'_>, bound: bool) -> Result<Maker, ApiError> {
    let maker = tx.caller.maker();
    if !bound {
        return Ok(Maker { credential: None, ..maker });
    }
    end(tx, &maker, tx.now)?;
    Ok(maker)
}

/// The wished-for end, cut to that of what it hangs on.
///
/// # Errors
/// 401 if that is no more, or the store's.
pub fn end(tx: &Tx<'_>, maker: &Maker, wished: Micros) -> Result<Micros, ApiError> {
    let Some(id) = &maker.credential else { return Ok(wished) };
    let terms = credentials::terms_of(tx.conn, id, tx.now)?.ok_or_else(access::dead)?;
    Ok(terms.expires_at.map_or(wished, |end| end.min(wished)))
}

/// What was revoked beside a credential, and what it made that still lives.
#[derive(Debug, Default)]
pub struct EndedWith {
    /// Revoked with it.
    pub with_it: Vec<MadeCredential>,
    /// Alive.
    pub living: Vec<MadeCredential>,
}

/// Revokes a credential and what the request says goes with it, each with its audit row. A dead one stays as it is.
///
/// # Errors
/// `forbidden` where the caller would free itself from what it lives by, or the store's.
pub fn end_with_all(tx: &Tx<'_>, id: &str) -> Result<EndedWith, ApiError> {
    let cascade = tx.input.query.text(&CASCADE).and_then(|word| word.parse().ok()).unwrap_or(Cascade::Keys);
    let own = tx.caller.maker().credential;
    if cascade == Cascade::None
        && let Some(own) = own
        && own != id
        && credentials::is_below(tx.conn, &own, id)?
    {
        return Err(ApiError::new(codes::FORBIDDEN)
            .detail("This credential made the caller's own credential, so the caller may not use cascade=none."));
    }
    let mut ended = EndedWith::default();
    for made in credentials::kept_below(tx.conn, id, tx.now)? {
        let goes = cascade == Cascade::All && may_end(tx, &made)?;
        place(tx, &mut ended, made, goes)?;
    }
    if cascade == Cascade::None {
        ended.living.extend(credentials::living_below(tx.conn, id, tx.now)?);
        credentials::reparent(tx.conn, id, credentials::made_by(tx.conn, id)?.as_deref())?;
    } else {
        // A list at a time, until there is none left.
        loop {
            let below = credentials::living_below(tx.conn, id, tx.now)?;
            if below.is_empty() {
                break;
            }
            for made in below {
                place(tx, &mut ended, made, true)?;
            }
        }
    }
    revoke(tx, id)?;
    Ok(ended)
}

fn place(tx: &Tx<'_>, ended: &mut EndedWith, made: MadeCredential, goes: bool) -> Result<(), ApiError> {
    if goes {
        revoke(tx, &made.id)?;
        ended.with_it.push(made);
    } else {
        ended.living.push(made);
    }
    Ok(())
}

fn revoke(tx: &Tx<'_>, id: &str) -> Result<(), ApiError> {
    if credentials::revoke(tx.conn, id, tx.now)? {
        tx.audit(format!("credential:{id}"))?;
    }
    Ok(())
}

/// True if the caller may still end this credential of an agent.
fn may_end(tx: &Tx<'_>, made: &MadeCredential) -> Result<bool, ApiError> {
    let Some(agent) = &made.agent_id else { return Ok(true) };
    Ok(access::role_on(tx.conn, tx.caller, agent)? >= Some(AgentRole::Editor))
}

/// Such a list as told.
pub fn show(made: &[MadeCredential]) -> Vec<Value> {
    let one = |made: &MadeCredential| json!({"credential_id": made.id, "kind": made.kind, "name": made.label, "agent_id": made.agent_id});
    made.iter().map(one).collect()
}
