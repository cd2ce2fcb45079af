//! Deciding requests. A decision never grants more than was asked, and never more than the decider has.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::fields;
use super::show::{self, stored};
use super::tell::{self, RequestNews};
use crate::access::{self, AgentRole, Caller, Scopes, SpaceRole};
use crate::api::engine::call::Tx;
use crate::limits::{ANSWER_CHARS, GRANTS_OF_AGENT, SPACE_MEMBERS};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Fields;
use crate::store::grants::{self, GrantRole, Grantee, On, RoleGrant};
use crate::store::requests::{self as rows, Decision, Request, RequestKind, RequestState};
use crate::store::{self, agents, news, spaces};
use crate::time::Micros;

/// The fields that a decider sends with a decision.
#[derive(Debug, Default)]
pub struct DecisionChoice {
    scope: Option<Scopes>,
    role: Option<GrantRole>,
    duration: Option<i64>,
    option: Option<i64>,
    text: Option<String>,
    /// The decider's note.
    pub note: Option<String>,
    /// For a join: `new` or `same`.
    pub become_as: Option<String>,
    /// For a join: another name.
    pub name: Option<String>,
    /// For a join: the hours that the old credentials stay valid.
    pub keep_old: Option<i64>,
    /// The names of the fields that were sent.
    sent: Vec<&'static str>,
}

/// The kinds that each field belongs to. A join is not a [`RequestKind`], so its fields belong to none.
const OF_KIND: &[(&Field, &[RequestKind])] = &[
    (&fields::LESS_SCOPE, &[RequestKind::Scope]),
    (&fields::LESS_ROLE, &[RequestKind::Grant]),
    (&fields::LESS_TIME, &[RequestKind::Scope, RequestKind::Grant]),
    (&fields::OPTION, &[RequestKind::Confirm]),
    (&fields::TEXT, &[RequestKind::Confirm]),
    (&fields::AS, &[]),
    (&fields::NAME, &[]),
    (&fields::KEEP_OLD, &[]),
];

impl DecisionChoice {
    /// Reads the fields of a decision from a body.
    ///
    /// # Errors
    /// `validation_error` or `invalid_scope` (both 422).
    pub fn of(body: &Fields) -> Result<Self, ApiError> {
        let owned = |field: &Field| body.text(field).map(str::to_owned);
        let scope = body.texts(&fields::LESS_SCOPE).map(Scopes::parse).transpose();
        let scope = scope.map_err(|error| ApiError::new(codes::INVALID_SCOPE).detail(format!("{error}.")))?;
        Ok(Self {
            scope,
            role: body.word(&fields::LESS_ROLE)?,
            duration: body.integer(&fields::LESS_TIME),
            option: body.integer(&fields::OPTION),
            text: owned(&fields::TEXT),
            note: owned(&fields::NOTE),
            become_as: owned(&fields::AS),
            name: owned(&fields::NAME),
            keep_old: body.integer(&fields::KEEP_OLD),
            sent: OF_KIND
                .iter()
                .map(|(field, _)| *field)
                .filter(|field| body.value(field).is_some())
                .map(|field| field.name)
                .collect(),
        })
    }

    /// Returns the choice that approves all that is asked.
    pub fn plain(note: Option<&str>) -> Self {
        Self { note: note.map(str::to_owned), ..Self::default() }
    }

    /// Refuses fields that do not belong to a join.
    ///
    /// # Errors
    /// `validation_error` (422).
    pub fn fits_join(&self) -> Result<(), ApiError> {
        let own = [fields::AS.name, fields::NAME.name, fields::KEEP_OLD.name];
        match self.sent.iter().find(|sent| !own.contains(sent)) {
            Some(name) => Err(ApiError::field(name, "does not belong to a request of the kind join")),
            None => Ok(()),
        }
    }

    fn fits(&self, kind: RequestKind) -> Result<(), ApiError> {
        let of = |sent: &str| OF_KIND.iter().find(|(field, _)| field.name == sent).map_or(&[][..], |(_, kinds)| *kinds);
        match self.sent.iter().find(|sent| !of(sent).contains(&kind)) {
            Some(name) => Err(ApiError::field(name, format!("does not belong to a request of the kind {kind}"))),
            None => Ok(()),
        }
    }
}

/// The result of an approval.
#[derive(Default)]
struct DecisionOutcome {
    granted: Option<Value>,
    until: Option<Micros>,
    answer: Option<Value>,
    on: Option<On>,
    role: Option<GrantRole>,
}

