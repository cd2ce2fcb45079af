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
use crate::limits::TIME_CHARS;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::input::Fields;
use crate::rest::reply::{Decided, Reply};
use crate::rest::route::Answer;
use crate::store;
use crate::store::audit::{self, AuditFilter, Record};
use crate::store::users;
use crate::time::Micros;

const HEAD: ApiRoute = ApiRoute::checked(Method::GET, "/api/audit/head", Taos, Action::AuditRead, head)
    .described(
        "audit_head",
        "Read the signed head of the audit chain",
        "Keep the head outside the box. With it, taosd check --head proves that nobody has removed or rewritten \
            earlier rows.",
        "concepts/permissions#the-head-of-the-audit",
    )
    .answering(
        200,
        Answer::Object(&[
            Field::integer("seq", 1, i64::MAX, "The number of the last row.").required(),
            Field::shown("hash", "The last row's hash."),
            Field::shown("at", "When the head was signed."),
            Field::shown("key_id", "The signing key: the first 16 hex digits of its hash."),
            Field::shown("signature", "The Ed25519 signature by the box's key, in base64url."),
        ]),
    )
    .failing(&[codes::FORBIDDEN]);

const ACTOR: Field = Field::text(
    "actor",
    128,
    "Only rows of this actor: user:NAME (the user with that name now), user:ID, agent:ID, peer:KEY or system.",
);
const ACTION: Field = Field::text("action", 64, "Only rows of this action.");
const RESOURCE: Field = Field::text("resource", 300, "Only rows about this resource, such as agent:ID.");
const SINCE: Field = Field::text("since", TIME_CHARS, "Only rows from this time on, RFC 3339.").told(TIME);
const UNTIL: Field = Field::text("until", TIME_CHARS, "Only rows up to this time, RFC 3339.").told(TIME);
/// The pattern of one form of a time, for the OpenAPI document.
const TIME: &str =
    r#"{"pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$"}"#;
const ROWS: Field = Field::integer("rows", 1, 10_000, "How many of the newest rows to check; 1000 if absent.");
const DEFAULT_ROWS: i64 = 1_000;

const VERIFICATION: ApiRoute =
    ApiRoute::checked(Method::GET, "/api/audit/verification", Taos, Action::AuditRead, verification)
        .described(
            "audit_verification",
            "Check the newest rows of the audit chain",
            "Computes the hashes again, up to the end of the chain. On the box, taosd check walks the whole chain.",
            "concepts/permissions#audit",
        )
        .asking(&[ROWS])
        .answering(
            200,
            Answer::Object(&[
                Field::word("state", &["intact", "broken"], "Whether every checked row follows the one before it.")
                    .required(),
                Field::integer("checked", 0, i64::MAX, "How many rows were checked; 0 if the chain is broken.")
                    .required(),
                Field::integer("first_seq", 0, i64::MAX, "The first checked row.").required(),
                Field::integer("last_seq", 0, i64::MAX, "The last checked row.").required(),
                Field::flag("complete", "True if these are all rows of the chain.").required(),
                Field::shown("problem", "Where the chain is broken; null if it is intact.").nullable(),
            ]),
        )
        .failing(&[codes::FORBIDDEN]);

