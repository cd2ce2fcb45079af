//! Keys and enrollments: issuing, listing, rotating, revoking (aX contract, section 8).

use hyper::http::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::fields::AGENT_ID;
use super::fields::NAME;
use super::fields::SPACE_ID;
use super::issue::{self, KeyRequest};
use super::rotate::rotate;
use super::{ID_CHARS, change, checked};
use crate::access::{self, Action, AgentRole, Caller, Class, SpaceRole};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::api::engine::descent::{self, EndedWith};
use crate::api::engine::paging::{CURSOR, Listing};
use crate::limits::PAGE_MAX;
use crate::rest::class::{AD, UA, UA_AD};
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::field::{Field, Type};
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::secret::Kind;
use crate::store::agents::Agent;
use crate::store::credentials::KeyAudience;
use crate::store::is_id;
use crate::store::keys::{self, PatRecord};
use crate::time::Micros;

const DOC: &str = "concepts/authentication#keys";
const DEFAULT_DAYS: i64 = 90;
const HOUR: i64 = 3600 * Micros::SECOND;
/// The maximum keys on a page of the list.
const LISTED: u64 = 2 * PAGE_MAX;

const DAYS: Field = Field::integer("expires_in_days", 1, 365, "Days until the key expires; 90 if absent.");

const SCOPES: Field = Field::unbounded_texts("scopes", "The scopes of the key.").required();
const ALLOWED_AGENT_IDS: Field =
    Field::unbounded_texts("allowed_agent_ids", "The agents that the key is restricted to.").required();
const RECORD: &[Field] = &{
    [
        Field::shown("credential_id", "The id of the key."),
        Field::shown("key_id", "The public part of the key, which identifies it."),
        Field::shown("name", "The name of the key."),
        Field::shown("kind", "The kind of key: user_pat, agent_pat or enrollment."),
        Field::shown("audience", "The audience of its tokens: cli, mcp or both."),
        Field::shown("bound_agent_id", "The agent that the key is bound to.").nullable(),
        SCOPES,
        ALLOWED_AGENT_IDS,
        Field::word("lifecycle_state", &["active", "pending_enrollment", "revoked", "expired"], "Its state.")
            .required(),
        Field::shown("created_at", "When the key was made."),
        Field::shown("expires_at", "When the key expires."),
        Field::shown("last_used_at", "When the key was last used, to the minute.").nullable(),
        Field::shown("revoked_at", "When the key was revoked.").nullable(),
        Field::shown("created_by", "The user or agent that made the key."),
        Field::shown("made_by", "The credential that the key was made with.").nullable(),
        // These two are only in the reply that creates the key.
        Field::unbounded("token", "The key itself, shown only in this reply."),
        Field::unbounded("agent_id", "The agent that the key is bound to.").nullable(),
    ]
};
const MADE: Answer = Answer::Object(RECORD);

const EXPIRES_IN_HOURS: Field =
    Field::integer("expires_in_hours", 1, 168, "Hours until the enrollment must be used; 1 if absent.");
