//! Freezing agents: one transaction suspends every credential of theirs, then their containers stand still; thawing
//! gives back exactly what lived before (contract of requests, section 5).

use std::sync::Arc;

use hyper::http::Method;
use serde_json::{Value, json};

use crate::access::{Action, AgentRole, Principal};
use crate::api::agents::{find, frozen};
use crate::api::engine::api_route::{ApiRoute, CheckedHandler};
use crate::api::engine::app::App;
use crate::api::engine::call::{After, Call, Handled, Tx, Written};
use crate::api::engine::slow::{self, Slow, WAIT};
use crate::jobs::events::frozen as told;
use crate::jobs::events::notifier::{self, Notice};
use crate::jobs::operations::freeze::{self, Freezing};
use crate::limits::FREEZE_REASON_CHARS;
use crate::rest::codes::{self, Code};
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::Field;
use crate::rest::reply::Reply;
use crate::rest::route::{Access, Answer, BodyKind, Repeat, Route};
use crate::rest::service::Outcome;
use crate::store;
use crate::store::agents::{self, Agent, Freezable};
use crate::store::operations::{Operation, OperationKind};

const REASON: Field =
    Field::text("reason", FREEZE_REASON_CHARS, "The reason, 1 to 500 characters. The owner reads it.").not_empty();
const STATUS: Field = Field::word("status", &["frozen", "thawed"], "What the agents are now.").required();
const NAME: Field = Field::unbounded("name", "The agent's slug.").required();
const COUNT: Field = Field::integer("agents", 0, i64::MAX, "How many agents changed.").required();
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
    Route {
        method: Method::POST,
        path,
        dialect: Taos,
        access: Access::Action(Action::AgentsFreeze, handler),
        id,
        title,
        about,
        repeat: Repeat::Safe,
        query: &[WAIT],
        body: BodyKind::Json(body),
        example: r#"{"reason": "It sends mail to strangers"}"#,
        answer: (200, Answer::Object(answer)),
        errors,
        doc: DOC,
        tool: None,
    }
}

/// The rows of the table.
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
            "What lived when the agent was frozen and was not revoked since works again. For users only; what an admin froze, \
         an admin thaws.",
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
        &[STATUS, COUNT, CONTAINERS],
        &[codes::USER_REQUIRED],
    ),
    row(
        "/api/thaw",
        thaw_all,
        "thaw_all",
        ("Thaw all your agents", "Thaws every frozen agent that the caller owns; an admin thaws all. For users only."),
        &[REASON],
        &[STATUS, COUNT, CONTAINERS],
        &[codes::USER_REQUIRED],
    ),
];

fn freeze_one(app: &App, call: Call) -> Handled {
    change(app, call, true, |tx| {
        let agent = find(tx.conn, tx.caller, tx.input.param(0), AgentRole::Owner)?.agent;
        Ok(Chosen::One(freezable(agent)))
    })
}

fn thaw_one(app: &App, call: Call) -> Handled {
    change(app, call, false, |tx| {
        let agent = find(tx.conn, tx.caller, tx.input.param(0), AgentRole::Owner)?.agent;
        users_only(tx)?;
        frozen::may_end(tx.caller, agent.frozen_by_admin)?;
        Ok(Chosen::One(freezable(agent)))
    })
}

fn freeze_all(app: &App, call: Call) -> Handled {
    change(app, call, true, |tx| {
        users_only(tx)?;
        Ok(Chosen::All(touchable(tx, agents::freezable(tx.conn, owner(tx))?)))
    })
}

fn thaw_all(app: &App, call: Call) -> Handled {
    change(app, call, false, |tx| {
        users_only(tx)?;
        let mut frozen = touchable(tx, agents::thawable(tx.conn, owner(tx))?);
        frozen.retain(|agent| frozen::may_end(tx.caller, agent.by_admin).is_ok());
        Ok(Chosen::All(frozen))
    })
}

/// The agents that a request is about.
enum Chosen {
    One(Freezable),
    All(Vec<Freezable>),
}

impl Chosen {
    fn answer(&self, status: &str) -> Value {
        match self {
            Self::One(agent) => json!({"status": status, "name": agent.slug}),
            Self::All(agents) => json!({"status": status, "agents": agents.len()}),
        }
    }

    fn agents(self) -> Vec<Freezable> {
        match self {
            Self::One(agent) => vec![agent],
            Self::All(agents) => agents,
        }
    }
}

