//! `POST /oauth/token`: turns a code into a grant with its tokens (OAuth contract, section 6). The other grant types
//! have their own files.

use std::sync::Arc;
use std::time::Instant;

use data_encoding::BASE64URL_NOPAD;
use hyper::http::Method;
use sha2::{Digest, Sha256};

use super::ending::end;
use super::endpoint::{NEED, issuer, public};
use super::form::{self, OauthForm, bad, posted};
use super::target::audience;
use super::token_grant::{give, invalid_grant, issue};
use super::{client, client_auth, device, exchange, fields, refresh};
use crate::access::Action;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled};
use crate::api::engine::logins::{CODE_LIFE, CodeGrant, Used};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::route::Answer;
use crate::secret::{AuthorizationCode, Kind};

const DOC: &str = "recipes/letting-programs-log-in#get-tokens";

const FORM: &[Field] = &[
    fields::GRANT_TYPE,
    fields::CLIENT_ID,
    fields::CLIENT_SECRET,
    fields::CODE,
    fields::REDIRECT_URI,
    fields::CODE_VERIFIER,
    fields::REFRESH_TOKEN,
    fields::DEVICE_CODE,
    fields::SUBJECT_TOKEN,
    fields::SUBJECT_TOKEN_TYPE,
    fields::AUDIENCE,
    fields::SCOPE,
    fields::RESOURCE,
];

/// The token endpoint's rows of the route table.
pub const ROUTES: &[ApiRoute] = &[public(Method::POST, "/oauth/token", token)
    .described(
        "oauth_token",
        "Get tokens",
        "The token endpoint of OAuth 2.1, with a form as body: grant_type authorization_code (code, redirect_uri, \
            client_id, code_verifier, resource), refresh_token (refresh_token, client_id, scope, resource), \
            urn:ietf:params:oauth:grant-type:device_code (device_code, client_id), client_credentials (an agent's key \
            as client, scope, resource) or urn:ietf:params:oauth:grant-type:token-exchange (subject_token, \
            subject_token_type, audience or resource, scope). Every use of a refresh token replaces it; using a \
            replaced one ends the grant.",
        DOC,
    )
    .taking_raw_of(
        form::TYPE,
        FORM,
        r#"{"grant_type": "refresh_token", "client_id": "…", "refresh_token": "taos_refresh_…"}"#,
    )
    .secret()
    .answering(
        200,
        Answer::Object(&[
            Field::shown("access_token", "The access token, a JWT (RFC 9068)."),
            Field::word("token_type", &["Bearer"], "Always Bearer.").required(),
            Field::integer("expires_in", 1, 3600, "Seconds the access token lives.").required(),
            Field::shown("scope", "The granted scope words."),
            Field::unbounded("refresh_token", "The next refresh token."),
            Field::unbounded("issued_token_type", "The type of the access token, of a token exchange."),
        ]),
    )
    .failing(&[
        codes::INVALID_REQUEST,
        codes::INVALID_CLIENT,
        codes::INVALID_GRANT,
        codes::UNAUTHORIZED_CLIENT,
        codes::UNSUPPORTED_GRANT_TYPE,
        codes::AUTHORIZATION_PENDING,
        codes::SLOW_DOWN,
        codes::ACCESS_DENIED,
        codes::EXPIRED_TOKEN,
        codes::INVALID_SCOPE,
        codes::INVALID_TARGET,
        codes::CSRF_REFUSED,
        codes::WRONG_CHANNEL,
        codes::RATE_LIMITED,
        codes::NOT_FOUND,
    ])];

fn token(app: &App, input: Input) -> Handled {
    issuer(app, &input)?;
    let form = posted(&input)?;
    match form.get(&fields::GRANT_TYPE) {
        Some(client::CODE) => {
            let client = client_auth::needed(&input, &form)?;
            let known = client.proved(app, &input)?;
            known.must_use(client::CODE)?;
            code(app, input, &form, client.id, known.uses(client::REFRESH))
        }
        Some(client::REFRESH) => {
            let client = client_auth::needed(&input, &form)?;
            // The id of a self-registered client may have expired; then the grant itself identifies the client.
            if let Some(known) = client::find(app, &client.id)? {
                client.check(app, &input, &known)?;
                known.must_use(client::REFRESH)?;
            }
            refresh::refresh(app, input, &form, client.id)
        }
        Some("client_credentials") => {
            let client = client_auth::needed(&input, &form)?;
            exchange::client_credentials(app, input, &form, &client)
        }
        Some(client::DEVICE_CODE) => device::poll(app, input, &form),
        Some(exchange::TOKEN_EXCHANGE) => exchange::token_exchange(app, input, &form),
        Some(_) => Err(codes::UNSUPPORTED_GRANT_TYPE.into()),
        None => Err(bad("grant_type is missing.")),
    }
}

