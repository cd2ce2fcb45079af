//! Agents' tokens: issue, show, revoke (taOS contract, section 3).

use std::sync::Arc;

use hyper::http::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::scope;
use crate::access::{self, Action, AgentRole, Caller, Scopes};
use crate::api::agents::{find, frozen};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{After, Call, Handled, Tx, Written};
use crate::api::engine::descent;
use crate::api::engine::dispatch::render;
use crate::jobs::operations::Jobs;
use crate::jobs::operations::delivery::{self, Asker, Delivered, Terms};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::field::{Field, Type};
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::rest::service::Outcome;
use crate::rest::stream;
use crate::secret::{AgentToken, Issued, Kind};
use crate::store;
use crate::store::agents::{self, Agent, Delivery, TokenDelivery};
use crate::store::credentials::{self, Credential, CredentialState, NewCredential};
use crate::time::Micros;

const fn text(name: &'static str, about: &'static str) -> Field {
    Field::unbounded(name, about).required().nullable()
}

/// The credentials that an agent holds beside its token.
const STILL_LIVE: Field =
    Field::of("still_live", Type::Objects(descent::MADE), "The agent's other credentials that are still valid.")
        .required();

pub(super) const EXPIRES_IN_DAYS: Field =
    Field::integer("expires_in_days", 1, 3650, "Days until the token expires; never if absent.");
const GRACE_SECONDS: Field =
    Field::integer("grace_seconds", 0, 3600, "Seconds that the old token stays valid; 0 if absent.");
const DELIVER: Field =
    Field::flag("deliver", "Whether to deliver the token into the agent's container; true if it has one.");
const ALL: Field = Field::flag("all", "Also end the agent's personal access tokens and keys; false if absent.");
/// The routes for agents' tokens.
pub const ROUTES: &[ApiRoute] = &[
    ApiRoute::checked(Method::POST, "/api/agents/{name}/token/issue", Taos, Action::AgentsTokenIssue, issue)
        .described(
            "agents_token_issue",
            "Issue an agent's token",
            "Shows the token once and replaces the old one. An agent never has more than one active token.",
            "recipes/tokens-and-rotation#issue",
        )
        .taking(
            &[
                Field::of("scope", Type::Scopes, "The scopes of the token; the agent's if absent."),
                EXPIRES_IN_DAYS,
                GRACE_SECONDS,
                DELIVER,
            ],
            r#"{"grace_seconds": 60}"#,
        )
        .secret()
        .answering(
            200,
            Answer::Object(&[
                text("token", "The token; null if it was delivered into the container instead."),
                Field::unbounded("credential_id", "The id of the token.").required(),
                Field::unbounded("issued_at", "When the token was issued.").required(),
                text("expires_at", "When the token expires; null if it does not."),
                Field::unbounded_texts("scope", "The scopes of the token.").required(),
                text("token_delivery", "The state of the delivery."),
                text("previous_valid_until", "When the old token stops being valid; null if it has."),
            ]),
        )
        .failing(&[
            codes::AGENT_NOT_FOUND,
            codes::FORBIDDEN,
            codes::AGENT_HAS_NO_CONTAINER,
            codes::DELIVERY_FAILED,
            codes::AGENT_FROZEN,
            codes::INVALID_SCOPE,
            codes::SCOPE_EXCEEDS_ISSUER,
        ]),
    ApiRoute::checked(Method::GET, "/api/agents/{name}/token", Taos, Action::AgentsTokenRead, show)
        .described(
            "agents_token_show",
            "Show the record of an agent's token",
            "The record does not contain the token itself.",
            "recipes/tokens-and-rotation#issue",
        )
        .answering(
            200,
            Answer::Object(&[
                Field::flag("has_token", "True if the agent has a valid token.").required(),
                text("credential_id", "The active token's id."),
                text("key_id", "The public part of the active token, which identifies it."),
                Field::unbounded_texts("scope", "The scopes of the token.").required(),
                text("issued_at", "When the token was issued."),
                text("issued_by", "Who issued the token."),
                text("expires_at", "When the token expires."),
                text("last_used_at", "When the token was last used, to the minute."),
                text("grace_until", "When the old token stops being valid; null if it has."),
                text("token_delivery", "The outcome of the last delivery of a token into the container."),
                text("token_delivery_at", "When that delivery ended."),
                text("token_delivery_error", "Why the delivery failed."),
                STILL_LIVE,
            ]),
        )
        .failing(&[codes::AGENT_NOT_FOUND]),
    ApiRoute::checked(Method::DELETE, "/api/agents/{name}/token", Taos, Action::AgentsTokenRevoke, revoke)
        .described(
            "agents_token_revoke",
            "Revoke an agent's token",
            "Ends the active token and a token in its grace at once. Succeeds also if there is none. If other \
                credentials of the agent are still valid, the reply is 200 and lists them; all=true ends them too.",
            "recipes/tokens-and-rotation#revoke",
        )
        .asking(&[ALL])
        .answering(204, Answer::EmptyOr(&[STILL_LIVE]))
        .failing(&[codes::AGENT_NOT_FOUND, codes::FORBIDDEN]),
];

