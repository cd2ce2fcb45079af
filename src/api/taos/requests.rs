//! Requests: an agent asks, and its owner decides for a limited time (requests contract). What all dialects share is in
//! `api::requests`. A join is not stored as a request; it is in `joins`.

use std::sync::Arc;

use hyper::header::LOCATION;
use hyper::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::access::Action;
use crate::api::engine::api_route::{ApiRoute, AtOnceHandler, CheckedHandler, PublicHandler};
use crate::api::engine::app::App;
use crate::api::engine::call::{After, Call, Handled, Step, Tx, Written};
use crate::api::engine::joins::Joins;
use crate::api::engine::paging::{CURSOR, LIMIT, Listing};
use crate::api::requests::fields::{self, NOTE};
use crate::api::requests::{self, DecisionChoice, RECORD, RESULT, RequestNews, RequestOutcome, show};
use crate::api::taos::awaited::Awaited;
use crate::api::taos::joins::decide as join;
use crate::limits::{DECIDED_AT_ONCE, TOOL_WAIT};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::{Field, Type};
use crate::rest::reply::Reply;
use crate::rest::route::{Access, Answer};
use crate::rest::service::Outcome;
use crate::rest::tool::{Effect, Tool};
use crate::store::requests::{self as rows, Filter, Request, RequestState};
use crate::store::{self, agents};
use crate::time::Micros;

const DOC_ASK: &str = "recipes/asking-for-access#ask";
const DOC_DECIDE: &str = "recipes/deciding-requests#decide";
const DOC_REVOKE: &str = "recipes/deciding-requests#revoke";

const WAIT: Field =
    Field::integer("wait", 0, 60, "Seconds to hold the reply while the request is pending; 0 if absent.");
/// The field `wait` of the tools, which wait less long.
const TOOL_WAIT_FIELD: Field =
    Field::integer("wait", 0, TOOL_WAIT, "Seconds to hold the call while the request is pending; 0 if absent.");

const ASKED: &[Field] = &[
    fields::KIND.required(),
    fields::REASON.required(),
    fields::SCOPE,
    fields::RESOURCE,
    fields::ROLE,
    fields::QUESTION,
    fields::OPTIONS,
    fields::FREE_TEXT,
    fields::DURATION,
    fields::LIFE,
    WAIT,
];

const APPROVAL: &[Field] = &[
    fields::LESS_SCOPE,
    fields::LESS_ROLE,
    fields::LESS_TIME,
    fields::OPTION,
    fields::TEXT,
    NOTE,
    fields::AS,
    fields::NAME,
    fields::KEEP_OLD,
];

const STATE: Field = Field::word("state", RequestState::SLUGS, "Only requests in this state.");
const KIND: Field = Field::word("kind", &["scope", "grant", "confirm", "join"], "Only requests of this kind.");
const AGENT: Field = Field::text("agent", 64, "Only requests of the agent with this name or id.");
const IDS: Field = Field::texts("ids", DECIDED_AT_ONCE, 64, "The requests, at most 50.").required();
const DECISION: Field = Field::word("decision", &["approve", "deny"], "The decision for all of them.").required();

const fn row(
    method: Method,
    path: &'static str,
    access: Access<PublicHandler, CheckedHandler, AtOnceHandler>,
) -> ApiRoute {
    ApiRoute::bare(method, path, Taos, access).answering(200, Answer::Object(RECORD))
}

