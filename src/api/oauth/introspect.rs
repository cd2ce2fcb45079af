//! `POST /oauth/introspect` (RFC 7662): a service asks whether a presented token is valid, and what it may do.
//!
//! An admin's credential, and a client that was registered for it, may ask about every token. Other callers learn only
//! about their own tokens and those of agents that they may read. For any other token they get `{"active": false}`.

use hyper::header::CACHE_CONTROL;
use hyper::http::Method;
use serde_json::{Value, json};

use super::client_auth::{self, ClientCredentials};
use super::endpoint::{issuer, public};
use super::fields;
use super::form;
use super::form::posted;
use super::token_grant::is_still_given;
use crate::access::scopes::ax_scopes;
use crate::access::tokens::jwt::{Audience, ISSUER};
use crate::access::{self, Action, AgentRole, Caller, Principal, Standing};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::Handled;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::field::Field;
use crate::rest::head::Peer;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::route::{Access, Answer, Need};
use crate::secret::RefreshToken;
use crate::store::credentials::CredentialState;
use crate::store::oauth_grants;
use crate::time::Micros;

const NEED: Need = Need { action: Action::OauthIntrospect, classes: &[], dialect: Dialect::OAuth };

const fn text(name: &'static str, about: &'static str) -> Field {
    Field::unbounded(name, about)
}

const fn time(name: &'static str, about: &'static str) -> Field {
    Field::integer(name, 0, i64::MAX, about)
}

const FORM: &[Field] = &[
    fields::TOKEN.described("The token that the service was shown."),
    fields::CLIENT_ID.described("The client's id, if it does not send it as Basic."),
    fields::CLIENT_SECRET.described("Its secret."),
];

/// The introspection endpoint's rows of the route table.
pub const ROUTES: &[ApiRoute] = &[route()];

const TOLD: &[Field] = &[
    Field::flag("active", "True if the token is valid now.").required(),
    text("scope", "What it may do now."),
    text("client_id", "The program that it was issued to."),
    text("username", "The user, or the agent's owner."),
    text("sub", "The id of the agent, else of the user."),
    text("aud", "Its audience."),
    text("iss", "Who has issued it."),
    time("exp", "When it ends, seconds since 1970."),
    time("iat", "When it was issued, seconds since 1970."),
    text("jti", "Its id."),
    text("agent_id", "The agent."),
    text("agent_name", "The agent's name."),
    text("token_class", "The class of a short-lived token, else the kind of credential."),
    text("token_type", "Always Bearer; absent for a refresh token."),
];

