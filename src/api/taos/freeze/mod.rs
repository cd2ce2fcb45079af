//! Freezing agents: one transaction suspends all their credentials, then their containers are frozen. Thawing restores
//! exactly what was valid before (contract of requests, section 5).

mod change;

use hyper::http::Method;
use serde_json::json;

use self::change::{FreezeChange, FreezeNews};
use crate::access::{Action, AgentRole, Caller, Principal};
use crate::api::agents::{find, frozen};
use crate::api::engine::api_route::{ApiRoute, CheckedHandler};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::slow::{Slow, WAIT};
use crate::limits::TIME_CHARS;
use crate::rest::codes::{self, Code};
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::route::Answer;
use crate::store;
use crate::store::agents::{Agent, Freezable};
use crate::time::Micros;
use change::REASON;

const STATUS: Field = Field::word("status", &["frozen", "thawed"], "What the agents are now.").required();
const NAME: Field = Field::unbounded("name", "The agent's slug.").required();
const COUNT: Field = Field::integer("agents", 0, i64::MAX, "How many agents changed.").required();
const FROZEN_AT: Field =
    Field::shown("frozen_at", "When they were frozen. Send it to POST /api/thaw to undo only this freeze.").promised();
const ONLY: Field = Field::text(
    "frozen_at",
    TIME_CHARS,
    "Thaw only the agents of one freeze: the frozen_at from the reply of POST /api/freeze.",
)
.told(TIME);
/// The pattern of one form of a time, for the OpenAPI document.
const TIME: &str = r#"{"pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{6}Z$"}"#;
const CONTAINERS: Field =
    Field::of("containers", crate::rest::field::Type::AnyObject, "By slug: success, or error; after the wait.");
const DOC: &str = "recipes/freezing";

const fn row(
    path: &'static str,
    handler: CheckedHandler,
    id: &'static str,
    (title, about): (&'static str, &'static str),
    body: &'static [Field],
    answer: &'static [Field],
    errors: &'static [&'static Code],
) -> ApiRoute {
    ApiRoute::checked(Method::POST, path, Taos, Action::AgentsFreeze, handler)
        .described(id, title, about, DOC)
        .asking(&[WAIT])
        .taking(body, r#"{"reason": "It sends mail to strangers"}"#)
        .answering(200, Answer::Object(answer))
        .failing(errors)
}

/// The routes for freezing and thawing.
pub const ROUTES: &[ApiRoute] = &[
    row(
        "/api/agents/{name}/freeze",
        freeze_one,
        "agents_freeze",
        (
            "Freeze an agent",
            "Suspends every credential of the agent at once, then freezes its container. Needs the role owner.",
        ),
        &[REASON.required()],
        &[STATUS, NAME, CONTAINERS],
        &[codes::AGENT_NOT_FOUND, codes::FORBIDDEN],
    ),
    row(
        "/api/agents/{name}/thaw",
        thaw_one,
        "agents_thaw",
        (
            "Thaw an agent",
            "The credentials that were valid at the freeze and were not revoked since work again. For users only; if \
                an admin froze the agent, only an admin can thaw it.",
        ),
        &[REASON],
        &[STATUS, NAME, CONTAINERS],
        &[codes::AGENT_NOT_FOUND, codes::FORBIDDEN, codes::USER_REQUIRED],
    ),
    row(
        "/api/freeze",
        freeze_all,
        "freeze_all",
        (
            "Freeze all your agents",
            "Freezes every agent that the caller owns; an admin freezes all agents of the box. For users only.",
        ),
        &[REASON.required()],
        &[STATUS, COUNT, FROZEN_AT, CONTAINERS],
        &[codes::USER_REQUIRED],
    ),
    row(
        "/api/thaw",
        thaw_all,
        "thaw_all",
        (
            "Thaw all your agents",
            "Thaws every frozen agent that the caller owns; an admin thaws all. With frozen_at it thaws only the \
                agents of that freeze. For users only.",
        ),
        &[REASON, ONLY],
        &[STATUS, COUNT, CONTAINERS],
        &[codes::USER_REQUIRED],
    ),
];

fn freeze_one(app: &App, call: Call) -> Handled {
    change_one(app, call, true)
}

fn thaw_one(app: &App, call: Call) -> Handled {
    change_one(app, call, false)
}

fn freeze_all(app: &App, call: Call) -> Handled {
    change_all(app, call, true)
}

fn thaw_all(app: &App, call: Call) -> Handled {
    change_all(app, call, false)
}

/// Marks an agent and notifies its owner in one transaction. Then an operation changes its container, if it has one.
fn change_one(app: &App, call: Call, freezes: bool) -> Handled {
    let (slow, told) = (Slow::new(app, &call.input), FreezeNews::of(app, freezes));
    let mut change = FreezeChange::of(&call, told.to_webhook(), freezes);
    call.write(app, move |tx| {
        let agent = find(tx.conn, tx.caller, tx.input.param(0), AgentRole::Owner)?.agent;
        if !freezes {
            users_only(tx.caller)?;
            frozen::may_end(tx.caller, agent.frozen_by_admin)?;
        }
        let answer = json!({"status": change.status(), "name": agent.slug});
        change.one(tx.conn, freezable(agent))?;
        let users = change.tell(tx.conn)?;
        let written = change.promise(tx, slow, &answer)?;
        Ok(written.before(move |after, reply, claim| {
            told.now(&users);
            after(reply, claim)
        }))
    })
}

/// Marks the agents and notifies their owners. Then an operation changes the containers. A few hundred agents are
/// marked in one transaction, more of them in several, so that others' writes go in between.
fn change_all(app: &App, call: Call, freezes: bool) -> Handled {
    users_only(&call.caller)?;
    let (slow, told) = (Slow::new(app, &call.input), FreezeNews::of(app, freezes));
    let mut change = FreezeChange::of(&call, told.to_webhook(), freezes).only(one_freeze(&call.input)?);
    let users = loop {
        let (so_far, users) = app.store.write(move |conn| {
            let users = change.some(conn)?;
            store::Result::Ok((change, users))
        })?;
        change = so_far;
        if let Some(users) = users {
            break users;
        }
    };
    told.now(&users);
    call.begun().write(app, move |tx| {
        let mut answer = json!({"status": change.status(), "agents": change.agents()});
        if freezes {
            answer["frozen_at"] = json!(change.at().micros());
        }
        change.promise(tx, slow, &answer)
    })
}

/// Returns the time of the only freeze to undo; `None`: all of them. Every agent of one freeze has the same time.
fn one_freeze(input: &Input) -> Result<Option<Micros>, ApiError> {
    let Some(text) = input.body.text(&ONLY) else { return Ok(None) };
    let at = Micros::parse(text);
    at.map(Some).ok_or_else(|| ApiError::field(ONLY.name, "must be the frozen_at from the reply to the freeze"))
}

fn users_only(caller: &Caller) -> Result<(), ApiError> {
    match caller.principal() {
        Principal::User(_) => Ok(()),
        Principal::Agent { .. } => Err(codes::USER_REQUIRED.into()),
    }
}

fn freezable(agent: Agent) -> Freezable {
    Freezable {
        // There is no page after it.
        place: 0,
        frozen_at: agent.frozen_at,
        id: agent.id,
        slug: agent.slug,
        owner_user_id: agent.owner_user_id,
        container: agent.container_name,
        by_admin: agent.frozen_by_admin,
    }
}
