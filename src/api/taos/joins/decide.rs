//! Joins: a caller without a credential asks to become an agent, or to come back as one (requests contract, section 4).
//! Nothing of it is stored before a person has decided. The decision makes the agent, or ends the old credentials of
//! the one that comes back. The key itself is made when its caller fetches it, so that no secret is stored meanwhile.

use std::time::Instant;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::key;
use crate::access::scopes::ax_scopes;
use crate::access::{self, Action, Caller, Principal, Scopes};
use crate::api::agents::create::{self, Birth};
use crate::api::agents::{frozen, name};
use crate::api::engine::call::Tx;
use crate::api::engine::joins::{Joins, WaitingJoin};
use crate::api::requests::{self, DecisionChoice, RequestNews, fields};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::secret::SecretHash;
use crate::store::agents::{self, Agent, Delivery, LiveAgent, TokenDelivery};
use crate::store::joins::{self as rows, Join};
use crate::store::page::Page;
use crate::store::profiles::{self, AgentProfile};
use crate::store::requests::{Filter, RequestState};
use crate::store::{self, credentials};
use crate::time::Micros;

const HOUR: i64 = 3600 * Micros::SECOND;

/// A record with its place in a list.
pub type Placed = ((Micros, String), Value);
/// Users by id and name.
type NamedUsers = Vec<(String, String)>;

/// A join that the caller may see.
pub enum VisibleJoin {
    /// An undecided join, with the hash of its device code.
    Waiting(Box<(SecretHash, WaitingJoin)>),
    /// A decided join.
    Decided(Box<Join>),
}

impl VisibleJoin {
    /// Returns the state of the join.
    pub fn state(&self) -> RequestState {
        match self {
            Self::Waiting(_) => RequestState::Pending,
            Self::Decided(join) => join.state,
        }
    }

    /// Returns the id of the join.
    pub fn id(&self) -> &str {
        match self {
            Self::Waiting(waiting) => &waiting.1.id,
            Self::Decided(join) => &join.id,
        }
    }

    /// Returns the record of the join.
    ///
    /// # Errors
    /// Any `StoreError`.
    pub fn show(&self, conn: &Connection, now: Micros) -> store::Result<Value> {
        match self {
            Self::Waiting(waiting) => shown_waiting(conn, &waiting.1, now),
            Self::Decided(join) => shown(conn, join, now),
        }
    }
}

/// Returns true if the caller may decide a join with this name: for an existing agent its owner and the admins, for a
/// new one those who may create agents. An agent never decides.
fn may_decide(conn: &Connection, caller: &Caller, called: &str) -> Result<bool, ApiError> {
    if caller.agent_id().is_some() {
        return Ok(false);
    }
    match agents::by_name(conn, called)? {
        Some(live) => Ok(owns(caller, &live.agent)),
        None => match access::may_create(conn, caller) {
            Ok(()) => Ok(true),
            Err(error) if error.code.status < 500 => Ok(false),
            Err(error) => Err(error),
        },
    }
}

fn owns(caller: &Caller, agent: &Agent) -> bool {
    caller.may_touch(&agent.id) && (caller.is_admin() || agent.owner_user_id == caller.user().id)
}

fn sees(caller: &Caller, join: &Join) -> bool {
    matches!(caller.principal(), Principal::User(user) if caller.is_admin() || join.decider_id == user.id)
        && join.agent_id.as_deref().is_none_or(|id| caller.may_touch(id))
}

/// Returns the join of this id or code, if there is one that the caller may see.
///
/// # Errors
/// Any `StoreError`.
pub fn find(conn: &Connection, joins: &Joins, caller: &Caller, text: &str) -> Result<Option<VisibleJoin>, ApiError> {
    if let Some(waiting) = joins.named(text, Instant::now())
        && rows::by_id(conn, &waiting.1.id)?.is_none()
    {
        let sees = may_decide(conn, caller, &waiting.1.name)?;
        return Ok(sees.then(|| VisibleJoin::Waiting(Box::new(waiting))));
    }
    let join = rows::by_id(conn, &text.to_ascii_lowercase())?.filter(|join| sees(caller, join));
    Ok(join.map(|join| VisibleJoin::Decided(Box::new(join))))
}

