//! `POST /auth/exchange`: exchanges a key for a short-lived token (aX contract, section 3). The first exchange of an
//! enrollment creates the agent that it is bound to from then on (section 8).

use std::sync::Arc;

use hyper::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::fields::{AGENT_ID, AUDIENCE};
use super::{change, row};
use crate::access::scopes::ax_scopes;
use crate::access::tokens::jwt::{Audience, Claims};
use crate::access::{self, Action, Class, Gate, Scopes};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::config::ProtectedResource;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::field::Field;
use crate::rest::input::{Fields, Input};
use crate::rest::reply::Reply;
use crate::rest::route::{Access, Answer, Need};
use crate::secret::{Kind, SecretHash};
use crate::store;
use crate::store::credentials::{self, Holder, Holding, KeyAudience};
use crate::store::keys;
use crate::time::Micros;

const DOC: &str = "concepts/authentication#exchange";
/// The days for which an enrollment is valid once it is bound.
const BOUND_DAYS: i64 = 90;
const NEED: Need = Need { action: Action::AuthExchange, classes: &[], dialect: Dialect::Ax };

const REQUESTED_TOKEN_CLASS: Field =
    Field::text("requested_token_class", 64, "user_access, user_admin or agent_access; the key's if absent.");
const SCOPE: Field =
    Field::text("scope", 2048, "Scope words, separated by blanks; everything that the key covers if absent.");
const AGENT_NAME: Field =
    Field::text("agent_name", 128, "The agent's name or id. With an enrollment: the name of the new agent.");
const REQUESTED_TTL: Field =
    Field::integer("requested_ttl", 1, i64::MAX, "The lifetime in seconds, at most that of the class.");
/// The exchange's row of the route table.
pub const ROUTES: &[ApiRoute] = &[row(Method::POST, "/auth/exchange", Access::Bearer(Action::AuthExchange, exchange))
    .described(
        "auth_exchange",
        "Exchange a key for a short-lived token",
        "Takes a personal access token, an enrollment or an agent's own token as Bearer. The first exchange of an \
            enrollment creates and binds its agent.",
        DOC,
    )
    .taking(
        &[REQUESTED_TOKEN_CLASS, AUDIENCE, SCOPE, REQUESTED_TTL, AGENT_ID, AGENT_NAME],
        r#"{"requested_token_class": "agent_access", "scope": "messages tasks"}"#,
    )
    .secret()
    .answering(
        200,
        Answer::Object(&[
            Field::shown("access_token", "The short-lived token."),
            Field::word("token_type", &["Bearer"], "Always Bearer.").required(),
            Field::integer("expires_in", 1, 900, "The lifetime of the token in seconds.").required(),
            Field::shown("scope", "The granted scope words."),
            Field::shown("token_class", "The class of the token."),
            Field::shown("audience", "The audience of the token."),
            Field::word("principal_type", &["user", "agent"], "The principal that uses it.").required(),
            Field::shown("user_id", "The user, or the agent's owner."),
            Field::shown("credential_id", "The id of the key that was exchanged."),
            Field::shown("space_id", "The space for requests that name none."),
            Field::unbounded("agent_id", "The agent."),
            Field::unbounded("agent_name", "The agent's name."),
        ]),
    )
    .failing(&[
        codes::NOT_AUTHENTICATED,
        codes::INVALID_CREDENTIAL,
        codes::CLASS_NOT_ALLOWED,
        codes::AUDIENCE_NOT_ALLOWED,
        codes::SCOPE_NOT_ALLOWED,
        codes::AGENT_NAME_REQUIRED,
        codes::BINDING_NOT_ALLOWED,
        codes::NAME_CONFLICT,
        codes::CREATE_NOT_ALLOWED,
    ])];

fn exchange(app: &App, input: Input) -> Handled {
    let exchanger = app.gate.exchanger(&input.head, &NEED)?;
    let gate = Arc::clone(&app.gate);
    Call::of(app, exchanger.caller, input, Action::AuthExchange).write(app, move |tx| {
        let (claims, token) = run(tx, &gate, &exchanger.hash, &Wish::of(&tx.input.body))?;
        Ok(Reply::ok(&shown(&claims, &token)))
    })
}

/// The parameters of an exchange. An empty value was not sent.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    /// The class of the token; if empty, the key's own.
    pub class: String,
    /// The audience of the token.
    pub audience: String,
    /// The settings of the other service that the token is for.
    pub service: Option<ProtectedResource>,
    /// The scope words.
    pub scope: String,
    /// The requested lifetime in seconds.
    pub ttl: Option<i64>,
    /// The id of the agent that the key is bound to.
    pub agent_id: String,
    /// The name of that agent; for an enrollment, the name of the new agent.
    pub agent_name: String,
}