/// The routes for requests.
pub const ROUTES: &[ApiRoute] = &[
    row(Method::POST, "/api/requests", Access::Action(Action::RequestsCreate, create))
        .described(
            "requests_create",
            "Ask for a scope, a role or an answer",
            "For agents. The agent's owner and the admins are told, of a role also the owners of what it is about. The \
                same request again is answered with the pending one; what the agent has already, with the state \
                not_needed.",
            DOC_ASK,
        )
        .taking(
            ASKED,
            r#"{"kind": "scope", "scope": ["agents.logs"], "reason": "To see why the build failed.", "duration_seconds": 600}"#,
        )
        .repeatable()
        .answering(201, Answer::Upsert(RESULT))
        .failing(&[
            codes::AGENT_REQUIRED,
            codes::INVALID_SCOPE,
            codes::RECENTLY_DENIED,
            codes::TOO_MANY_REQUESTS_PENDING,
        ])
        .offering(
            Tool::new(
                "access_request",
                Effect::Adds,
                "Ask your user for a right that you lack, for a limited time: scopes (kind scope), or a role on an \
                    agent or a space (kind grant). Say why in reason. A refusal that can be lifted so carries request, \
                    the arguments of this call. With wait the call is held until the decision; otherwise read that \
                    with access_request_get.",
            )
            .narrowed(&[Field::word("kind", &["scope", "grant"], "scope or grant.").required(), TOOL_WAIT_FIELD])
            .omitting(&["question", "options", "free_text"]),
        ),
    row(Method::GET, "/api/requests", Access::Action(Action::RequestsRead, list))
        .described(
            "requests_list",
            "List requests",
            "Newest first. An agent sees its own; a user those that it may decide or has decided.",
            DOC_ASK,
        )
        .asking(&[STATE, KIND, AGENT, LIMIT, CURSOR])
        .answering(200, Answer::List(RECORD))
        .failing(&[codes::INVALID_CURSOR]),
    row(Method::POST, "/api/requests/decide", Access::Action(Action::RequestsDecide, decide_all))
        .described(
            "requests_decide",
            "Decide several requests",
            "Decides each request separately. If one cannot be decided, the reply has its error code. Approving gives \
                what was asked for.",
            DOC_DECIDE,
        )
        .taking(
            &[IDS, DECISION, NOTE],
            r#"{"ids": ["01890000-0000-7000-8000-000000000000"], "decision": "deny", "note": "Not today."}"#,
        )
        .repeatable()
        .answering(
            200,
            Answer::Object(&[Field::of(
                "results",
                Type::AnyObject,
                "For each id its state, or the code of the error.",
            )
            .required()]),
        )
        .failing(&[codes::USER_REQUIRED]),
    row(Method::GET, "/api/requests/{id}", Access::Action(Action::RequestsRead, get))
        .described(
            "requests_get",
            "Read a request, or wait for its decision",
            "With wait, the reply comes when the request is no longer pending, or after that many seconds.",
            DOC_ASK,
        )
        .asking(&[WAIT])
        .failing(&[codes::REQUEST_NOT_FOUND])
        .offering(
            Tool::new(
                "access_request_get",
                Effect::Reads,
                "Read a request that you made with access_request; wait holds the call until it is decided.",
            )
            .with_path(&[Field::text("request_id", 64, "The request's id.")])
            .narrowed(&[TOOL_WAIT_FIELD]),
        ),
    row(Method::POST, "/api/requests/{id}/approve", Access::Action(Action::RequestsDecide, approve))
        .described(
            "requests_approve",
            "Approve a request",
            "Gives what was asked for, or less. For a question it carries the answer, even if that is no.",
            DOC_DECIDE,
        )
        .taking(APPROVAL, r#"{"duration_seconds": 120, "note": "For this build alone."}"#)
        .failing(&[
            codes::USER_REQUIRED,
            codes::REQUEST_NOT_FOUND,
            codes::REQUEST_DECIDED,
            codes::INVALID_SCOPE,
            codes::SCOPE_EXCEEDS_ISSUER,
            codes::AGENT_NOT_FOUND,
            codes::FORBIDDEN,
            codes::SPACE_FORBIDDEN,
            codes::TOO_MANY_MEMBERS,
            codes::LIMIT_REACHED,
            codes::NAME_CONFLICT,
            codes::CREATE_NOT_ALLOWED,
            codes::AGENT_FROZEN,
            codes::CLEANUP_REQUIRED,
        ]),
    row(Method::POST, "/api/requests/{id}/deny", Access::Action(Action::RequestsDecide, deny))
        .described("requests_deny", "Deny a request", "Denying a question means not to answer it.", DOC_DECIDE)
        .taking(&[NOTE], r#"{"note": "Ask again tomorrow."}"#)
        .failing(&[codes::USER_REQUIRED, codes::REQUEST_NOT_FOUND, codes::REQUEST_DECIDED]),
    row(Method::POST, "/api/requests/{id}/withdraw", Access::Action(Action::RequestsCreate, withdraw))
        .described("requests_withdraw", "Withdraw a request", "By the agent that asked, while it is pending.", DOC_ASK)
        .taking(&[], "")
        .failing(&[codes::AGENT_REQUIRED, codes::REQUEST_NOT_FOUND, codes::REQUEST_DECIDED]),
    row(Method::POST, "/api/requests/{id}/revoke", Access::Action(Action::RequestsDecide, revoke))
        .described(
            "requests_revoke",
            "Take back what a request gave",
            "Ends an approved scope or grant, from the agent's next call on.",
            DOC_REVOKE,
        )
        .taking(&[], "")
        .failing(&[codes::USER_REQUIRED, codes::REQUEST_NOT_FOUND, codes::REQUEST_NOT_IN_FORCE]),
];

/// Returns a function that makes a reply which is sent after the news of the requests.
fn telling(app: &App) -> impl FnOnce(Reply, Vec<RequestNews>) -> Written + Send + 'static {
    let tell = requests::after(app);
    move |reply, told| {
        let after: After = Box::new(move |reply, _| {
            told.into_iter().for_each(tell);
            Outcome::Done(reply)
        });
        Written::Then(reply, after)
    }
}

fn shown(tx: &Tx<'_>, request: &Request) -> store::Result<Value> {
    show(tx.conn, request, tx.caller, tx.now)
}

fn create(app: &App, call: Call) -> Handled {
    call.check_allowance()?;
    if call.caller.agent_id().is_none() {
        return Err(codes::AGENT_REQUIRED.into());
    }
    let asked = requests::wanted(&call.input.body)?;
    let (settings, to_webhook) = app.config.read(|now| (now.requests, now.webhook.is_some()));
    let tell = requests::after(app);
    let awaited = Awaited::of(app, &call, Action::RequestsCreate, call.input.body.integer(&WAIT));
    call.write(app, move |tx| {
        let (request, told) = match requests::create(tx, &asked, settings, to_webhook)? {
            RequestOutcome::NotNeeded => return Ok(Written::Reply(Reply::ok(&requests::not_needed()))),
            RequestOutcome::Same(request) => (*request, None),
            RequestOutcome::New(made) => (made.0, Some(made.1)),
        };
        let (shown, place) = (shown(tx, &request)?, format!("/api/requests/{}", request.id));
        let (reply, awaited) = match told {
            Some(_) => (Reply::json(StatusCode::CREATED, &shown).with(LOCATION, &place), awaited.made()),
            None => (Reply::ok(&shown), awaited),
        };
        let after: After = Box::new(move |reply, claim| {
            told.into_iter().for_each(tell);
            // With an idempotency key the first reply is stored, so it does not wait; a repeat may wait by the
            // request's id.
            if claim.is_some() || awaited.is_over() {
                return Outcome::Done(reply);
            }
            Outcome::Again(Box::new(move || awaited.again(&request.id)))
        });
        Ok(Written::Then(reply, after))
    })
}

fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "requests")?;
    let page = list.page();
    let query = &call.input.query;
    // Joins are not among the rows of requests. They are placed in the list by their time.
    let kind = query.text(&KIND).filter(|kind| *kind != "join").map(str::parse).transpose().ok().flatten();
    let mut filter = Filter { state: query.word(&STATE)?, kind, agent: None };
    let now = Micros::now();
    let viewer = requests::viewer(&call.caller);
    app.store.read(|conn| {
        filter.agent = query.text(&AGENT).map(|name| agents::slug_named(conn, name)).transpose()?;
        let found = match kind {
            None => join::list(conn, &app.joins, &call.caller, &filter, &page, now)?,
            Some(_) => Vec::new(),
        };
        let mut joins = found.into_iter().peekable();
        let mut failed = None;
        let mut take = |request: Request| {
            let place = (request.created_at, request.id.clone());
            while let Some((at, value)) = joins.next_if(|(at, _)| *at > place) {
                if !list.push(at, &value) {
                    return false;
                }
            }
            if !call.caller.may_touch(&request.agent_id) {
                return list.pass(place);
            }
            match show(conn, &request, &call.caller, now) {
                Ok(value) => list.push(place, &value),
                Err(error) => {
                    failed = Some(error);
                    false
                }
            }
        };
        if query.text(&KIND) != Some("join") {
            rows::list(conn, &viewer, &filter, &page, now, &mut take)?;
        }
        if let Some(error) = failed {
            return Err(error.into());
        }
        while joins.next().is_some_and(|(at, value)| list.push(at, &value)) {}
        Ok::<_, ApiError>(())
    })?;
    Ok(list.reply(&call.input).into())
}