/// Returns the joins of a page of the caller's list, newest first, each with its place.
///
/// # Errors
/// Any `StoreError`.
pub fn list(
    conn: &Connection,
    joins: &Joins,
    caller: &Caller,
    filter: &Filter,
    page: &Page,
    now: Micros,
) -> Result<Vec<Placed>, ApiError> {
    let Principal::User(user) = caller.principal() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for waiting in joins.all(Instant::now()) {
        let place = (waiting.created_at, waiting.id.clone());
        if page.after.as_ref().is_none_or(|after| place < *after)
            && rows::by_id(conn, &waiting.id)?.is_none()
            && may_decide(conn, caller, &waiting.name)?
        {
            let slug = agents::slug_named(conn, &waiting.name)?;
            found.push((place, RequestState::Pending, slug, shown_waiting(conn, &waiting, now)?));
        }
    }
    let mut decided = Vec::new();
    let whose = (!caller.is_admin()).then_some(user.id.as_str());
    rows::list(conn, whose, page, &mut |join| {
        decided.push(join);
        true
    })?;
    for join in decided.into_iter().filter(|join| sees(caller, join)) {
        let record = shown(conn, &join, now)?;
        let slug = join.agent.unwrap_or_else(|| join.name.to_ascii_lowercase());
        found.push(((join.created_at, join.id), join.state, slug, record));
    }
    found.retain(|(_, state, slug, _)| {
        filter.state.is_none_or(|wanted| wanted == *state) && filter.agent.as_ref().is_none_or(|wanted| wanted == slug)
    });
    found.sort_by(|a, b| b.0.cmp(&a.0));
    Ok(found.into_iter().map(|(place, .., record)| (place, record)).collect())
}

/// The values that every record of a join has.
struct JoinParts<'a> {
    id: &'a str,
    state: RequestState,
    name: &'a str,
    code: &'a str,
    peer: &'a str,
    reason: &'a str,
    description: Option<&'a str>,
    origin_hint: Option<&'a str>,
    created_at: Micros,
    expires_at: Micros,
}

impl JoinParts<'_> {
    fn record(&self, agent: Value, deciders: &[(String, String)]) -> Value {
        let deciders: Vec<&str> = deciders.iter().map(|(_, name)| name.as_str()).collect();
        json!({
            "id": self.id,
            "kind": "join",
            "state": self.state,
            "agent": agent,
            "requester": format!("peer:{}", self.peer),
            "reason": self.reason,
            "asked": {"name": self.name, "description": self.description, "origin_hint": self.origin_hint},
            "granted": null,
            "duration_seconds": null,
            "until": null,
            "options": null,
            "answer": null,
            "note": null,
            "deciders": deciders,
            "decided_by": null,
            "created_at": self.created_at.millis(),
            "expires_at": self.expires_at.millis(),
            "decided_at": null,
            "code": self.code,
            "peer": self.peer,
        })
    }
}

/// Returns the agent of this name, if there is one, and the users who may decide.
fn deciders(conn: &Connection, called: &str, now: Micros) -> store::Result<(Option<LiveAgent>, NamedUsers)> {
    let live = agents::by_name(conn, called)?;
    let found = match &live {
        Some(live) => {
            let (owner, most) = (&live.agent.owner_user_id, crate::limits::REQUEST_DECIDERS);
            let mut all: Vec<(String, String)> = Vec::new();
            for one in store::requests::deciders(conn, owner, (None, None), now, most)? {
                if !all.contains(&one) {
                    all.push(one);
                }
            }
            all
        }
        None => rows::deciders(conn, now)?,
    };
    Ok((live, found))
}

fn shown_waiting(conn: &Connection, join: &WaitingJoin, now: Micros) -> store::Result<Value> {
    let (live, deciders) = deciders(conn, &join.name, now)?;
    let agent = live.map_or(Value::Null, |live| {
        let seen = live.last_used_at.map(Micros::millis);
        json!({"id": live.agent.id, "name": live.agent.slug, "last_used_at": seen})
    });
    let told = JoinParts {
        id: &join.id,
        state: RequestState::Pending,
        name: &join.name,
        code: &join.code,
        peer: &join.peer,
        reason: &join.reason,
        description: join.description.as_deref(),
        origin_hint: join.origin_hint.as_deref(),
        created_at: join.created_at,
        expires_at: join.expires_at,
    };
    Ok(told.record(agent, &deciders))
}

