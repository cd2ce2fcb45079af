//! Reading the audit chain.

use data_encoding::HEXLOWER;
use hyper::http::Method;
use serde_json::{Value, json};

use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::paging::{self, CURSOR, LIMIT};
use crate::rest::codes;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::route::{Access, Answer, BodyKind, Repeat, Route};
use crate::store::audit::{self, Filter, Record};
use crate::time::Micros;

const fn text(name: &'static str, about: &'static str) -> Field {
    Field::text(name, usize::MAX, about).required()
}

/// The rows of the table.
pub const ROUTES: &[ApiRoute] = &[Route {
    method: Method::GET,
    path: "/api/audit",
    dialect: Taos,
    access: Access::Action(Action::AuditRead, list),
    id: "audit_list",
    title: "Read the audit chain",
    about: "Newest first. Each row carries a hash over the row before and itself.",
    repeat: Repeat::Safe,
    query: &[
        Field::text("actor", 128, "Only this actor: user:NAME, agent:ID, peer:KEY or system."),
        Field::text("action", 64, "Only this action."),
        Field::text("resource", 300, "Only this resource, such as agent:ID."),
        LIMIT,
        CURSOR,
    ],
    body: BodyKind::None,
    example: "",
    answer: (
        200,
        Answer::List(&[
            Field::integer("seq", 1, i64::MAX, "Its place in the chain.").required(),
            text("at", "When."),
            text("actor", "Who."),
            text("action", "Which action."),
            text("resource", "On what."),
            text("outcome", "ok, denied, failed, or checkpoint where older rows were removed."),
            Field::integer("count", 1, i64::MAX, "How many alike it stands for.").required(),
            text("request_id", "The request it came with."),
            text("prev_hash", "The hash of the row before."),
            text("hash", "The hash of this row."),
        ]),
    ),
    errors: &[codes::FORBIDDEN, codes::INVALID_CURSOR],
    doc: "concepts/permissions#audit",
}];

fn list(app: &App, call: Call) -> Handled {
    let page = paging::page(&call.input, "audit")?;
    let query = &call.input.query;
    let own = |name: &str| query.text(name).map(str::to_owned);
    let filter = Filter { actor: own("actor"), action: own("action"), resource: own("resource") };
    // A row's place is its number in the chain, which a cursor carries as the time of other lists.
    let before = page.after.as_ref().map_or(i64::MAX, |(seq, _)| seq.0);
    let rows = app.store.lookup(|conn| audit::list(conn, &filter, before, page.limit + 1))?;
    let key = |row: &Record| (Micros(row.seq), String::new());
    Ok(paging::reply(&call.input, "audit", &page, rows, key, show).into())
}

fn show(row: &Record) -> Value {
    json!({
        "seq": row.seq,
        "at": row.at.millis(),
        "actor": row.actor,
        "action": row.action,
        "resource": row.resource,
        "outcome": row.outcome,
        "count": row.count,
        "request_id": row.request_id,
        "prev_hash": HEXLOWER.encode(&row.prev_hash),
        "hash": HEXLOWER.encode(&row.hash),
    })
}
