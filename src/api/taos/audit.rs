//! Reading the audit chain.

use data_encoding::HEXLOWER;
use hyper::http::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging::{CURSOR, LIMIT, Listing};
use crate::jobs::upkeep::audit_head;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::reply::{Decided, Reply};
use crate::rest::route::{Access, Answer, BodyKind, Repeat, Route};
use crate::store;
use crate::store::audit::{self, AuditFilter, Record};
use crate::store::users;
use crate::time::Micros;

const fn text(name: &'static str, about: &'static str) -> Field {
    Field::unbounded(name, about).required()
}

const HEAD: ApiRoute = Route {
    method: Method::GET,
    path: "/api/audit/head",
    dialect: Taos,
    access: Access::Action(Action::AuditRead, head),
    id: "audit_head",
    title: "Read the signed head of the audit chain",
    about: "Keep the head outside the box. With it, taosd check --head proves that nobody has removed or rewritten earlier rows.",
    repeat: Repeat::Safe,
    query: &[],
    body: BodyKind::None,
    example: "",
    answer: (
        200,
        Answer::Object(&[
            Field::integer("seq", 1, i64::MAX, "The number of the last row.").required(),
            text("hash", "The last row's hash."),
            text("at", "When the head was signed."),
            text("key_id", "The signing key: the first 16 hex digits of its hash."),
            text("signature", "The Ed25519 signature by the box's key, in base64url."),
        ]),
    ),
    errors: &[codes::FORBIDDEN],
    doc: "concepts/permissions#the-head-of-the-audit",
    tool: None,
};

const ACTOR: Field = Field::text(
    "actor",
    128,
    "Only rows of this actor: user:NAME (the user with that name now), user:ID, agent:ID, peer:KEY or system.",
);
const ACTION: Field = Field::text("action", 64, "Only rows of this action.");
const RESOURCE: Field = Field::text("resource", 300, "Only rows about this resource, such as agent:ID.");
/// The rows of the table.
pub const ROUTES: &[ApiRoute] = &[
    HEAD,
    Route {
        method: Method::GET,
        path: "/api/audit",
        dialect: Taos,
        access: Access::Action(Action::AuditRead, list),
        id: "audit_list",
        title: "Read the audit chain",
        about: "Newest first. Each row has a hash over itself and the row before it.",
        repeat: Repeat::Safe,
        query: &[ACTOR, ACTION, RESOURCE, LIMIT, CURSOR],
        body: BodyKind::None,
        example: "",
        answer: (
            200,
            Answer::List(&[
                Field::integer("seq", 1, i64::MAX, "The number of the row in the chain.").required(),
                text("at", "When it happened."),
                text("actor", "The principal, with its name at that time."),
                text("actor_id", "The principal by id: user:ID or agent:ID; null if there is none.").nullable(),
                text("action", "The action."),
                text("resource", "The resource that the action was on."),
                text("outcome", "ok, denied, failed, or checkpoint where older rows were removed."),
                Field::integer("count", 1, i64::MAX, "The number of equal actions that the row stands for.").required(),
                text("request_id", "The id of the request."),
                text("prev_hash", "The hash of the previous row."),
                text("hash", "The hash of this row."),
            ]),
        ),
        errors: &[codes::FORBIDDEN, codes::INVALID_CURSOR],
        doc: "concepts/permissions#audit",
        tool: None,
    },
];

fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "audit")?;
    let page = list.page();
    let query = &call.input.query;
    let own = |field: &Field| query.text(field).map(str::to_owned);
    let filter =
        AuditFilter { actor: own(&ACTOR), action: own(&ACTION), resource: own(&RESOURCE), ..AuditFilter::default() };
    // A row's place is its number in the chain, which a cursor carries as the time of other lists.
    let before = page.after.as_ref().map_or(i64::MAX, |(seq, _)| seq.0);
    let mut take = |row: Record| list.push((Micros(row.seq), String::new()), &show(&row));
    app.store.lookup(|conn| audit::list(conn, &by_id(conn, filter.clone())?, before, page.limit + 1, &mut take))?;
    Ok(list.reply(&call.input).decided(Decided::ByDatabase).into())
}

/// The filter with its actor by id: a name means who has it now, or where nobody has it, who had it.
fn by_id(conn: &Connection, filter: AuditFilter) -> store::Result<AuditFilter> {
    let Some((kind, given)) = filter.actor.as_deref().and_then(|actor| actor.split_once(':')) else {
        return Ok(filter);
    };
    if store::is_id(given) {
        return Ok(AuditFilter { actor_id: filter.actor.clone(), ..filter });
    }
    let user = if kind == "user" { users::by_username(conn, given)? } else { None };
    let Some(user) = user else { return Ok(filter) };
    Ok(AuditFilter { actor_id: Some(format!("user:{}", user.id)), actor_since: Some(user.created_at), ..filter })
}

fn head(app: &App, _: Call) -> Handled {
    let unsigned = |cause: &str| ApiError { cause: Some(cause.to_owned()), ..codes::INTERNAL.into() };
    let key = app.box_key.as_deref().ok_or_else(|| unsigned("there is no box.key; the log of the start says why"))?;
    let head = audit_head::signed(&app.store, key)?.ok_or_else(|| unsigned("the audit is empty"))?;
    Ok(Reply::ok(&json!(head)).into())
}

fn show(row: &Record) -> Value {
    json!({
        "seq": row.seq,
        "at": row.at.millis(),
        "actor": row.actor,
        "actor_id": row.actor_id,
        "action": row.action,
        "resource": row.resource,
        "outcome": row.outcome,
        "count": row.count,
        "request_id": row.request_id,
        "prev_hash": HEXLOWER.encode(&row.prev_hash),
        "hash": HEXLOWER.encode(&row.hash),
    })
}