/// The routes for the audit.
pub const ROUTES: &[ApiRoute] = &[
    HEAD,
    VERIFICATION,
    ApiRoute::checked(Method::GET, "/api/audit", Taos, Action::AuditRead, list)
        .described(
            "audit_list",
            "Read the audit chain",
            "Newest first. Each row has a hash over itself and the row before it.",
            "concepts/permissions#audit",
        )
        .asking(&[ACTOR, ACTION, RESOURCE, SINCE, UNTIL, LIMIT, CURSOR])
        .answering(
            200,
            Answer::List(&[
                Field::integer("seq", 1, i64::MAX, "The number of the row in the chain.").required(),
                Field::shown("at", "When it happened."),
                Field::shown("actor", "The principal, with its name at that time."),
                Field::shown("actor_id", "The principal by id: user:ID or agent:ID; null if there is none.").nullable(),
                Field::shown("actor_name", "What the actor is called now; null if it has no name.").nullable(),
                Field::shown("action", "The action."),
                Field::shown("resource", "The resource that the action was on."),
                Field::shown(
                    "resource_name",
                    "What the resource is called now, such as ann/laptop; null if it has no name.",
                )
                .nullable(),
                Field::shown("outcome", "ok, denied, failed, or checkpoint where older rows were removed."),
                Field::integer("count", 1, i64::MAX, "The number of equal actions that the row stands for.").required(),
                Field::shown("request_id", "The id of the request."),
                Field::shown("prev_hash", "The hash of the previous row."),
                Field::shown("hash", "The hash of this row."),
            ]),
        )
        .failing(&[codes::FORBIDDEN, codes::INVALID_CURSOR]),
];

fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "audit")?;
    let page = list.page();
    let query = &call.input.query;
    let own = |field: &Field| query.text(field).map(str::to_owned);
    let filter = AuditFilter {
        actor: own(&ACTOR),
        action: own(&ACTION),
        resource: own(&RESOURCE),
        since: time(query, &SINCE)?,
        until: time(query, &UNTIL)?,
        ..AuditFilter::default()
    };
    // A cursor of this list carries the row's number in the chain, where cursors of other lists carry a time.
    let before = page.after.as_ref().map_or(i64::MAX, |(seq, _)| seq.0);
    app.store.lookup(|conn| {
        // If the names cannot be read, the row shows only the ids.
        let name = |subject: Option<&str>| audit::called(conn, subject?).ok().flatten();
        let mut take = |row: Record| {
            let names = (name(row.actor_id.as_deref().or(Some(&row.actor))), name(Some(&row.resource)));
            list.push((Micros(row.seq), String::new()), &show(&row, names))
        };
        audit::list(conn, &by_id(conn, filter.clone())?, before, page.limit + 1, &mut take)
    })?;
    Ok(list.reply(&call.input).decided(Decided::ByDatabase).into())
}

/// Reads a time from the query.
fn time(query: &Fields, field: &Field) -> Result<Option<Micros>, ApiError> {
    let Some(text) = query.text(field) else { return Ok(None) };
    let at = Micros::parse(text);
    at.map(Some).ok_or_else(|| ApiError::field(field.name, "must be a time such as 2026-01-31T12:00:00Z"))
}

fn verification(app: &App, call: Call) -> Handled {
    let most = call.input.query.integer(&ROWS).unwrap_or(DEFAULT_ROWS).unsigned_abs();
    let result = app.store.lookup(|conn| audit::verify_newest(conn, most))?;
    let body = match result {
        Ok(walked) => json!({
            "state": "intact",
            "checked": walked.rows,
            "first_seq": walked.places.0,
            "last_seq": walked.places.1,
            "complete": walked.whole,
            "problem": null,
        }),
        Err(why) => json!({
            "state": "broken",
            "checked": 0,
            "first_seq": 0,
            "last_seq": 0,
            "complete": false,
            "problem": why.to_string(),
        }),
    };
    Ok(Reply::ok(&body).into())
}

/// Returns the filter with its actor by id. A name means the user who has it now; if nobody has it, those who had it.
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

fn show(row: &Record, (actor_name, resource_name): (Option<String>, Option<String>)) -> Value {
    json!({
        "seq": row.seq,
        "at": row.at.millis(),
        "actor": row.actor,
        "actor_id": row.actor_id,
        "actor_name": actor_name,
        "action": row.action,
        "resource": row.resource,
        "resource_name": resource_name,
        "outcome": row.outcome,
        "count": row.count,
        "request_id": row.request_id,
        "prev_hash": HEXLOWER.encode(&row.prev_hash),
        "hash": HEXLOWER.encode(&row.hash),
    })
}
