//! Credentials that end soon, of every kind.

use hyper::http::Method;
use serde_json::json;

use crate::access::{Action, Principal};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging::{CURSOR, LIMIT, Listing};
use crate::rest::codes;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::route::Answer;
use crate::secret::Kind;
use crate::store::expiry::{self, ExpiringCredential};
use crate::time::Micros;

const DAYS: Field = Field::integer("within_days", 1, 3650, "How many days ahead to look; 14 if absent.");
const DEFAULT_DAYS: i64 = 14;

/// The routes for credentials that end soon.
pub const ROUTES: &[ApiRoute] =
    &[ApiRoute::checked(Method::GET, "/api/credentials/expiring", Taos, Action::CredentialsList, list)
        .described(
            "credentials_expiring",
            "List credentials that end soon",
            "Tokens, keys and programs' grants; the one that ends first comes first. An admin sees all; others see \
                their own and those of their agents. Web sessions are not listed.",
            "concepts/authentication#expiry",
        )
        .asking(&[DAYS, LIMIT, CURSOR])
        .answering(
            200,
            Answer::List(&[
                Field::shown("id", "The credential's id."),
                Field::word("kind", Kind::SLUGS, "The kind of the credential.").required(),
                Field::shown("key_id", "The public part, which identifies it."),
                Field::shown("label", "Its label; empty if it has none."),
                Field::shown("agent_name", "The agent that it belongs to; null for a user's.").nullable(),
                Field::shown(
                    "username",
                    "The user that it belongs to, or who owns the agent; null for an enrollment of nobody.",
                )
                .nullable(),
                Field::shown("expires_at", "When it ends."),
                Field::shown("last_used_at", "When it was last used, to the minute; null if never.").nullable(),
            ]),
        )
        .failing(&[codes::INVALID_CURSOR])];

fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "credentials_expiring")?;
    let page = list.page();
    let now = Micros::now();
    let until = now.plus(call.input.query.integer(&DAYS).unwrap_or(DEFAULT_DAYS) * Micros::DAY);
    let caller = &call.caller;
    let mine = |ending: &ExpiringCredential| match caller.principal() {
        Principal::User(user) => caller.is_admin() || ending.user_id.as_deref() == Some(&user.id),
        Principal::Agent { .. } => ending.agent_id.is_some() && ending.agent_id.as_deref() == caller.agent_id(),
    };
    let mut take = |ending: ExpiringCredential| {
        let place = (ending.expires_at, ending.id.clone());
        let hidden = ending.agent_id.as_deref().is_some_and(|id| !caller.may_touch(id));
        if hidden || !mine(&ending) {
            return list.pass(place);
        }
        let shown = json!({
            "id": ending.id,
            "kind": ending.kind.slug(),
            "key_id": ending.key_id,
            "label": ending.label,
            "agent_name": ending.agent,
            "username": ending.username,
            "expires_at": ending.expires_at.millis(),
            "last_used_at": ending.last_used_at.map(Micros::millis),
        });
        list.push(place, &shown)
    };
    app.store.lookup(|conn| expiry::ending(conn, now, until, &page, &mut take))?;
    Ok(list.reply(&call.input).into())
}