/// Approves a request.
///
/// # Errors
/// `request_not_found`, `request_decided`, `validation_error` (422) if the choice exceeds or does not fit the request,
/// `scope_exceeds_issuer` or an error of the resource if the decider lacks what he gives, those of [`has_room`], or a
/// `StoreError`.
pub fn approve(tx: &Tx<'_>, id: &str, choice: &DecisionChoice) -> Result<(Request, RequestNews), ApiError> {
    let request = pending(tx, id)?;
    choice.fits(request.kind)?;
    let outcome = match request.kind {
        RequestKind::Scope => scope(tx, &request, choice)?,
        RequestKind::Grant => grant(tx, &request, choice)?,
        RequestKind::Confirm => confirm(&request, choice)?,
    };
    let user = tx.caller.user();
    let target = outcome.on.as_ref();
    let decision = Decision {
        state: RequestState::Approved,
        decider: (Some(&user.id), &user.username),
        note: choice.note.as_deref(),
        granted: outcome.granted.as_ref().map(Value::to_string),
        until: outcome.until,
        answer: outcome.answer.as_ref().map(Value::to_string),
        target_agent_id: if let Some(On::Agent(id)) = target { Some(id) } else { None },
        target_space_id: if let Some(On::Space(id)) = target { Some(id) } else { None },
    };
    if !rows::decide(tx.conn, id, &decision, tx.now)? {
        return Err(codes::REQUEST_DECIDED.into());
    }
    if let (Some(on), Some(role)) = (target, outcome.role) {
        let grantee = Grantee::Agent(request.agent_id.clone());
        let by = tx.caller.actor();
        let given = RoleGrant { grantee: &grantee, on, role, granted_by: &by, expires_at: outcome.until };
        grants::lend(tx.conn, &store::new_id(), &given, id, tx.now)?;
    }
    decided(tx, id)
}

/// Denies a request.
///
/// # Errors
/// `request_not_found`, `request_decided`, or a `StoreError`.
pub fn deny(tx: &Tx<'_>, id: &str, note: Option<&str>) -> Result<(Request, RequestNews), ApiError> {
    pending(tx, id)?;
    let user = tx.caller.user();
    let decision = Decision {
        state: RequestState::Denied,
        decider: (Some(&user.id), &user.username),
        note,
        granted: None,
        until: None,
        answer: None,
        target_agent_id: None,
        target_space_id: None,
    };
    if !rows::decide(tx.conn, id, &decision, tx.now)? {
        return Err(codes::REQUEST_DECIDED.into());
    }
    decided(tx, id)
}

/// Revokes what a request granted.
///
/// # Errors
/// `request_not_found`, `request_not_in_force`, or a `StoreError`.
pub fn revoke(tx: &Tx<'_>, id: &str) -> Result<(Request, RequestNews), ApiError> {
    super::find(tx.conn, tx.caller, id, tx.now)?;
    if !rows::revoke(tx.conn, id, tx.now)? {
        return Err(codes::REQUEST_NOT_IN_FORCE.into());
    }
    decided(tx, id)
}

fn decided(tx: &Tx<'_>, id: &str) -> Result<(Request, RequestNews), ApiError> {
    tx.audit(format!("request:{id}"))?;
    let request = rows::by_id(tx.conn, id)?.ok_or(codes::INTERNAL)?;
    let mut told = tell::changed(tx.conn, &request, tx.now)?;
    // The sleeper checks whether the agent listens.
    told.news = news::note(tx.conn, &request.agent_id, false, tx.now)?;
    Ok((request, told))
}

/// Returns the request, if the caller may see it and it is pending.
fn pending(tx: &Tx<'_>, id: &str) -> Result<Request, ApiError> {
    let request = super::find(tx.conn, tx.caller, id, tx.now)?;
    match request.state_at(tx.now) {
        RequestState::Pending => Ok(request),
        state => Err(ApiError::new(codes::REQUEST_DECIDED)
            .detail(format!("The request is {state}; only a pending one can be decided."))
            .with("state", state.slug())),
    }
}

/// Returns when a grant made now ends: after the decider's duration, which is at most the requested one.
fn until(request: &Request, choice: &DecisionChoice, now: Micros) -> Result<Option<Micros>, ApiError> {
    let seconds = match (choice.duration, request.duration_seconds) {
        (Some(given), Some(asked)) if given > asked => {
            let problem = format!("must be at most {asked}, which the request asks for");
            return Err(ApiError::field("duration_seconds", problem));
        }
        (given, asked) => given.or(asked),
    };
    Ok(seconds.map(|seconds| now.plus(seconds.saturating_mul(Micros::SECOND))))
}