const BOUND_AGENT_ID: Field = Field::text(
    "bound_agent_id",
    255,
    "The id of the agent that the key acts as. If absent, the key acts as the caller.",
);
/// The keys' rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    checked(Method::POST, "/credentials/agent-pat", AD, Action::CredentialsIssue, issue_agent_pat)
        .described(
            "credentials_agent_pat",
            "Issue an agent's key",
            "Needs the role editor on the agent. The reply is the only one that contains the key.",
            DOC,
        )
        .taking(
            &[
                Field::text("agent_id", 255, "The agent, by id or name.").required(),
                DAYS,
                Field::word(
                    "audience",
                    KeyAudience::SLUGS,
                    "The audience of its tokens: cli, mcp or both; cli if absent.",
                ),
                NAME,
            ],
            r#"{"agent_id": "backend_sentinel", "expires_in_days": 30}"#,
        )
        .secret()
        .answering(201, MADE)
        .failing(&[
            codes::AGENT_NOT_FOUND,
            codes::FORBIDDEN,
            codes::CLEANUP_REQUIRED,
            codes::AGENT_FROZEN,
            codes::SCOPE_EXCEEDS_ISSUER,
        ]),
    checked(Method::POST, "/credentials/enrollment", AD, Action::CredentialsIssue, issue_enrollment)
        .described(
            "credentials_enrollment",
            "Issue an enrollment",
            "An enrollment is a key without an agent. The first exchange with a name creates the agent and binds the \
                key to it.",
            "concepts/authentication#enrollment",
        )
        .taking(
            &[
                EXPIRES_IN_HOURS,
                Field::word(
                    "audience",
                    KeyAudience::SLUGS,
                    "The audience of its tokens: cli, mcp or both; cli if absent.",
                ),
                NAME,
                Field::text("space_id", ID_CHARS, "The space of the new agent; the caller's default if absent."),
            ],
            r#"{"expires_in_hours": 1, "name": "new worker"}"#,
        )
        .secret()
        .answering(201, MADE)
        .failing(&[
            codes::CREATE_NOT_ALLOWED,
            codes::CLEANUP_REQUIRED,
            codes::SPACE_FORBIDDEN,
            codes::SCOPE_EXCEEDS_ISSUER,
        ]),
    checked(Method::GET, "/credentials", AD, Action::CredentialsList, list)
        .described("credentials_list", "List keys", "The caller's own and those of its agents, as a bare array.", DOC)
        .asking(&[CURSOR])
        .answering(200, Answer::List(RECORD))
        .failing(&[codes::INVALID_CURSOR]),
    checked(Method::DELETE, "/credentials/{credential}", AD, Action::CredentialsRevoke, revoke_credential)
        .described(
            "credentials_revoke",
            "Revoke a key",
            "Ends the key at once, with every token exchanged for it and the user keys that it made. The reply lists \
                these keys, and what else the key made that is still valid.",
            DOC,
        )
        .asking(&[descent::CASCADE])
        .answering(
            200,
            Answer::Object(&[
                Field::shown("status", "Always revoked."),
                Field::shown("credential_id", "The id of the key."),
                Field::of(
                    "revoked_with_it",
                    Type::Objects(descent::MADE),
                    "The credentials that the key made and that ended with it.",
                )
                .required(),
                Field::of(
                    "still_live",
                    Type::Objects(descent::MADE),
                    "The credentials that the key made and that are still valid.",
                )
                .required(),
                Field::flag("truncated", "True if there are more of them than the 200 that each list has at most.")
                    .required(),
            ]),
        )
        .failing(&[codes::CREDENTIAL_NOT_FOUND, codes::FORBIDDEN]),
    checked(Method::POST, "/api/v1/keys", UA_AD, Action::KeysCreate, create)
        .described(
            "keys_create",
            "Make a key",
            "The key never exceeds the caller's rights. Bound to an agent, it is that agent's key. The reply is the \
                only one that contains it.",
            DOC,
        )
        .taking(
            &[
                NAME.required(),
                Field::word(
                    "audience",
                    KeyAudience::SLUGS,
                    "The audience of its tokens: cli, mcp or both; both if absent.",
                ),
                Field::of(
                    "scopes",
                    Type::Scopes,
                    "Scope words or scopes; everything that the caller may give if absent.",
                ),
                DAYS,
                Field::texts(
                    "allowed_agent_ids",
                    100,
                    ID_CHARS,
                    "The ids of the agents that the key is restricted to; all if absent.",
                ),
                BOUND_AGENT_ID,
            ],
            r#"{"name": "laptop"}"#,
        )
        .secret()
        .answering(201, MADE)
        .failing(&[
            codes::AGENT_NOT_FOUND,
            codes::FORBIDDEN,
            codes::CLEANUP_REQUIRED,
            codes::AGENT_FROZEN,
            codes::SCOPE_EXCEEDS_ISSUER,
        ]),
    checked(Method::GET, "/api/v1/keys", UA, Action::KeysList, list)
        .described("keys_list", "List keys", "The caller's own and those of its agents, as a bare array.", DOC)
        .asking(&[CURSOR])
        .answering(200, Answer::List(RECORD))
        .failing(&[codes::INVALID_CURSOR]),
    checked(Method::POST, "/api/v1/keys/{credential}/rotate", UA, Action::KeysRotate, rotate)
        .described(
            "keys_rotate",
            "Rotate a key",
            "Makes a new key with the same rights and lifetime. The old key ends at once.",
            DOC,
        )
        .secret()
        .answering(200, MADE)
        .failing(&[codes::CREDENTIAL_NOT_FOUND, codes::INSUFFICIENT_SCOPE]),
    checked(Method::DELETE, "/api/v1/keys/{credential}", UA, Action::KeysRevoke, revoke_key)
        .described(
            "keys_revoke",
            "Revoke a key",
            "Ends the key at once, with every token exchanged for it and the user keys that it made.",
            DOC,
        )
        .asking(&[descent::CASCADE])
        .answering(204, Answer::Empty)
        .failing(&[codes::CREDENTIAL_NOT_FOUND, codes::FORBIDDEN]),
];

