//! Making requests: a request is read and checked, then one transaction stores it with the notifications of its
//! deciders.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::ask::{self, Question};
use super::fields;
use super::tell::{self, RequestNews};
use crate::access::{self, AgentRole, Caller, Scopes, SpaceRole};
use crate::api::engine::call::Tx;
use crate::config::Requests;
use crate::limits::{
    DENIED_FOR, QUESTION_CHARS, QUESTION_OPTIONS, REQUEST_LIFE, REQUESTS_PENDING, REQUESTS_PER_HOUR, SCOPE_CHARS,
};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Fields;
use crate::store::grants::GrantRole;
use crate::store::requests::{self as rows, NewRequest, Request, RequestKind};
use crate::store::{self, agents, spaces};
use crate::time::Micros;

/// The `decided_by` of a question that the user of the agent's client has answered.
pub const BY_CLIENT: &str = "client";
const HOUR: i64 = 3600 * Micros::SECOND;

/// A checked request of an agent, not stored yet.
#[derive(Debug)]
pub struct RequestDraft {
    kind: RequestKind,
    what: What,
    reason: String,
    duration: Option<i64>,
    life: Option<i64>,
    /// The space of the question's message; `None`: the space of the agent.
    space: Option<String>,
    /// True for a question to the user, which has an error code of its own.
    by_ask: bool,
    /// The answer that the user of the agent's client has given already; empty if that user declined to answer.
    by_client: Option<String>,
}

#[derive(Debug)]
enum What {
    Scope(Scopes),
    Grant { resource: String, role: GrantRole },
    Question(Question),
}

/// The result of making a request.
pub enum RequestOutcome {
    /// The agent already has what it asks for.
    NotNeeded,
    /// The same request of the agent is pending already.
    Same(Box<Request>),
    /// A new request, and its news.
    New(Box<(Request, RequestNews)>),
}

/// The fields that belong to only one kind of request.
const OF_KIND: &[(&Field, RequestKind)] = &[
    (&fields::SCOPE, RequestKind::Scope),
    (&fields::RESOURCE, RequestKind::Grant),
    (&fields::ROLE, RequestKind::Grant),
    (&fields::QUESTION, RequestKind::Confirm),
    (&fields::OPTIONS, RequestKind::Confirm),
    (&fields::FREE_TEXT, RequestKind::Confirm),
];

/// Reads and checks a request from a body.
///
/// # Errors
/// `validation_error` or `invalid_scope` (both 422).
pub fn wanted(body: &Fields) -> Result<RequestDraft, ApiError> {
    let kind: RequestKind = body.word(&fields::KIND)?.ok_or_else(|| ApiError::field("kind", "must be there"))?;
    for (field, of) in OF_KIND.iter().filter(|(field, _)| body.value(field).is_some()) {
        if *of != kind {
            return Err(ApiError::field(field.name, format!("belongs to the kind {of}, not {kind}")));
        }
    }
    let duration = body.integer(&fields::DURATION);
    if kind == RequestKind::Confirm && duration.is_some() {
        return Err(ApiError::field("duration_seconds", "belongs to the kinds scope and grant, not confirm"));
    }
    let what = match kind {
        RequestKind::Scope => What::Scope(scopes(body)?),
        RequestKind::Grant => grant(body)?,
        RequestKind::Confirm => What::Question(ask::check(body, QUESTION_CHARS.0, QUESTION_OPTIONS[0])?),
    };
    let reason = body.text(&fields::REASON).unwrap_or("").to_owned();
    let life = body.integer(&fields::LIFE);
    Ok(RequestDraft { kind, what, reason, duration, life, space: None, by_ask: false, by_client: None })
}

impl RequestDraft {
    /// Returns a question to the agent's owner.
    pub fn question(question: Question, space: Option<String>) -> Self {
        let what = What::Question(question);
        let kind = RequestKind::Confirm;
        let reason = String::new();
        Self { kind, what, reason, duration: None, life: None, space, by_ask: true, by_client: None }
    }