const fn route() -> ApiRoute {
    let mut row = public(Method::POST, "/oauth/introspect", introspect);
    row.access = Access::Bearer(Action::OauthIntrospect, introspect);
    row.described(
        "oauth_introspect",
        "Check a token",
        "Takes a form with token. The caller sends a token with oauth.introspect, or the id and secret of a client \
            that was registered with introspect. An unknown, ended or foreign token is not active.",
        "recipes/letting-a-service-check-tokens#introspect",
    )
    .taking_raw_of(form::TYPE, FORM, r#"{"token": "taos_agent_…"}"#)
    .answering(200, Answer::Object(TOLD))
    .failing(&[
        codes::INVALID_REQUEST,
        codes::INVALID_CLIENT,
        codes::UNAUTHORIZED_CLIENT,
        codes::AUTH_REQUIRED,
        codes::INVALID_TOKEN,
        codes::SCOPE_DENIED,
        codes::PAT_NOT_ALLOWED,
        codes::CSRF_REFUSED,
        codes::WRONG_CHANNEL,
        codes::RATE_LIMITED,
        codes::NOT_FOUND,
    ])
}

/// The party that asks.
enum Introspector {
    /// A client that may ask about every token.
    Client,
    /// A principal.
    Caller(Box<Caller>),
}

fn introspect(app: &App, input: Input) -> Handled {
    if input.head.foreign_host {
        return Err(codes::HOST_NOT_ALLOWED.into());
    }
    offered(app, &input)?;
    // Without a credential the reply is 401, even if the form is invalid.
    let form = match posted(&input) {
        Ok(form) => form,
        Err(refusal) => return Err(app.gate.admit(&input.head, &NEED).err().unwrap_or(refusal)),
    };
    let asker = match client_auth::shown(&input, &form)?.filter(|shown| shown.secret.is_some()) {
        Some(shown) => client(app, &input, &shown)?,
        None => Introspector::Caller(Box::new(app.gate.admit(&input.head, &NEED)?)),
    };
    let token = form.required(&fields::TOKEN)?;
    let told = match standing(app, &input, token)? {
        Some(found) if may_know(app, &asker, &found.caller)? => told(app, &found),
        _ => json!({"active": false}),
    };
    Ok(Reply::ok(&told).with(CACHE_CONTROL, "no-store").into())
}

/// Checks whether introspection is offered: under a name with an issuer, or on the operator's socket, which has no
/// name.
fn offered(app: &App, input: &Input) -> Result<(), ApiError> {
    match input.head.peer {
        Peer::Unix { .. } if app.config.read(|now| now.oauth.enabled) => Ok(()),
        _ => issuer(app, input).map(|_| ()),
    }
}

fn client(app: &App, input: &Input, shown: &ClientCredentials) -> Result<Introspector, ApiError> {
    let known = shown.proved(app, input)?;
    match known.row.filter(|row| row.can_introspect) {
        Some(row) => {
            app.gate.throttle_client(&input.head, &row.id)?;
            Ok(Introspector::Client)
        }
        None => {
            Err(ApiError::new(codes::UNAUTHORIZED_CLIENT).detail("The client was not registered to introspect tokens."))
        }
    }
}

/// Returns what a token of any kind stands for now; `None` if it is not valid.
fn standing(app: &App, input: &Input, token: &str) -> Result<Option<Standing>, ApiError> {
    let Ok(shown) = RefreshToken::parse(token) else { return app.gate.standing(&input.head, &NEED, token) };
    let grant = app.store.lookup(|conn| oauth_grants::by_handle(conn, &shown.handle))?;
    let grant = grant.filter(|grant| grant.state == CredentialState::Active);
    match grant.filter(|grant| grant.current == shown.whole.as_bytes()) {
        Some(grant) if app.store.lookup(|conn| is_still_given(conn, &grant))? => {
            app.gate.standing_of_grant(&input.head, &grant.id)
        }
        _ => Ok(None),
    }
}

/// Returns whether the asking party may learn about this principal's tokens.
fn may_know(app: &App, asker: &Introspector, of: &Caller) -> Result<bool, ApiError> {
    let Introspector::Caller(caller) = asker else { return Ok(true) };
    if caller.is_admin() || caller.principal_key() == of.principal_key() {
        return Ok(true);
    }
    match of.principal() {
        Principal::Agent { id, .. } => {
            Ok(app.store.lookup(|conn| access::role_on(conn, caller, id))? >= Some(AgentRole::Viewer))
        }
        // An agent learns nothing about its owner's tokens.
        Principal::User(_) => Ok(false),
    }
}

fn told(app: &App, found: &Standing) -> Value {
    let caller = &found.caller;
    let own_issuer = || {
        let public = app.config.read(|now| now.public_url.as_ref().map(ToString::to_string));
        public.unwrap_or_else(|| ISSUER.to_owned())
    };
    let mut told = json!({
        "active": true,
        "username": caller.user().username,
        "sub": caller.agent_id().unwrap_or(&caller.user().id),
    });
    if let Principal::Agent { id, name, .. } = caller.principal() {
        told["agent_id"] = json!(id);
        told["agent_name"] = json!(name);
    }
    if let Some(claims) = &found.claims {
        let own = caller.credential_scopes();
        told["scope"] = json!(ax_scopes::left_of(claims.class, &claims.scope, own));
        told["aud"] = json!(claims.audience.as_str());
        told["exp"] = json!(claims.exp);
        told["iat"] = json!(claims.iat);
        told["jti"] = json!(claims.jti);
        told["token_class"] = json!(claims.class.as_str());
        told["token_type"] = json!("Bearer");
        told["iss"] = json!(claims.program.as_ref().map_or(ISSUER, |program| &program.issuer));
        if let Some(program) = &claims.program {
            told["client_id"] = json!(program.client_id);
        }
        return told;
    }
    told["iss"] = json!(own_issuer());
    told["scope"] = json!(caller.scopes().texts().join(" "));
    told["jti"] = json!(caller.credential_id());
    told["token_class"] = json!(caller.credential_kind());
    if let Some(end) = caller.expires_at() {
        told["exp"] = json!(end.0 / Micros::SECOND);
    }
    if !found.is_refresh {
        told["aud"] = json!(Audience::Api.as_str());
        told["token_type"] = json!("Bearer");
    }
    told
}
