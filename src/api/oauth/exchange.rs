//! The grant types `urn:ietf:params:oauth:grant-type:token-exchange` (RFC 8693) and `client_credentials`: the same as
//! `/auth/exchange`, for standard libraries (OAuth contract, section 6).

use std::sync::Arc;

use serde_json::{Value, json};

use super::client_auth::{ClientCredentials, challenged};
use super::endpoint::issuer;
use super::fields;
use super::form::{OauthForm, bad};
use super::target::{TokenTarget, audience};
use crate::access::tokens::jwt::Audience;
use crate::access::{Action, Exchanger};
use crate::api::ax::{self, Wish};
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::route::Need;

/// The same action as the exchange of the aX dialect, so it is checked, counted and recorded in the same way.
const NEED: Need = Need { action: Action::AuthExchange, classes: &[], dialect: Dialect::Ax };
/// The grant type of the token exchange.
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The token type of the presented key and of the issued token.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// The prefix of the client id of an agent's key.
const AGENT_KEY: &str = "axp_a_";

/// Turns the key or agent's token in the form into a short-lived token.
pub(super) fn token_exchange(app: &App, input: Input, form: &OauthForm) -> Handled {
    let subject = form.required(&fields::SUBJECT_TOKEN)?;
    match form.required(&fields::SUBJECT_TOKEN_TYPE)? {
        ACCESS_TOKEN => {}
        _ => return Err(bad(format!("subject_token_type must be {ACCESS_TOKEN}."))),
    }
    if form.get(&fields::ACTOR_TOKEN).is_some() || form.get(&fields::ACTOR_TOKEN_TYPE).is_some() {
        return Err(bad("actor_token is not offered: a token stands for one principal."));
    }
    if form.get(&fields::REQUESTED_TOKEN_TYPE).is_some_and(|kind| kind != ACCESS_TOKEN && kind != JWT) {
        return Err(bad(format!("requested_token_type must be {ACCESS_TOKEN}.")));
    }
    let wish = wish(app, &input, form)?;
    let refused = |error: ApiError| translated(error, codes::INVALID_REQUEST);
    let exchanger = app.gate.exchanger_of_text(&input.head, &NEED, subject).map_err(refused)?;
    let body = json!({"issued_token_type": ACCESS_TOKEN});
    exchange(app, input, exchanger, wish, refused, body)
}

/// Authenticates an agent's key as the client: its public part is the id, the whole key is the secret.
pub(super) fn client_credentials(app: &App, input: Input, form: &OauthForm, shown: &ClientCredentials) -> Handled {
    if !shown.id.starts_with(AGENT_KEY) {
        let known = shown.proved(app, &input)?;
        let why = if known.has_secret() { "This client acts for people alone." } else { "This client has no secret." };
        return Err(ApiError::new(codes::UNAUTHORIZED_CLIENT).detail(why));
    }
    let secret = shown.secret.as_ref().map(|text| text.reveal().to_owned()).unwrap_or_default();
    // The key must begin with the client id; otherwise it belongs to another client.
    if secret.strip_prefix(&shown.id).is_none_or(|rest| !rest.starts_with('.')) {
        return Err(shown.refused(app, &input));
    }
    let wish = wish(app, &input, form)?;
    let in_header = shown.in_header;
    // The gate has counted a bad key as a failed login.
    let refused = move |error: ApiError| challenged(in_header, translated(error, codes::INVALID_CLIENT));
    let exchanger = app.gate.exchanger_of_text(&input.head, &NEED, &secret).map_err(refused)?;
    exchange(app, input, exchanger, wish, refused, json!({}))
}

/// Reads the requested token. `audience` and `resource` mean the same; if both are sent, they must agree.
fn wish(app: &App, input: &Input, form: &OauthForm) -> Result<Wish, ApiError> {
    let (own, config) = (issuer(app, input)?, app.config.now());
    let of = |uri| audience(&config, &own, Some(uri));
    let of_resource = form.get(&fields::RESOURCE).map(of).transpose()?;
    let of_audience = match form.get(&fields::AUDIENCE) {
        Some(name) if Audience::named(name).is_some() => Some(TokenTarget::named(&config, name)?),
        uri => uri.map(of).transpose()?,
    };
    let target = match (of_resource, of_audience) {
        (Some(one), Some(other)) if one.audience != other.audience => return Err(codes::INVALID_TARGET.into()),
        (one, other) => one.or(other),
    };
    let asked = form.get(&fields::SCOPE).unwrap_or_default();
    let (audience, service) = match target {
        Some(target) => (target.audience.as_str().to_owned(), target.service),
        None => Default::default(),
    };
    Ok(Wish { audience, service, scope: asked.to_owned(), ..Wish::default() })
}

fn exchange(
    app: &App,
    input: Input,
    exchanger: Exchanger,
    wish: Wish,
    refused: impl FnOnce(ApiError) -> ApiError + Send + 'static,
    mut body: Value,
) -> Handled {
    let gate = Arc::clone(&app.gate);
    Call::of(app, exchanger.caller, input, Action::AuthExchange).write(app, move |tx| {
        let (claims, token) = ax::exchange(tx, &gate, &exchanger.hash, &wish).map_err(refused)?;
        body["access_token"] = json!(token);
        body["token_type"] = json!("Bearer");
        body["expires_in"] = json!(claims.exp - claims.iat);
        body["scope"] = json!(claims.scope);
        Ok(Reply::ok(&body))
    })
}

/// Translates a refusal of the exchange into the codes of RFC 6749. `bad_subject` is the code for an invalid key.
fn translated(error: ApiError, bad_subject: &'static codes::Code) -> ApiError {
    let code = match error.code {
        code if code == codes::INVALID_CREDENTIAL || code == codes::NOT_AUTHENTICATED => bad_subject,
        code if code == codes::AUDIENCE_NOT_ALLOWED => codes::INVALID_TARGET,
        code if code == codes::SCOPE_NOT_ALLOWED => codes::INVALID_SCOPE,
        code if [codes::CLASS_NOT_ALLOWED, codes::AGENT_NAME_REQUIRED, codes::BINDING_NOT_ALLOWED].contains(&code) => {
            codes::INVALID_REQUEST
        }
        _ => return error,
    };
    ApiError::new(code).detail(error.detail.replace(" — ", ": "))
}