    /// Adds the answer that the user of the agent's client has given.
    #[must_use]
    pub fn answered(self, by_client: Option<String>) -> Self {
        Self { by_client, ..self }
    }

    fn told(&self) -> Value {
        match &self.what {
            What::Scope(scopes) => json!({"scope": scopes.texts()}),
            What::Grant { resource, role } => json!({"resource": resource, "role": role}),
            What::Question(question) => question.told(),
        }
    }
}

fn scopes(body: &Fields) -> Result<Scopes, ApiError> {
    let texts = body.texts(&fields::SCOPE).filter(|texts| !texts.is_empty());
    let texts = texts.ok_or_else(|| ApiError::field("scope", "must name at least one scope"))?;
    Scopes::parse(texts).map_err(|error| {
        ApiError::new(codes::INVALID_SCOPE).detail(format!("{error}, of at most {SCOPE_CHARS} characters."))
    })
}

fn grant(body: &Fields) -> Result<What, ApiError> {
    let resource = body.text(&fields::RESOURCE).unwrap_or("");
    let is_named =
        matches!(resource.split_once(':'), Some(("agent" | "space", name)) if !name.is_empty() && name != "*");
    if !is_named {
        return Err(ApiError::field("resource", "must be agent:NAME or space:NAME; an id may stand for the name"));
    }
    let role: Option<GrantRole> = body.word(&fields::ROLE)?;
    let role = role.ok_or_else(|| ApiError::field("role", "must be viewer, editor or owner"))?;
    Ok(What::Grant { resource: resource.to_owned(), role })
}

/// The id of the agent or of the space that a grant is about; `None` if there is none.
type GrantTarget = (Option<String>, Option<String>);

fn target(conn: &Connection, what: &What) -> store::Result<GrantTarget> {
    let What::Grant { resource, .. } = what else { return Ok((None, None)) };
    Ok(match resource.split_once(':') {
        Some(("agent", name)) => (agents::resolve(conn, name)?.map(|live| live.agent.id), None),
        Some((_, name)) => (None, spaces::by_id_or_slug(conn, name)?.map(|space| space.id)),
        None => (None, None),
    })
}

/// Returns true if the caller already has what it asks for. It has no role on something that it may not see.
fn has_it(conn: &Connection, caller: &Caller, what: &What, target: &GrantTarget, now: Micros) -> store::Result<bool> {
    Ok(match (what, target) {
        (What::Scope(scopes), _) => caller.scopes().first_not_covered(scopes).is_none(),
        (What::Grant { role, .. }, (Some(agent), _)) => {
            access::role_on(conn, caller, agent)? >= role.slug().parse::<AgentRole>().ok().or(Some(AgentRole::Owner))
        }
        (What::Grant { role, .. }, (_, Some(space))) => {
            access::space_role_on(conn, caller, space, now)?
                >= role.slug().parse::<SpaceRole>().ok().or(Some(SpaceRole::Owner))
        }
        _ => false,
    })
}