fn days(call: &Tx<'_>) -> i64 {
    call.input.body.integer(&DAYS).unwrap_or(DEFAULT_DAYS) * Micros::DAY
}

fn label(tx: &Tx<'_>) -> Result<String, ApiError> {
    let name = tx.input.body.text(&NAME).unwrap_or("").trim();
    if is_id(name) {
        return Err(ApiError::field("name", "must not have the form of an id").in_dialect(Dialect::Ax));
    }
    Ok(name.to_owned())
}

fn created(shown: &Value) -> Reply {
    Reply::json(StatusCode::CREATED, shown)
}

fn issue_agent_pat(app: &App, call: Call) -> Handled {
    let max = app.config.read(|now| now.ax.max_agent_pats);
    call.write(app, move |tx| {
        let asked = tx.input.body.text(&AGENT_ID).unwrap_or("");
        let agent = change::find(tx.conn, tx.caller, asked, AgentRole::Editor)?.agent;
        let audience = issue::audience(tx, KeyAudience::Cli)?;
        Ok(created(&for_agent(tx, max, agent, audience, None)?))
    })
}

/// Creates a key for an agent; the caller must be its editor.
fn for_agent(
    tx: &Tx<'_>,
    max: u64,
    agent: Agent,
    audience: KeyAudience,
    scopes: Option<Vec<&str>>,
) -> Result<Value, ApiError> {
    let scopes = issue::scopes_for_agent(tx, Some(&agent), scopes).map_err(|error| error.in_dialect(Dialect::Ax))?;
    issue::check_count(tx, max, &agent.owner_user_id, Some(&agent.id))?;
    let wanted = KeyRequest {
        kind: Kind::AgentPat,
        agent_id: Some(agent.id),
        scopes,
        admin: false,
        label: label(tx)?,
        audience,
        only_agents: None,
        space_id: None,
        lifetime: days(tx),
        maker: tx.caller.maker(),
    };
    issue::make(tx, &agent.owner_user_id, &wanted)
}

fn issue_enrollment(app: &App, call: Call) -> Handled {
    let max = app.config.read(|now| now.ax.max_agent_pats);
    // The enrollment will create an agent, which needs this scope.
    if !call.caller.scopes().allow(Action::AgentsCreate) {
        return Err(ApiError::new(codes::INSUFFICIENT_SCOPE).detail("Missing required scopes: ['agents.create']"));
    }
    call.write(app, move |tx| {
        access::may_create(tx.conn, tx.caller)?;
        let body = &tx.input.body;
        let user_id = tx.caller.user().id.clone();
        issue::check_count(tx, max, &user_id, None)?;
        let space_id = match body.text(&SPACE_ID).filter(|id| !id.is_empty()) {
            None => None,
            Some(id) => {
                access::require_space(tx.conn, tx.caller, id, SpaceRole::Editor)?;
                Some(id.to_owned())
            }
        };
        let wanted = KeyRequest {
            kind: Kind::Enrollment,
            agent_id: None,
            scopes: issue::scopes_for_agent(tx, None, None)?,
            admin: false,
            label: label(tx)?,
            audience: issue::audience(tx, KeyAudience::Cli)?,
            only_agents: None,
            space_id,
            lifetime: body.integer(&EXPIRES_IN_HOURS).unwrap_or(1) * HOUR,
            maker: tx.caller.maker(),
        };
        Ok(created(&issue::make(tx, &user_id, &wanted)?))
    })
}