impl Wish {
    fn of(body: &Fields) -> Self {
        let text = |field: &Field| body.text(field).unwrap_or_default().to_owned();
        Self {
            class: text(&REQUESTED_TOKEN_CLASS),
            audience: text(&AUDIENCE),
            service: None,
            scope: text(&SCOPE),
            ttl: body.integer(&REQUESTED_TTL),
            agent_id: text(&AGENT_ID),
            agent_name: text(&AGENT_NAME),
        }
    }
}

/// The class, audience and scope of the token.
struct ExchangeTarget {
    class: Class,
    audience: Audience,
    scope: String,
}

/// Exchanges a key, and returns the claims and the signed token.
///
/// # Errors
/// The errors of the route `/auth/exchange`.
pub(crate) fn run(tx: &Tx<'_>, gate: &Gate, hash: &SecretHash, wish: &Wish) -> Result<(Claims, String), ApiError> {
    // The audit already records refusals for missing rights; this adds all others.
    exchanged(tx, gate, hash, wish).inspect_err(|error| {
        if error.status() != StatusCode::FORBIDDEN {
            gate.deny_caller(tx.caller, Action::AuthExchange, &tx.input.head);
        }
    })
}

fn exchanged(tx: &Tx<'_>, gate: &Gate, hash: &SecretHash, wish: &Wish) -> Result<(Claims, String), ApiError> {
    // Read again on the writer thread: of many exchanges of one enrollment, the first creates the agent.
    let holder = credentials::find_exchangeable(tx.conn, hash)?
        .filter(|holder| holder.expires_at.is_none_or(|at| at > tx.now) && !holder.user.disabled)
        .ok_or_else(access::dead)?;
    if holder.is_frozen() {
        return Err(access::frozen());
    }
    let grant = granted(&holder, wish)?;
    let agent = match &holder.agent {
        Some(agent) => {
            check_binding(agent, wish)?;
            Some(agent.clone())
        }
        None if holder.kind == Kind::Enrollment => Some(enroll(tx, &holder, wish)?),
        None => None,
    };
    let claims = claims(tx, &holder, agent.as_ref(), grant, wish.ttl)?;
    tx.audit(format!("credential:{}", holder.credential_id))?;
    let token = gate.keys.sign(&claims).map_err(access::unsigned)?;
    Ok((claims, token))
}

/// Checks and returns the class, the audience and the scope, in this order.
fn granted(holder: &Holder, wish: &Wish) -> Result<ExchangeTarget, ApiError> {
    let is_user = holder.kind == Kind::UserPat;
    let letter = if is_user { 'u' } else { 'a' };
    let own = if is_user { Class::User } else { Class::Agent };
    let name = Some(wish.class.as_str()).filter(|name| !name.is_empty()).unwrap_or(own.as_str());
    let allowed = |class: &Class| *class == own || (*class == Class::Admin && is_user && holder.admin);
    let class = Class::named(name).filter(allowed).ok_or_else(|| {
        ApiError::new(codes::CLASS_NOT_ALLOWED)
            .detail(format!("PAT class '{letter}' cannot exchange for '{}'", plain(name)))
    })?;
    let name = Some(wish.audience.as_str()).filter(|name| !name.is_empty()).unwrap_or(Audience::Api.as_str());
    // An agent's own token has no audience, so it fits all.
    let held = holder.audience.unwrap_or(KeyAudience::Both);
    let fits = |audience: &Audience| match audience {
        Audience::Api => held != KeyAudience::Mcp,
        Audience::Mcp | Audience::Service { .. } => held != KeyAudience::Cli,
    };
    let audience = match &wish.service {
        Some(service) => Some(Audience::Service { uri: service.uri.clone(), alg: service.alg }),
        None => Audience::named(name),
    };
    let audience = audience.filter(fits).ok_or_else(|| {
        ApiError::new(codes::AUDIENCE_NOT_ALLOWED)
            .detail(format!("PAT audience is '{held}' — cannot exchange for '{}'", plain(name)))
    })?;
    // The agent's present rights count, not those at the time when the key was made.
    let scopes = access::power_of(holder);
    let granted = match &wish.service {
        Some(service) => {
            let allowed = service.narrowed(ax_scopes::consentable(class, &scopes));
            ax_scopes::grant_of(&allowed, &wish.scope)
        }
        None => ax_scopes::grant(class, &wish.scope, &scopes, holder.admin, audience == Audience::Mcp),
    };
    let scope = granted.map_err(|(refused, allowed)| {
        let list = refused.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
        ApiError::new(codes::SCOPE_NOT_ALLOWED)
            .detail(format!("Scopes not allowed for {}: [{list}]", class.as_str()))
            .with("allowed", allowed)
    })?;
    Ok(ExchangeTarget { class, audience, scope })
}