fn shown(conn: &Connection, join: &Join, now: Micros) -> store::Result<Value> {
    let told = JoinParts {
        id: &join.id,
        state: join.state,
        name: &join.name,
        code: &join.code,
        peer: &join.peer,
        reason: &join.reason,
        description: join.description.as_deref(),
        origin_hint: join.origin_hint.as_deref(),
        created_at: join.created_at,
        expires_at: join.expires_at,
    };
    let agent = match (&join.agent_id, &join.agent) {
        (Some(id), Some(name)) => json!({"id": id, "name": name}),
        _ => Value::Null,
    };
    let mut record = told.record(agent, &deciders(conn, &join.name, now)?.1);
    if join.state == RequestState::Approved {
        let how = if join.is_same { "same" } else { "new" };
        record["granted"] = json!({"as": how, "fetched_at": join.fetched_at.map(Micros::millis)});
    }
    record["note"] = json!(join.note);
    record["decided_by"] = json!(join.decided_by);
    record["decided_at"] = json!(join.decided_at.millis());
    Ok(record)
}

/// Stores a notification for each decider, in a transaction that belongs to no caller.
///
/// # Errors
/// Any `StoreError`.
pub fn notify(conn: &Connection, join: &WaitingJoin, to_webhook: bool, now: Micros) -> store::Result<RequestNews> {
    let (live, deciders) = deciders(conn, &join.name, now)?;
    let again = if live.is_some() { "again as" } else { "as" };
    let title = format!("Somebody at {} asks to join {again} {}", join.peer, join.name);
    let mut lines = vec![join.reason.clone(), format!("Code: {}", join.code)];
    lines.extend(join.description.clone());
    lines.push("Approve it only if you see the same code where it was asked.".to_owned());
    lines.push(format!("Decide by {}: taosctl requests show {}", join.expires_at.to_the_minute(), join.id));
    requests::people(conn, &join.id, &deciders, (&title, &lines.join("\n")), to_webhook, now)
}

/// The agent that a join becomes; `is_same` if it comes back.
struct Approval {
    agent: Agent,
    is_same: bool,
}

/// Approves a join.
///
/// # Errors
/// `validation_error` (422) if the choice does not fit, `agent_not_found`, `agent_frozen`, `create_not_allowed`,
/// `name_conflict`, `cleanup_required`, `scope_exceeds_issuer`, `request_decided`, those of `create::add`, or a
/// `StoreError`.
pub fn approve(
    tx: &Tx<'_>,
    found: VisibleJoin,
    choice: &DecisionChoice,
    most_keys: u64,
) -> Result<(Value, RequestNews), ApiError> {
    let VisibleJoin::Waiting(waiting) = found else { return Err(already(&found)) };
    choice.fits_join()?;
    let (device, join) = *waiting;
    let approval = admitted(tx, &join, choice)?;
    if approval.is_same {
        end_old(tx, &approval.agent, choice.keep_old.unwrap_or(0))?;
    }
    key::has_room(tx, most_keys, &approval.agent)?;
    let scopes =
        Scopes::of_agent(&approval.agent.scope).intersection(&ax_scopes::issuer_of_agents(tx.caller.issuer_scopes()));
    if scopes.is_empty() {
        return Err(codes::SCOPE_EXCEEDS_ISSUER.into());
    }
    let mut decision = decision(tx, &join, RequestState::Approved, choice.note.as_deref());
    decision.is_same = approval.is_same;
    decision.agent = Some(approval.agent.slug);
    decision.agent_id = Some(approval.agent.id);
    decision.scopes = Some(scopes.stored());
    decision.made_by = tx.caller.maker().credential;
    decided(tx, &device, &decision)
}

/// Denies a join.
///
/// # Errors
/// `request_decided`, or a `StoreError`.
pub fn deny(tx: &Tx<'_>, found: VisibleJoin, note: Option<&str>) -> Result<(Value, RequestNews), ApiError> {
    let VisibleJoin::Waiting(waiting) = found else { return Err(already(&found)) };
    let (device, join) = *waiting;
    let decision = decision(tx, &join, RequestState::Denied, note);
    decided(tx, &device, &decision)
}

fn already(found: &VisibleJoin) -> ApiError {
    ApiError::new(codes::REQUEST_DECIDED)
        .detail(format!("The request is {}; only a pending one can be decided.", found.state()))
        .with("state", found.state().slug())
}