fn code(app: &App, input: Input, form: &OauthForm, id: String, refreshes: bool) -> Handled {
    let presented = form.required(&fields::CODE)?;
    let refused = |input: &Input| invalid_grant(app, input, "The code is unknown, used or too old.");
    let Ok(hash) = AuthorizationCode::parse(presented) else { return Err(refused(&input)) };
    // The first request takes the code. Only one that is refused for now gives it back.
    let claimed = app.logins.codes.change(&hash, Instant::now(), |code| {
        let before = code.used.clone();
        code.replayed |= before.is_some();
        code.used.get_or_insert(Used::Refused);
        (code.clone(), before)
    });
    let found = match claimed {
        None => return Err(refused(&input)),
        Some((_, Some(Used::Gave(grant)))) => {
            let refusal = invalid_grant(app, &input, "The code was used before; what it gave has ended.");
            return end(app, &input, grant, "oauth.code_reuse", refusal.reply(input.dialect));
        }
        Some((_, Some(Used::Refused))) => return Err(refused(&input)),
        Some((found, None)) => found,
    };
    check(&input, app, form, &found, &id)?;
    let (logins, taken) = (Arc::clone(&app.logins), hash);
    let give_back = move || {
        logins.codes.change(&taken, Instant::now(), CodeGrant::give_back);
    };
    let caller = app.gate.behind(&input.head, &NEED, &found.session_id, Kind::Session);
    let Some(caller) = caller.inspect_err(|_| give_back())? else {
        return Err(invalid_grant(app, &input, "The session that gave the code has ended."));
    };
    let (config, gate, logins) = (app.config.now(), Arc::clone(&app.gate), Arc::clone(&app.logins));
    Call::of(app, caller, input, Action::OauthToken).giving_back(give_back).write(app, move |tx| {
        let given = give(tx, &config, &found, &id, refreshes)?;
        let reply = issue(tx, &gate, &config, &given, &id, &found.words)?;
        let was_replayed = logins.codes.change(&hash, Instant::now(), |code| {
            code.used = Some(Used::Gave(given.id.clone()));
            code.replayed
        });
        // Two requests used the code at once. One of them is a thief's, and the daemon cannot know which.
        if was_replayed == Some(true) {
            return Err(ApiError::new(codes::INVALID_GRANT).detail("The code was presented twice."));
        }
        Ok(reply)
    })
}

/// Checks everything that a code is bound to.
fn check(input: &Input, app: &App, form: &OauthForm, code: &CodeGrant, id: &str) -> Result<(), ApiError> {
    let refused = |detail| Err(invalid_grant(app, input, detail));
    if code.made.elapsed() >= CODE_LIFE {
        return refused("The code is unknown, used or too old.");
    }
    if code.client.hash != client::hash(id) {
        return refused("The code was given to another client.");
    }
    if form.get(&fields::REDIRECT_URI).is_some_and(|uri| uri != code.redirect_uri) {
        return refused("The redirect_uri is not the one that the code was sent to.");
    }
    let verifier = form.required(&fields::CODE_VERIFIER)?;
    if !is_verifier(verifier) || BASE64URL_NOPAD.encode(&Sha256::digest(verifier.as_bytes())) != code.challenge {
        return refused("The code_verifier does not fit the code.");
    }
    let own = issuer(app, input)?;
    let asked = form.get(&fields::RESOURCE).map(|uri| audience(&app.config.now(), &own, Some(uri))).transpose()?;
    if asked.is_some_and(|asked| asked.audience.as_str() != code.audience) {
        return Err(codes::INVALID_TARGET.into());
    }
    Ok(())
}

fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}
