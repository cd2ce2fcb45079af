//! The principal of a credential, and the few public routes that the client needs (aX contract, sections 7 and 11).

use hyper::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{checked, fingerprint, record, row};
use crate::access::{self, Action, Caller, Principal};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::rest::class::{ALL, WITH_KEY};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::{Field, Type};
use crate::rest::input::Input;
use crate::rest::reply::{Decided, Reply};
use crate::rest::route::{Access, Answer};
use crate::store::agents;

const DOC: &str = "concepts/authentication#who-am-i";
const OK: Answer = Answer::Object(&[Field::flag("ok", "Always true.").required()]);

const CREDENTIAL_SCOPE: &[Field] = &[
    Field::word("agent_scope", &["all", "agents", "agent"], "Which agents the credential may touch.").required(),
    Field::unbounded_texts("allowed_agent_ids", "The ids of the allowed agents, or all.").required(),
];

const PROVIDER_PATTERN: Field = Field::text("provider_pattern", 64, "The format of the key.");
/// The rows of the route table for these routes.
pub const ROUTES: &[ApiRoute] = &[
    checked(Method::GET, "/auth/me", ALL, Action::AuthWhoami, me)
        .described(
            "auth_me",
            "Show who the token belongs to",
            "Every token may call this, whatever its scope words.",
            DOC,
        )
        .answering(
            200,
            Answer::Object(&[
                Field::shown("id", "The user's id, or the agent's."),
                Field::shown("username", "The user's name, or the agent's."),
                Field::shown("email", "Always null: the daemon stores none.").nullable(),
                Field::shown("full_name", "The display name."),
                Field::word("role", &["admin", "member", "agent"], "The user's role; agent for an agent.").required(),
                Field::word("principal_type", &["user", "agent"], "Who acts.").required(),
                Field::shown("space_id", "The space for requests that name none."),
                Field::shown("resolved_space_id", "The same as space_id."),
                Field::of("credential_scope", Type::Object(CREDENTIAL_SCOPE), "The restrictions of the credential.")
                    .required(),
                Field::of("bound_agent", Type::AnyObject, "The agent that the credential acts as; null for a user.")
                    .required()
                    .nullable(),
                Field::unbounded("owner_user_id", "The id of the agent's owner."),
            ]),
        ),
    checked(
        Method::POST,
        "/api/v1/credentials/fingerprint",
        WITH_KEY,
        Action::CredentialsFingerprint,
        fingerprint::register,
    )
    .described(
        "credentials_fingerprint",
        "Report where a key is used",
        "Accepts the key itself or a token of it. The fingerprint is a hint for the owner, not a protection.",
        "concepts/authentication#fingerprints",
    )
    .taking(fingerprint::FIELDS, fingerprint::EXAMPLE)
    .answering(201, Answer::Upsert(&[Field::flag("ok", "Always true.").required()]))
    .failing(&[codes::FINGERPRINT_MISMATCH, codes::BINDING_NOT_ALLOWED, codes::INVALID_CREDENTIAL]),
    row(Method::GET, "/health", Access::Public(health))
        .described("ax_health", "Check that the daemon answers", "Answers 200 whenever the process runs.", DOC)
        .answering(200, Answer::Object(&[Field::word("status", &["ok"], "Always ok.").required()])),
    row(Method::POST, "/api/v1/security/honeypot", Access::Public(honeypot))
        .described(
            "ax_honeypot",
            "Report a planted key",
            "Clients report here that somebody used a decoy key. The daemon logs the report.",
            DOC,
        )
        .taking(&[PROVIDER_PATTERN], r#"{"provider_pattern": "aws-iam"}"#)
        .answering(202, OK),
];

/// Returns which agents a credential may access, in the client's terms.
pub fn credential_scope(caller: &Caller) -> Value {
    match (caller.agent_id(), caller.only_agents()) {
        (Some(id), _) => json!({"agent_scope": "agent", "allowed_agent_ids": [id]}),
        (None, Some(only)) => json!({"agent_scope": "agents", "allowed_agent_ids": only}),
        (None, None) => json!({"agent_scope": "all", "allowed_agent_ids": []}),
    }
}

fn me(app: &App, call: Call) -> Handled {
    let caller = &call.caller;
    let shown = app.store.read(|conn| {
        let space_id = access::default_space(conn, caller)?;
        let mut shown = json!({
            "email": null,
            "space_id": space_id,
            "resolved_space_id": space_id,
            "credential_scope": credential_scope(caller),
            "bound_agent": null,
        });
        match caller.principal() {
            Principal::User(user) => {
                shown["id"] = json!(user.id);
                shown["username"] = json!(user.username);
                shown["full_name"] = json!(user.display_name);
                shown["role"] = json!(user.role);
                shown["principal_type"] = json!("user");
            }
            Principal::Agent { id, name, owner, .. } => {
                let display_name = agents::by_id(conn, id)?.map(|live| live.agent.display_name);
                let spaces = record::allowed_spaces(conn, caller, id, &space_id)?;
                shown["id"] = json!(id);
                shown["username"] = json!(name);
                shown["full_name"] = json!(display_name.as_deref().unwrap_or(name));
                shown["role"] = json!("agent");
                shown["principal_type"] = json!("agent");
                shown["owner_user_id"] = json!(owner.id);
                shown["bound_agent"] = json!({
                    "agent_id": id,
                    "agent_name": name,
                    "default_space_id": space_id,
                    "default_space_name": default_name(&spaces),
                    "allowed_spaces": spaces,
                });
            }
        }
        Ok::<_, ApiError>(shown)
    })?;
    Ok(Reply::ok(&shown).decided(Decided::ByDatabase).into())
}

/// Returns the name of the default space among an agent's spaces.
fn default_name(spaces: &Value) -> Value {
    let default = spaces.as_array().and_then(|all| all.iter().find(|space| space["is_default"] == true));
    default.map_or(Value::Null, |space| space["name"].clone())
}

fn health(_: &App, _: Input) -> Handled {
    Ok(Reply::ok(&json!({"status": "ok"})).into())
}

fn honeypot(app: &App, input: Input) -> Handled {
    app.gate.throttle_public(&input.head)?;
    let pattern: String =
        input.body.text(&PROVIDER_PATTERN).unwrap_or("-").chars().filter(|c| c.is_ascii_graphic()).collect();
    log::warn!("request {}: a decoy key ({pattern}) was used by {}", input.head.request_id, input.head.peer.key());
    Ok(Reply::json(StatusCode::ACCEPTED, &json!({"ok": true})).into())
}