/// Stores the request, unless the agent already has what it asks for or the same request is pending.
///
/// # Errors
/// `agent_required`, `recently_denied`, `rate_limited`, `too_many_requests_pending`, `too_many_questions`, the errors
/// of the space that the question is sent in, or a `StoreError`.
pub fn create(
    tx: &Tx<'_>,
    asked: &RequestDraft,
    settings: Requests,
    to_webhook: bool,
) -> Result<RequestOutcome, ApiError> {
    let agent_id = tx.caller.agent_id().ok_or(codes::AGENT_REQUIRED)?;
    let target = target(tx.conn, &asked.what)?;
    if has_it(tx.conn, tx.caller, &asked.what, &target, tx.now)? {
        return Ok(RequestOutcome::NotNeeded);
    }
    let told = asked.told().to_string();
    let same = *blake3::hash(format!("{} {told}", asked.kind).as_bytes()).as_bytes();
    let is_open = asked.by_client.is_none();
    if let Some(pending) = rows::pending_like(tx.conn, agent_id, &same, tx.now)?.filter(|_| is_open) {
        return Ok(RequestOutcome::Same(Box::new(pending)));
    }
    bounds(tx, asked, agent_id, &same)?;
    let id = store::new_id();
    let message = match &asked.what {
        What::Question(question) if is_open => ask::put(tx, &id, question, asked.space.as_deref(), asked.by_ask)?,
        _ => None,
    };
    let least = REQUEST_LIFE.0;
    let life = asked.life.unwrap_or(settings.ttl).max(least);
    rows::insert(
        tx.conn,
        &NewRequest {
            id: &id,
            kind: asked.kind,
            agent_id,
            created_at: tx.now,
            expires_at: tx.now.plus(life.saturating_mul(Micros::SECOND)),
            duration_seconds: asked.duration,
            target_agent_id: target.0.as_deref(),
            target_space_id: target.1.as_deref(),
            message_id: message.as_ref().map(|put| put.message_id.as_str()),
            same: &same,
            reason: &asked.reason,
            asked: &told,
        },
    )?;
    tx.audit(format!("request:{id}"))?;
    let request = rows::by_id(tx.conn, &id)?.ok_or(codes::INTERNAL)?;
    if let Some(answer) = &asked.by_client {
        return close(tx, &request, answer);
    }
    let mut told = tell::deciders(tx, &request, to_webhook)?;
    told.put = message;
    Ok(RequestOutcome::New(Box::new((request, told))))
}

/// Stores what the user of the agent's client said. Nobody on this box has decided it, and the deciders are no longer
/// asked.
fn close(tx: &Tx<'_>, request: &Request, answer: &str) -> Result<RequestOutcome, ApiError> {
    if answer.trim().is_empty() {
        rows::withdraw(tx.conn, &request.id, tx.now)?;
    } else {
        let answer = ask::answer(request, answer).to_string();
        rows::answer(tx.conn, request, answer, (None, BY_CLIENT), tx.now)?;
    }
    let request = rows::by_id(tx.conn, &request.id)?.ok_or(codes::INTERNAL)?;
    let told = tell::changed(tx.conn, &request, tx.now)?;
    Ok(RequestOutcome::New(Box::new((request, told))))
}

/// Checks the limits of an agent's requests: denied lately, in the last hour, and pending.
fn bounds(tx: &Tx<'_>, asked: &RequestDraft, agent_id: &str, same: &[u8; 32]) -> Result<(), ApiError> {
    let denied_for = i64::try_from(DENIED_FOR.as_micros()).unwrap_or(i64::MAX);
    if let Some(denied) = rows::denied_since(tx.conn, agent_id, same, tx.now.plus(-denied_for))? {
        return Err(ApiError::new(codes::RECENTLY_DENIED).with("request_id", denied.id).with("note", denied.note));
    }
    let (count, oldest) = rows::count_since(tx.conn, agent_id, tx.now.plus(-HOUR), REQUESTS_PER_HOUR)?;
    if count >= REQUESTS_PER_HOUR {
        let left = oldest.map_or(HOUR, |oldest| oldest.plus(HOUR).0.saturating_sub(tx.now.0));
        return Err(ApiError::new(codes::RATE_LIMITED)
            .detail(format!("The agent has made {count} requests in the last hour."))
            .retry_after(u64::try_from(left / Micros::SECOND + 1).unwrap_or(1)));
    }
    let questions = asked.kind == RequestKind::Confirm;
    let most = if questions { REQUESTS_PENDING.1 } else { REQUESTS_PENDING.0 };
    let pending = rows::count_pending(tx.conn, agent_id, questions, tx.now)?;
    if pending >= most {
        let code = if asked.by_ask { codes::TOO_MANY_QUESTIONS } else { codes::TOO_MANY_REQUESTS_PENDING };
        return Err(
            ApiError::new(code).detail(format!("{pending} of the agent's requests are pending, which is the maximum."))
        );
    }
    Ok(())
}