/// Returns the agent that a join becomes, new or existing.
fn admitted(tx: &Tx<'_>, join: &WaitingJoin, choice: &DecisionChoice) -> Result<Approval, ApiError> {
    let called = choice.name.as_deref().unwrap_or(&join.name);
    let live = agents::by_name(tx.conn, called)?;
    let is_same = match (choice.become_as.as_deref(), &live) {
        (Some("same"), _) => true,
        (Some(_), _) | (None, None) => false,
        // Coming back ends the other credentials, so the decider must choose it explicitly.
        (None, Some(_)) => {
            let problem = format!("must be same or new: there is an agent {called} already");
            return Err(ApiError::field(fields::AS.name, problem));
        }
    };
    if !is_same {
        if choice.keep_old.is_some() {
            return Err(ApiError::field(fields::KEEP_OLD.name, "belongs to as:same, which has credentials to keep"));
        }
        within(tx, Action::AgentsCreate)?;
        name::given_name(called)?;
        let agent = born(tx, called)?;
        if let Some(description) = join.description.clone() {
            profiles::put(tx.conn, &agent.id, &AgentProfile { description, ..AgentProfile::default() })?;
        }
        return Ok(Approval { agent, is_same });
    }
    within(tx, Action::AgentsTokenIssue)?;
    let agent = live.map(|live| live.agent).filter(|agent| owns(tx.caller, agent)).ok_or(codes::AGENT_NOT_FOUND)?;
    frozen::refuse(&agent)?;
    Ok(Approval { agent, is_same })
}

/// Creates an agent of the decider with this name. A name that is taken is refused.
fn born(tx: &Tx<'_>, called: &str) -> Result<Agent, ApiError> {
    access::may_create(tx.conn, tx.caller)?;
    if agents::name_is_taken(tx.conn, &called.to_ascii_lowercase())? {
        return Err(codes::NAME_CONFLICT.into());
    }
    let scopes = ax_scopes::of_new_agent(tx.caller.issuer_scopes());
    let slug = name::free_slug(tx.conn, &name::slug_of(called))?;
    let birth = Birth { given_name: Some(called.to_owned()), ..Birth::named(slug, called.to_owned(), &scopes) };
    let agent = create::fresh(tx, birth)?;
    create::add(tx, &agent)?;
    Ok(agent)
}

/// Checks that the decider's own scopes allow the action.
fn within(tx: &Tx<'_>, action: Action) -> Result<(), ApiError> {
    if tx.caller.lasting_scopes().allow(action) {
        return Ok(());
    }
    Err(ApiError::new(codes::SCOPE_EXCEEDS_ISSUER)
        .detail(format!("The decider's own scopes do not cover {}.", action.slug()))
        .with("scope", action.slug()))
}

/// Ends the credentials of an agent, now or after this many hours. A key that was not fetched yet is given no more.
fn end_old(tx: &Tx<'_>, agent: &Agent, hours: i64) -> Result<(), ApiError> {
    rows::end_of_agent(tx.conn, &agent.id, tx.now)?;
    if hours > 0 {
        credentials::end_all_of_agent(tx.conn, &agent.id, tx.now.plus(hours * HOUR))?;
        return Ok(tx.audit_as("credentials.end", format!("agent:{} in {hours} h", agent.id))?);
    }
    if credentials::revoke_all_of_agent(tx.conn, &agent.id, tx.now)? > 0 {
        tx.audit_as("credentials.revoke", format!("agent:{}", agent.id))?;
    }
    if agent.container_name.is_some() {
        // The next start delivers no other token: the agent brings its own.
        agents::set_delivery(tx.conn, &agent.id, &Delivery::state(TokenDelivery::NotInjected), tx.now)?;
    }
    Ok(())
}

fn decision(tx: &Tx<'_>, join: &WaitingJoin, state: RequestState, note: Option<&str>) -> Join {
    let user = tx.caller.user();
    Join {
        id: join.id.clone(),
        state,
        name: join.name.clone(),
        code: join.code.clone(),
        peer: join.peer.clone(),
        reason: join.reason.clone(),
        description: join.description.clone(),
        origin_hint: join.origin_hint.clone(),
        agent_id: None,
        agent: None,
        is_same: false,
        scopes: None,
        made_by: None,
        decider_id: user.id.clone(),
        decided_by: user.username.clone(),
        note: note.map(str::to_owned),
        created_at: join.created_at,
        expires_at: join.expires_at,
        decided_at: tx.now,
        fetched_at: None,
    }
}

fn decided(tx: &Tx<'_>, device: &SecretHash, decision: &Join) -> Result<(Value, RequestNews), ApiError> {
    // If two decide at once, the database accepts one.
    if decision.expires_at <= tx.now || !rows::insert(tx.conn, decision, device)? {
        return Err(codes::REQUEST_DECIDED.into());
    }
    tx.audit(format!("request:{}", decision.id))?;
    Ok((shown(tx.conn, decision, tx.now)?, requests::of_join(&decision.id)))
}