fn freezable(agent: Agent) -> Freezable {
    Freezable {
        id: agent.id,
        slug: agent.slug,
        owner_user_id: agent.owner_user_id,
        container: agent.container_name,
        by_admin: agent.frozen_by_admin,
    }
}

fn users_only(tx: &Tx<'_>) -> Result<(), ApiError> {
    match tx.caller.principal() {
        Principal::User(_) => Ok(()),
        Principal::Agent { .. } => Err(codes::USER_REQUIRED.into()),
    }
}

/// Whose agents are all: the caller's, and for an admin everybody's.
fn owner<'a>(tx: &'a Tx<'_>) -> Option<&'a str> {
    (!tx.caller.is_admin()).then_some(tx.caller.user().id.as_str())
}

fn touchable(tx: &Tx<'_>, mut agents: Vec<Freezable>) -> Vec<Freezable> {
    agents.retain(|agent| tx.caller.may_touch(&agent.id));
    agents
}

/// Marks the chosen agents and tells their owners, in one transaction; then the containers follow.
fn change(
    app: &App,
    call: Call,
    freezes: bool,
    choose: impl FnOnce(&Tx<'_>) -> Result<Chosen, ApiError> + Send + 'static,
) -> Handled {
    let (slow, streams, notifier) = (Slow::new(app, &call.input), Arc::clone(&app.streams), app.notifier());
    let sleeper = Arc::clone(&app.sleeper);
    call.write(app, move |tx| {
        let chosen = choose(tx)?;
        let answer = chosen.answer(if freezes { "frozen" } else { "thawed" });
        let reason = tx.input.body.text(&REASON).unwrap_or_default().to_owned();
        let changed = if freezes { mark(tx, chosen.agents(), &reason)? } else { unmark(tx, chosen.agents())? };
        for agent in &changed {
            tx.audit_as(if freezes { "agents.freeze" } else { "agents.thaw" }, format!("agent:{}", agent.id))?;
        }
        let kind = if freezes { OperationKind::Freeze } else { OperationKind::Thaw };
        let op = Operation::new(store::new_id(), kind, tx.caller.maker(), tx.caller.request_id(), tx.now);
        let promised = freeze::promise(tx.conn, op, &changed, &answer)?;
        let notices = told::notices(&changed, freezes, &tx.caller.source(), &reason);
        let told = tell(tx, notices, notifier.reaches_webhook())?;
        let written = match promised {
            Some(op) => slow.follow(op, Vec::new(), slow::pending),
            None => Reply::ok(&answer).into(),
        };
        Ok(afterwards(written, move || {
            if freezes {
                streams.look_again();
            } else {
                // What came meanwhile wakes one that sleeps.
                sleeper.nudge();
            }
            notifier.told(&told);
        }))
    })
}

fn mark(tx: &Tx<'_>, agents: Vec<Freezable>, reason: &str) -> Result<Vec<Freezable>, ApiError> {
    let admin = tx.caller.is_admin().then(|| tx.caller.user().id.clone());
    let freezing = Freezing { by: tx.caller.source(), admin, reason: reason.to_owned(), at: tx.now };
    Ok(freeze::mark(tx.conn, agents, &freezing)?)
}

fn unmark(tx: &Tx<'_>, agents: Vec<Freezable>) -> Result<Vec<Freezable>, ApiError> {
    let mut thawed = Vec::new();
    for agent in agents {
        if agents::thaw(tx.conn, &agent.id, tx.now)? {
            thawed.push(agent);
        }
    }
    Ok(thawed)
}

fn tell(tx: &Tx<'_>, notices: Vec<(String, Notice)>, to_webhook: bool) -> Result<Vec<String>, ApiError> {
    let mut told = Vec::with_capacity(notices.len());
    for (user_id, notice) in notices {
        notifier::write(tx.conn, &user_id, &notice, to_webhook, tx.now)?;
        told.push(user_id);
    }
    Ok(told)
}

/// What is written, with more to do once it is on disk.
fn afterwards(written: Written, more: impl FnOnce() + Send + 'static) -> Written {
    let (reply, after): (Reply, After) = match written {
        Written::Reply(reply) => (reply, Box::new(|reply, _| Outcome::Done(reply))),
        Written::Then(reply, after) => (reply, after),
    };
    let all: After = Box::new(move |reply, claim| {
        more();
        after(reply, claim)
    });
    Written::Then(reply, all)
}