/// The checked fields of a request for a token.
struct IssueRequest {
    scopes: Option<Scopes>,
    lifetime: Option<i64>,
    grace: i64,
}

fn issue(app: &App, call: Call) -> Handled {
    let body = &call.input.body;
    let wanted = IssueRequest {
        scopes: scope::asked(body)?,
        lifetime: body.integer(&EXPIRES_IN_DAYS).map(|days| days * Micros::DAY),
        grace: body.integer(&GRACE_SECONDS).unwrap_or(0) * Micros::SECOND,
    };
    if let Some(scopes) = &wanted.scopes {
        scope::within(&call.caller, scopes)?;
    }
    let jobs = Arc::clone(&app.jobs);
    call.write(app, move |tx| {
        let agent = find(tx.conn, tx.caller, tx.input.param(0), AgentRole::Editor)?.agent;
        frozen::refuse(&agent)?;
        scope::within_agent(tx.conn, tx.caller, &agent, wanted.scopes.as_ref())?;
        match (tx.input.body.flag(&DELIVER), &agent.container_name) {
            (Some(true), None) => Err(codes::AGENT_HAS_NO_CONTAINER.into()),
            (Some(false), _) | (None, None) => replace(tx, &agent, wanted).map(Written::from),
            (_, Some(_)) => deliver(tx, jobs, agent, wanted),
        }
    })
}

/// Returns the scopes that were asked for, or else the agent's, which the caller must hold as well.
fn scopes(caller: &Caller, agent: &Agent, asked: Option<Scopes>) -> Result<Scopes, ApiError> {
    if let Some(scopes) = asked {
        return Ok(scopes);
    }
    let scopes = Scopes::from_stored(&agent.scope);
    scope::within(caller, &scopes)?;
    Ok(scopes)
}

/// Checks what can be checked now. After the commit the token is issued and delivered into the container; deliveries to
/// one agent run one after the other.
fn deliver(tx: &Tx<'_>, jobs: Arc<Jobs>, agent: Agent, wanted: IssueRequest) -> Result<Written, ApiError> {
    scopes(tx.caller, &agent, wanted.scopes.clone())?;
    tx.charge(crate::api::engine::slow::ROWS);
    let asker = Asker { maker: tx.caller.maker(), request_id: tx.caller.request_id().to_owned() };
    let (caller, action, dialect) = (tx.caller.clone(), tx.action, tx.input.dialect);
    let terms = Terms { lifetime: wanted.lifetime, grace: wanted.grace };
    let after: After = Box::new(move |_, _| {
        let (fulfiller, promise) = stream::promise();
        let request_id = asker.request_id.clone();
        let queued = jobs.run(Some(&agent.id.clone()), move |jobs| {
            // The agent's scopes may have been narrowed since, and the caller's rights may have ended.
            let scopes = move |conn: &Connection, agent: &Agent| {
                let now = access::require_still_good(conn, &caller, action, dialect)?;
                access::require_no_less(&caller, &now, dialect)?;
                access::require(conn, &now, &agent.id, AgentRole::Editor)?;
                scopes(&now, agent, wanted.scopes)
            };
            let reply = delivery::issue(jobs, &agent.id, &terms, &asker, scopes)
                .map(|delivered| shown(&delivered))
                .unwrap_or_else(|error| render(&error, dialect, &asker.request_id));
            fulfiller.keep(Outcome::Done(reply));
        });
        match queued {
            Ok(()) => Outcome::Pending(promise),
            Err(error) => Outcome::Done(render(&error.into(), dialect, &request_id)),
        }
    });
    Ok(Written::Then(Reply::no_content(), after))
}

/// Returns the reply after a delivery, without the token: it stays in the container.
fn shown(delivered: &Delivered) -> Reply {
    Reply::ok(&json!({
        "token": null,
        "credential_id": delivered.id,
        "issued_at": delivered.issued_at.millis(),
        "expires_at": delivered.expires_at.map(Micros::millis),
        "scope": delivered.scopes.texts(),
        "token_delivery": delivered.delivery,
        "previous_valid_until": delivered.previous_valid_until.map(Micros::millis),
    }))
}

/// Revokes the old token, or gives it its grace, and stores the new one: one transaction, one commit.
fn replace(tx: &Tx<'_>, agent: &Agent, wanted: IssueRequest) -> Result<Reply, ApiError> {
    let scopes = scopes(tx.caller, agent, wanted.scopes)?;
    let wished = wanted.lifetime.map(|lifetime| tx.now.plus(lifetime));
    let expires_at = credentials::end_of_successor(tx.conn, &tx.caller.maker(), &agent.id, wished)?;
    credentials::delete_pending(tx.conn, &agent.id)?;
    let previous_valid_until = credentials::retire_agent_token(tx.conn, &agent.id, wanted.grace, tx.now)?;
    let issued = AgentToken::generate();
    let id = store::new_id();
    insert(tx, agent, &issued, &id, &scopes, expires_at)?;
    agents::set_delivery(tx.conn, &agent.id, &Delivery::state(TokenDelivery::NotInjected), tx.now)?;
    tx.audit(format!("agent:{}", agent.id))?;
    Ok(Reply::ok(&json!({
        "token": issued.plaintext.reveal(),
        "credential_id": id,
        "issued_at": tx.now.millis(),
        "expires_at": expires_at.map(Micros::millis),
        "scope": scopes.texts(),
        "token_delivery": TokenDelivery::NotInjected,
        "previous_valid_until": previous_valid_until.map(Micros::millis),
    })))
}