fn get(app: &App, call: Call) -> Handled {
    let awaited = Awaited::of(app, &call, Action::RequestsRead, call.input.query.integer(&WAIT));
    Ok(Step::Later(awaited.look(call.input.param(0))?))
}

/// Runs `work` with the request of the path, and replies with the record that it returns.
fn step(
    app: &App,
    call: Call,
    work: impl FnOnce(&Tx<'_>, &str) -> Result<(Value, RequestNews), ApiError> + Send + 'static,
) -> Handled {
    let telling = telling(app);
    call.write(app, move |tx| {
        let (record, told) = work(tx, tx.input.param(0))?;
        Ok(telling(Reply::ok(&record), vec![told]))
    })
}

/// Returns the record of a request that has changed, with its news.
fn with_record(tx: &Tx<'_>, (request, told): (Request, RequestNews)) -> Result<(Value, RequestNews), ApiError> {
    Ok((shown(tx, &request)?, told))
}

/// The parts of the application that a decision needs.
#[derive(Clone)]
struct Deciding {
    joins: Arc<Joins>,
    most_keys: u64,
}

impl Deciding {
    fn of(app: &App) -> Self {
        Self { joins: Arc::clone(&app.joins), most_keys: app.config.read(|now| now.ax.max_agent_pats) }
    }

    fn approve(&self, tx: &Tx<'_>, id: &str, choice: &DecisionChoice) -> Result<(Value, RequestNews), ApiError> {
        match join::find(tx.conn, &self.joins, tx.caller, id)? {
            Some(found) => join::approve(tx, found, choice, self.most_keys),
            None => with_record(tx, requests::approve(tx, id, choice)?),
        }
    }

    fn deny(&self, tx: &Tx<'_>, id: &str, note: Option<&str>) -> Result<(Value, RequestNews), ApiError> {
        match join::find(tx.conn, &self.joins, tx.caller, id)? {
            Some(found) => join::deny(tx, found, note),
            None => with_record(tx, requests::deny(tx, id, note)?),
        }
    }
}

/// Refuses agents, whatever their scopes.
fn users_only(call: &Call) -> Result<(), ApiError> {
    if call.caller.agent_id().is_some() { Err(codes::USER_REQUIRED.into()) } else { Ok(()) }
}

fn approve(app: &App, call: Call) -> Handled {
    users_only(&call)?;
    let (choice, deciding) = (DecisionChoice::of(&call.input.body)?, Deciding::of(app));
    step(app, call, move |tx, id| deciding.approve(tx, id, &choice))
}

fn deny(app: &App, call: Call) -> Handled {
    users_only(&call)?;
    let deciding = Deciding::of(app);
    step(app, call, move |tx, id| deciding.deny(tx, id, tx.input.body.text(&NOTE)))
}

fn revoke(app: &App, call: Call) -> Handled {
    users_only(&call)?;
    step(app, call, |tx, id| with_record(tx, requests::revoke(tx, id)?))
}

fn withdraw(app: &App, call: Call) -> Handled {
    if call.caller.agent_id().is_none() {
        return Err(codes::AGENT_REQUIRED.into());
    }
    step(app, call, |tx, id| with_record(tx, requests::withdraw(tx, id)?))
}

fn decide_all(app: &App, call: Call) -> Handled {
    users_only(&call)?;
    let (telling, deciding) = (telling(app), Deciding::of(app));
    call.write(app, move |tx| {
        let body = &tx.input.body;
        let approves = body.text(&DECISION) == Some("approve");
        let choice = DecisionChoice::plain(body.text(&NOTE));
        let (mut results, mut told) = (Map::new(), Vec::new());
        for id in body.texts(&IDS).unwrap_or_default() {
            if results.contains_key(id) {
                continue;
            }
            let done = store::savepoint(tx.conn, |_| {
                if approves { deciding.approve(tx, id, &choice) } else { deciding.deny(tx, id, body.text(&NOTE)) }
            });
            let result = match done {
                Ok((record, one)) => {
                    told.push(one);
                    json!({"state": record["state"]})
                }
                Err(error) if error.code.status >= 500 => return Err(error),
                Err(error) => json!({"error": error.code.slug}),
            };
            results.insert(id.to_owned(), result);
        }
        Ok(telling(Reply::ok(&json!({"results": results})), told))
    })
}