/// Shortens a word from outside, so that a reply can repeat it.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// Checks that the request names the agent that the key is bound to, or none. The id takes precedence over the name.
fn check_binding(agent: &Holding, wish: &Wish) -> Result<(), ApiError> {
    let refused =
        |field| Err(ApiError::new(codes::BINDING_NOT_ALLOWED).detail(format!("{field} does not match bound agent")));
    if !wish.agent_id.is_empty() {
        return if wish.agent_id.eq_ignore_ascii_case(&agent.id) { Ok(()) } else { refused("agent_id") };
    }
    let name = &wish.agent_name;
    let is = |own: &str| own.eq_ignore_ascii_case(name);
    if name.is_empty() || is(&agent.id) || is(&agent.slug) || agent.given_name.as_deref().is_some_and(is) {
        return Ok(());
    }
    refused("agent_name")
}

/// Creates the agent of an enrollment and binds the key to it, in the same transaction.
fn enroll(tx: &Tx<'_>, holder: &Holder, wish: &Wish) -> Result<Holding, ApiError> {
    if !wish.agent_id.is_empty() {
        return Err(ApiError::new(codes::BINDING_NOT_ALLOWED).detail("agent_id does not match bound agent"));
    }
    if wish.agent_name.is_empty() {
        return Err(codes::AGENT_NAME_REQUIRED.into());
    }
    // The agent gets at most what the credential that issued the enrollment could give.
    let issuer = match &holder.made_by {
        Some(id) => Scopes::from_stored(&credentials::scopes_of(tx.conn, id)?.unwrap_or_default()),
        None => Scopes::all(),
    };
    let agent = change::born(tx, &wish.agent_name, holder.space_id.clone(), &issuer)?;
    keys::bind(tx.conn, &holder.credential_id, &agent.id, tx.now.plus(BOUND_DAYS * Micros::DAY))?;
    Ok(Holding {
        id: agent.id,
        slug: agent.slug,
        given_name: agent.given_name,
        space_id: agent.space_id,
        scope: agent.scope,
        lent: "[]".to_owned(),
        frozen: false,
    })
}

fn claims(
    tx: &Tx<'_>,
    holder: &Holder,
    agent: Option<&Holding>,
    grant: ExchangeTarget,
    ttl: Option<i64>,
) -> Result<Claims, ApiError> {
    let iat = tx.now.0 / Micros::SECOND;
    // A request can only shorten the lifetime.
    let lifetime = ttl.map_or(grant.class.lifetime(), |ttl| ttl.clamp(1, grant.class.lifetime()));
    let end = holder.expires_at.filter(|_| agent.is_none() || holder.agent.is_some());
    let exp = end.map_or(iat + lifetime, |at| (iat + lifetime).min(at.0 / Micros::SECOND).max(iat + 1));
    let space_id = match agent {
        Some(agent) => agent.space_id.clone(),
        None => access::default_space(tx.conn, tx.caller)?,
    };
    Ok(Claims {
        sub: agent.map_or_else(|| holder.user.id.clone(), |agent| agent.id.clone()),
        audience: grant.audience,
        iat,
        exp,
        jti: store::new_id(),
        class: grant.class,
        scope: grant.scope,
        user_id: holder.user.id.clone(),
        credential_id: holder.credential_id.clone(),
        space_id,
        agent: agent.map(|a| (a.id.clone(), a.given_name.clone().unwrap_or_else(|| a.slug.clone()))),
        program: None,
    })
}

fn shown(claims: &Claims, token: &str) -> Value {
    let mut shown = json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": claims.exp - claims.iat,
        "scope": claims.scope,
        "token_class": claims.class.as_str(),
        "audience": claims.audience.as_str(),
        "principal_type": if claims.agent.is_some() { "agent" } else { "user" },
        "user_id": claims.user_id,
        "credential_id": claims.credential_id,
        "space_id": claims.space_id,
    });
    if let Some((id, name)) = &claims.agent {
        shown["agent_id"] = json!(id);
        shown["agent_name"] = json!(name);
    }
    shown
}
