//! The descent of credentials: which one a credential was made with, how long it may therefore live, and what is
//! revoked together with it (aX contract, section 2; DESIGN D21).

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
    /// The credentials that are revoked together with one.
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
/// The fields of a credential that was made with another one.
pub const MADE: &[Field] = &[
    Field::unbounded("credential_id", "The id of the credential.").required(),
    Field::unbounded("kind", "The kind of credential.").required(),
    Field::unbounded("name", "The name or label of the credential.").required(),
    Field::unbounded("agent_id", "The agent that the credential acts as.").required().nullable(),
];

/// Returns the maker of a credential that this request creates. If `bound`, the new credential depends on the caller's.
///
/// # Errors
/// 401 if the caller's credential has ended meanwhile, or a `StoreError`.
pub fn maker(tx: &Tx<'_>, bound: bool) -> Result<Maker, ApiError> {
    let maker = tx.caller.maker();
    if !bound {
        return Ok(Maker { credential: None, ..maker });
    }
    end(tx, &maker, tx.now)?;
    Ok(maker)
}

/// Returns the requested end, or the end of the maker's credential if that is earlier.
///
/// # Errors
/// 401 if the maker's credential has ended, or a `StoreError`.
pub fn end(tx: &Tx<'_>, maker: &Maker, wished: Micros) -> Result<Micros, ApiError> {
    let Some(id) = &maker.credential else { return Ok(wished) };
    let terms = credentials::terms_of(tx.conn, id, tx.now)?.ok_or_else(access::dead)?;
    Ok(terms.expires_at.map_or(wished, |end| end.min(wished)))
}

/// The credentials that were revoked together with one, and those made with it that still live: at most
/// [`credentials::LISTED`] of each.
#[derive(Debug, Default)]
pub struct EndedWith {
    /// The ones that were revoked.
    pub with_it: Vec<MadeCredential>,
    /// The ones that still live.
    pub living: Vec<MadeCredential>,
    /// True if there are more than these.
    pub truncated: bool,
}

/// Revokes a credential and those that the request's `cascade` includes, each with its audit row. One that has already
/// ended stays unchanged.
///
/// # Errors
/// `forbidden` if the caller would detach its own credential from the one that made it, or a `StoreError`.
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
    end_of_agents(tx, id, cascade, &mut ended)?;
    if cascade == Cascade::None {
        for made in credentials::living_below(tx.conn, id, tx.now)? {
            place(tx, &mut ended, made, false)?;
        }
        credentials::reparent(tx.conn, id, credentials::made_by(tx.conn, id)?.as_deref(), tx.now)?;
    } else {
        // `living_below` returns a limited list, so repeat until it is empty.
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

/// Looks at the agents' credentials that were made with a credential, and with `all` revokes every one that the caller
/// may. Without it they only are listed, so the first list is enough.
fn end_of_agents(tx: &Tx<'_>, id: &str, cascade: Cascade, ended: &mut EndedWith) -> Result<(), ApiError> {
    let mut last: Option<MadeCredential> = None;
    loop {
        let made = credentials::kept_below(tx.conn, id, last.as_ref(), tx.now)?;
        let Some(newest) = made.last() else { return Ok(()) };
        last = Some(newest.clone());
        for made in made {
            let goes = cascade == Cascade::All && may_end(tx, &made)?;
            place(tx, ended, made, goes)?;
        }
        if cascade != Cascade::All && ended.truncated {
            return Ok(());
        }
    }
}

fn place(tx: &Tx<'_>, ended: &mut EndedWith, made: MadeCredential, goes: bool) -> Result<(), ApiError> {
    if goes {
        revoke(tx, &made.id)?;
    }
    let list = if goes { &mut ended.with_it } else { &mut ended.living };
    if list.len() < credentials::LISTED {
        list.push(made);
    } else {
        ended.truncated = true;
    }
    Ok(())
}

fn revoke(tx: &Tx<'_>, id: &str) -> Result<(), ApiError> {
    if credentials::revoke(tx.conn, id, tx.now)? {
        tx.audit(format!("credential:{id}"))?;
    }
    Ok(())
}

/// True if the caller may revoke this credential: it has no agent, or the caller is at least the agent's editor.
fn may_end(tx: &Tx<'_>, made: &MadeCredential) -> Result<bool, ApiError> {
    let Some(agent) = &made.agent_id else { return Ok(true) };
    Ok(access::role_on(tx.conn, tx.caller, agent)? >= Some(AgentRole::Editor))
}

/// Returns the credentials as JSON objects with the fields of [`MADE`].
pub fn show(made: &[MadeCredential]) -> Vec<Value> {
    let one = |made: &MadeCredential| json!({"credential_id": made.id, "kind": made.kind, "name": made.label, "agent_id": made.agent_id});
    made.iter().map(one).collect()
}