fn create(app: &App, call: Call) -> Handled {
    let max = app.config.read(|now| now.ax.max_agent_pats);
    call.write(app, move |tx| {
        let body = &tx.input.body;
        let audience = issue::audience(tx, KeyAudience::Both)?;
        if let Some(id) = body.text(&BOUND_AGENT_ID).filter(|id| !id.is_empty()) {
            let agent = change::find_by_id(tx.conn, tx.caller, id, AgentRole::Editor)?.agent;
            return Ok(created(&for_agent(tx, max, agent, audience, body.texts(&SCOPES))?));
        }
        // A manager's token can create only agents' keys.
        if tx.caller.token_class() == Some(Class::Admin) {
            return Err(ApiError::new(codes::INSUFFICIENT_SCOPE)
                .detail("A user_admin token can make only agents' keys: send bound_agent_id, or use user_access."));
        }
        let (scopes, admin) =
            issue::scopes_for_user(tx, body.texts(&SCOPES)).map_err(|error| error.in_dialect(Dialect::Ax))?;
        let user_id = tx.caller.user().id.clone();
        issue::check_count(tx, max, &user_id, None)?;
        let wanted = KeyRequest {
            kind: Kind::UserPat,
            agent_id: None,
            scopes,
            admin,
            label: label(tx)?,
            audience,
            only_agents: restriction(tx)?,
            space_id: None,
            lifetime: days(tx),
            maker: tx.caller.maker(),
        };
        Ok(created(&issue::make(tx, &user_id, &wanted)?))
    })
}

/// Returns the agents that a new key is restricted to: the requested ones, each of which the caller may read, or else
/// the caller's own restriction.
fn restriction(tx: &Tx<'_>) -> Result<Option<Vec<String>>, ApiError> {
    let asked = tx.input.body.texts(&ALLOWED_AGENT_IDS).filter(|ids| !ids.is_empty());
    let Some(asked) = asked else { return Ok(tx.caller.only_agents().map(<[String]>::to_vec)) };
    let id = |given| Ok(change::find_by_id(tx.conn, tx.caller, given, AgentRole::Viewer)?.agent.id);
    asked.into_iter().map(id).collect::<Result<Vec<_>, ApiError>>().map(Some)
}

fn list(app: &App, call: Call) -> Handled {
    let mut list = Listing::of(&call.input, "keys")?.at_most(LISTED);
    let (page, user_id, now) = (list.page(), &call.caller.user().id, Micros::now());
    let mut take = |key: PatRecord| {
        let hidden = key.agent_id.as_deref().is_some_and(|id| !call.caller.may_touch(id));
        let place = (key.issued_at, key.id.clone());
        if hidden { list.pass(place) } else { list.push(place, &issue::show(&key, now)) }
    };
    app.store.lookup(|conn| keys::of_user(conn, user_id, &page, &mut take))?;
    Ok(list.reply(&call.input).into())
}

/// Returns the key with this id, if it is the caller's own or an agent's of which the caller is editor.
pub(super) fn find(conn: &Connection, caller: &Caller, id: &str) -> Result<PatRecord, ApiError> {
    let key = keys::by_id(conn, id)?.ok_or(codes::CREDENTIAL_NOT_FOUND)?;
    let own = match &key.agent_id {
        Some(agent) => access::role_on(conn, caller, agent)? >= Some(AgentRole::Editor),
        None => key.owner_user_id == caller.user().id,
    };
    if own { Ok(key) } else { Err(codes::CREDENTIAL_NOT_FOUND.into()) }
}

/// Revokes the key that the path names, and returns it with the credentials that ended with it. A key that has already
/// ended stays unchanged.
fn end(tx: &Tx<'_>) -> Result<(PatRecord, EndedWith), ApiError> {
    let key = find(tx.conn, tx.caller, tx.input.param(0))?;
    let ended = descent::end_with_all(tx, &key.id)?;
    Ok((key, ended))
}

fn revoke_credential(app: &App, call: Call) -> Handled {
    call.write(app, |tx| {
        let (key, ended) = end(tx)?;
        Ok(Reply::ok(&json!({
            "status": "revoked",
            "credential_id": key.id,
            "revoked_with_it": descent::show(&ended.with_it),
            "still_live": descent::show(&ended.living),
            "truncated": ended.truncated,
        })))
    })
}

fn revoke_key(app: &App, call: Call) -> Handled {
    call.write(app, |tx| end(tx).map(|_| Reply::no_content()))
}