fn insert(
    tx: &Tx<'_>,
    agent: &Agent,
    issued: &Issued,
    id: &str,
    scopes: &Scopes,
    expires_at: Option<Micros>,
) -> Result<(), ApiError> {
    let new = NewCredential {
        id,
        kind: Kind::AgentToken,
        issued,
        user_id: None,
        agent_id: Some(&agent.id),
        scopes: &scopes.stored(),
        label: "",
        state: CredentialState::Active,
        maker: &tx.caller.maker(),
        issued_at: tx.now,
        expires_at,
    };
    Ok(credentials::insert(tx.conn, &new)?)
}

fn expired(token: &Credential, now: Micros) -> bool {
    token.expires_at.is_some_and(|at| at <= now)
}

fn show(app: &App, call: Call) -> Handled {
    let (agent, active, grace, others) = app.store.read(|conn| {
        let agent = find(conn, &call.caller, call.input.param(0), AgentRole::Viewer)?.agent;
        let active = credentials::agent_token(conn, &agent.id, CredentialState::Active)?;
        let grace = credentials::agent_token(conn, &agent.id, CredentialState::Grace)?;
        let others = credentials::others_of_agent(conn, &agent.id, Micros::now())?;
        Ok::<_, ApiError>((agent, active, grace, others))
    })?;
    let now = Micros::now();
    let token = active.as_ref();
    let time = |at: Option<Micros>| at.map(Micros::millis);
    let scopes = token.map_or(Value::from(Vec::<Value>::new()), |t| json!(Scopes::from_stored(&t.scopes).texts()));
    Ok(Reply::ok(&json!({
        "has_token": token.is_some_and(|t| !expired(t, now)),
        "credential_id": token.map(|t| &t.id),
        "key_id": token.map(|t| &t.key_id),
        "scope": scopes,
        "issued_at": time(token.map(|t| t.issued_at)),
        "issued_by": token.map(|t| &t.issued_by),
        "expires_at": time(token.and_then(|t| t.expires_at)),
        "last_used_at": time(token.and_then(|t| t.last_used_at)),
        "grace_until": time(grace.filter(|t| !expired(t, now)).and_then(|t| t.expires_at)),
        "token_delivery": agent.token_delivery,
        "token_delivery_at": time(agent.token_delivery_at),
        "token_delivery_error": agent.token_delivery_error,
        "still_live": descent::show(&others),
    }))
    .into())
}

/// Revokes the token and, with `all`, every other credential of the agent; without `all` the reply lists those.
fn revoke(app: &App, call: Call) -> Handled {
    let jobs = Arc::clone(&app.jobs);
    call.write(app, move |tx| {
        let agent = find(tx.conn, tx.caller, tx.input.param(0), AgentRole::Editor)?.agent;
        let others = credentials::others_of_agent(tx.conn, &agent.id, tx.now)?;
        let all = tx.input.query.flag(&ALL).unwrap_or(false);
        let had_token = credentials::revoke_agent_tokens(tx.conn, &agent.id, tx.now)? > 0;
        if all {
            for other in &others {
                credentials::revoke(tx.conn, &other.id, tx.now)?;
                tx.audit(format!("credential:{}", other.id))?;
            }
            // A key that is approved and not fetched yet is one of them.
            store::joins::end_of_agent(tx.conn, &agent.id, tx.now)?;
        }
        let reply = if all || others.is_empty() {
            Reply::no_content()
        } else {
            Reply::ok(&json!({"still_live": descent::show(&others)}))
        };
        if !had_token {
            return Ok(Written::Reply(reply));
        }
        // If the agent has a container, this state says that it has no token on purpose, so that no later start
        // delivers another.
        let noted = agent
            .container_name
            .as_ref()
            .map_or_else(Delivery::default, |_| Delivery::state(TokenDelivery::NotInjected));
        agents::set_delivery(tx.conn, &agent.id, &noted, tx.now)?;
        tx.audit(format!("agent:{}", agent.id))?;
        if agent.container_name.is_none() {
            return Ok(Written::Reply(reply));
        }
        let after: After = Box::new(move |reply, _| {
            // The token is revoked already, so nobody waits until it has left the container too.
            let id = agent.id.clone();
            if jobs.run(Some(&id), move |jobs| delivery::withdraw(jobs, &agent)).is_err() {
                log::warn!("the revoked token of agent {id} stays in its container: the queue of deliveries is full");
            }
            Outcome::Done(reply)
        });
        Ok(Written::Then(reply, after))
    })
}
