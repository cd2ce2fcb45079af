//! The end of a grant by its own secrets: a token was given back, or one was used twice (OAuth contract, sections 6 and
//! 8). It also works while the account can do nothing: its agent is frozen, its user is disabled, or its rate or
//! allowance is used up.

use rusqlite::Connection;

use super::endpoint::NEED;
use crate::access::Action;
use crate::api::engine::app::App;
use crate::api::engine::call::{Handled, Step};
use crate::api::engine::dispatch::render;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::rest::stream;
use crate::store::audit::{self, Actor, AuditEntry};
use crate::store::oauth_grants::{self, OauthGrant};
use crate::store::{self, credentials};
use crate::time::Micros;

/// Ends a grant in one transaction, records it as `event`, and then sends the reply. It needs no live caller.
pub(super) fn end(app: &App, input: &Input, id: String, event: &'static str, reply: Reply) -> Handled {
    // The grant may be so new that no reader sees it yet. The writer does.
    if let Some(grant) = app.store.lookup(|conn| oauth_grants::by_id(conn, &id))? {
        app.gate.check_channel_of(&input.head, &NEED, &id, grant.agent_id.as_deref())?;
    }
    let (dialect, request_id) = (input.dialect, input.head.request_id.clone());
    let (fulfiller, promise) = stream::promise();
    let told = request_id.clone();
    let work = move |conn: &Connection| ended(conn, &id, event, &told);
    app.store.submit_as(Action::OauthToken.slug(), work, move |result: store::Result<()>| {
        let failed = |error: store::StoreError| render(&error.into(), dialect, &request_id);
        fulfiller.keep(Outcome::Done(result.map_or_else(failed, |()| reply)));
    });
    Ok(Step::Later(Outcome::Pending(promise)))
}

fn ended(conn: &Connection, id: &str, event: &str, request_id: &str) -> store::Result<()> {
    let now = Micros::now();
    let Some(grant) = oauth_grants::by_id(conn, id)? else { return Ok(()) };
    if !credentials::revoke(conn, id, now)? {
        return Ok(());
    }
    audit::append(conn, &AuditEntry::new(actor(&grant), event, format!("credential:{id}"), request_id).at(now))
}

/// Returns the principal that the grant acts as.
fn actor(grant: &OauthGrant) -> Actor {
    match &grant.agent_id {
        Some(id) => Actor { name: format!("agent:{id}"), id: Some(format!("agent:{id}")) },
        None => Actor { name: format!("user:{}", grant.username), id: Some(format!("user:{}", grant.user_id)) },
    }
}