fn scope(tx: &Tx<'_>, request: &Request, choice: &DecisionChoice) -> Result<DecisionOutcome, ApiError> {
    let asked = stored(&request.asked);
    let asked: Vec<&str> = asked["scope"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let asked = Scopes::parse(asked).map_err(|_| codes::INTERNAL)?;
    let given = choice.scope.as_ref().unwrap_or(&asked);
    if given.is_empty() {
        return Err(ApiError::field("scope", "must name at least one scope; deny the request to give none"));
    }
    if let Some(more) = asked.first_not_covered(given) {
        return Err(ApiError::field("scope", format!("{more} is more than the request asks for")));
    }
    if let Some(more) = tx.caller.lasting_scopes().first_not_covered(given) {
        return Err(ApiError::new(codes::SCOPE_EXCEEDS_ISSUER)
            .detail(format!("The decider's own scopes do not cover {more}."))
            .with("scope", more));
    }
    Ok(DecisionOutcome {
        granted: Some(json!({"scope": given.texts()})),
        until: until(request, choice, tx.now)?,
        ..DecisionOutcome::default()
    })
}

fn grant(tx: &Tx<'_>, request: &Request, choice: &DecisionChoice) -> Result<DecisionOutcome, ApiError> {
    let asked = stored(&request.asked);
    let asked_role = asked["role"].as_str().and_then(|word| word.parse().ok()).unwrap_or(GrantRole::Viewer);
    let role = choice.role.unwrap_or(asked_role);
    if role > asked_role {
        return Err(ApiError::field("role", format!("{role} is more than {asked_role}, which the request asks for")));
    }
    let on = resource(tx, asked["resource"].as_str().unwrap_or(""))?;
    has_room(tx.conn, &on)?;
    let end = until(request, choice, tx.now)?;
    let end = [end, own_end(tx.conn, tx.caller, &on)?].into_iter().flatten().min();
    Ok(DecisionOutcome {
        granted: Some(json!({"resource": on.to_string(), "role": role})),
        until: end,
        role: Some(role),
        on: Some(on),
        answer: None,
    })
}

/// Returns the agent or space that the request is about. The decider must own it.
fn resource(tx: &Tx<'_>, text: &str) -> Result<On, ApiError> {
    match text.split_once(':') {
        Some(("agent", name)) => {
            let live = agents::resolve(tx.conn, name)?.ok_or(codes::AGENT_NOT_FOUND)?;
            access::require(tx.conn, tx.caller, &live.agent.id, AgentRole::Owner)?;
            Ok(On::Agent(live.agent.id))
        }
        Some((_, name)) => {
            let id = spaces::by_id_or_slug(tx.conn, name)?.map_or_else(|| name.to_owned(), |space| space.id);
            access::require_space(tx.conn, tx.caller, &id, SpaceRole::Owner)?;
            Ok(On::Space(id))
        }
        None => Err(codes::INTERNAL.into()),
    }
}

/// Returns when the decider's own role ends, if it does. What he grants must not outlast it.
fn own_end(conn: &Connection, caller: &Caller, on: &On) -> Result<Option<Micros>, ApiError> {
    let owns_space = match on {
        On::Space(id) => spaces::owner_of(conn, id)?.as_deref() == Some(caller.user().id.as_str()),
        _ => false,
    };
    if caller.is_admin() || owns_space {
        return Ok(None);
    }
    Ok(grants::of(conn, &caller.grantee(), on)?.and_then(|grant| grant.expires_at))
}

/// Checks that the agent or space may have one more grant.
///
/// # Errors
/// `too_many_members`, `limit_reached`, or a `StoreError`.
pub fn has_room(conn: &Connection, on: &On) -> Result<(), ApiError> {
    match on {
        On::Space(id) if grants::count_on_space(conn, id, SPACE_MEMBERS)? >= SPACE_MEMBERS => {
            Err(codes::TOO_MANY_MEMBERS.into())
        }
        On::Agent(id) if grants::count_on_agent(conn, id)? >= GRANTS_OF_AGENT => {
            Err(ApiError::limit_reached("grants on this agent", GRANTS_OF_AGENT))
        }
        _ => Ok(()),
    }
}

/// Returns the options of a question.
pub(super) fn options_of(request: &Request) -> Vec<String> {
    show::options(request.kind, &stored(&request.asked))
}

fn confirm(request: &Request, choice: &DecisionChoice) -> Result<DecisionOutcome, ApiError> {
    let asked = stored(&request.asked);
    let options = options_of(request);
    let yes_no = asked.get("options").is_none();
    let free_text = asked["free_text"] == true;
    // Approving a yes-or-no question without an answer means yes.
    let option = choice.option.or((yes_no && choice.text.is_none()).then_some(0));
    let words = match &choice.text {
        Some(_) if !free_text => {
            return Err(ApiError::field("text", "this question takes only one of its options as the answer"));
        }
        Some(text) if text.trim().is_empty() || text.chars().count() > ANSWER_CHARS => {
            return Err(ApiError::field("text", format!("must have 1 to {ANSWER_CHARS} characters")));
        }
        words => words.clone(),
    };
    let named = option.map(|nth| usize::try_from(nth).ok().and_then(|nth| options.get(nth)));
    let text = match (named, words) {
        (Some(None), _) => return Err(ApiError::field("option", format!("must be below {}", options.len()))),
        (_, Some(words)) => words,
        (Some(Some(option)), None) => option.clone(),
        (None, None) => return Err(ApiError::field("option", "must be there, or text, to answer the question")),
    };
    Ok(DecisionOutcome { answer: Some(json!({"option": option, "text": text})), ..DecisionOutcome::default() })
}

/// Withdraws a pending request of the caller.
///
/// # Errors
/// `request_not_found`, `request_decided`, or a `StoreError`.
pub fn withdraw(tx: &Tx<'_>, id: &str) -> Result<(Request, RequestNews), ApiError> {
    pending(tx, id)?;
    if !rows::withdraw(tx.conn, id, tx.now)? {
        return Err(codes::REQUEST_DECIDED.into());
    }
    decided(tx, id)
}
