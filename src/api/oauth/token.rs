//! `POST /oauth/token`: a code becomes a grant with its tokens (OAuth contract, section 6). The other grant types have files
//! of their own.

use std::sync::Arc;
use std::time::Instant;

use data_encoding::BASE64URL_NOPAD;
use hyper::http::Method;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::form::{self, OauthForm};
use super::redirect::Redirect;
use super::target::TokenTarget;
use super::{NEED, audience, bad, client, client_auth, consent, device, exchange, issuer, posted, public, refresh};
use crate::access::scopes::ax_scopes;
use crate::access::tokens::jwt::{Claims, ISSUER, ProgramClaims};
use crate::access::{self, Action, AgentRole, Class, Gate};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Tx};
use crate::api::engine::descent;
use crate::api::engine::logins::{CODE_LIFE, CodeGrant, Used};
use crate::config::Config;
use crate::limits::{OAUTH_GRANTS_OF_AGENT, OAUTH_GRANTS_OF_USER};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::secret::{AuthorizationCode, Issued, Kind, RefreshToken};
use crate::store::{self, agents, credentials, oauth_grants};
use crate::time::Micros;

const DOC: &str = "recipes/letting-programs-log-in#get-tokens";

const FORM: &[Field] = &[
    Field::shown("grant_type", "How the program asks.").not_empty(),
    Field::unbounded("client_id", "The client's id."),
    Field::unbounded("client_secret", "Its secret, if it has one and does not send it as Basic."),
    Field::unbounded("code", "authorization_code: the code."),
    Field::unbounded("redirect_uri", "authorization_code: the redirect URI that got the code."),
    Field::unbounded("code_verifier", "authorization_code: the verifier that the challenge was made from (RFC 7636)."),
    Field::unbounded("refresh_token", "refresh_token: the token."),
    Field::unbounded("device_code", "The device grant: the code."),
    Field::unbounded("subject_token", "A token exchange: the key to exchange."),
    Field::unbounded("subject_token_type", "A token exchange: its type (RFC 8693, section 3)."),
    Field::unbounded("audience", "A token exchange: the audience of the access token."),
    Field::unbounded("scope", "The scope words; at a refresh, fewer than before are allowed."),
    Field::unbounded("resource", "What the access token is for (RFC 8707)."),
];

/// The rows of the table.
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
    match form.get("grant_type") {
        Some("authorization_code") => {
            let client = client_auth::needed(&input, &form)?;
            client.proved(app, &input)?;
            code(app, input, &form, client.id)
        }
        Some("refresh_token") => {
            let client = client_auth::needed(&input, &form)?;
            // One that registered itself long ago is still known by its grant.
            if let Some(known) = client::find(app, &client.id)? {
                client.check(app, &input, &known)?;
            }
            refresh::refresh(app, input, &form, client.id)
        }
        Some("client_credentials") => {
            let client = client_auth::needed(&input, &form)?;
            exchange::client_credentials(app, input, &form, &client)
        }
        Some(device::DEVICE_CODE) => device::poll(app, input, &form),
        Some(exchange::TOKEN_EXCHANGE) => exchange::token_exchange(app, input, &form),
        Some(_) => Err(codes::UNSUPPORTED_GRANT_TYPE.into()),
        None => Err(bad("grant_type is missing.")),
    }
}

/// A parameter that has to be there.
pub(super) fn needed<'a>(form: &'a OauthForm, name: &str) -> Result<&'a str, ApiError> {
    form.get(name).ok_or_else(|| bad(format!("{name} is missing.")))
}

/// The refusal of a proof; it counts as a failed login of the peer.
pub(super) fn invalid_grant(app: &App, input: &Input, detail: &str) -> ApiError {
    app.gate.failed(&input.head, &NEED, ApiError::new(codes::INVALID_GRANT).detail(detail))
}

fn code(app: &App, input: Input, form: &OauthForm, id: String) -> Handled {
    let presented = needed(form, "code")?;
    let refused = |input: &Input| invalid_grant(app, input, "The code is unknown, used or too old.");
    let Ok(hash) = AuthorizationCode::parse(presented) else { return Err(refused(&input)) };
    // The first request takes the code, whatever the outcome.
    let claimed = app.logins.codes.change(&hash, Instant::now(), |code| {
        let before = code.used.clone();
        code.replayed |= before.is_some();
        code.used.get_or_insert(Used::Refused);
        (code.clone(), before)
    });
    let found = match claimed {
        None => return Err(refused(&input)),
        Some((found, Some(Used::Gave(grant)))) => return replayed(app, input, &grant, &found.session_id),
        Some((_, Some(Used::Refused))) => return Err(refused(&input)),
        Some((found, None)) => found,
    };
    check(&input, app, form, &found, &id)?;
    let caller = app.gate.behind(&input.head, &NEED, &found.session_id, Kind::Session)?;
    let Some(caller) = caller else {
        return Err(invalid_grant(app, &input, "The session that gave the code has ended."));
    };
    let (config, gate, logins) = (app.config.now(), Arc::clone(&app.gate), Arc::clone(&app.logins));
    Call::of(app, caller, input, Action::OauthToken).write(app, move |tx| {
        let given = give(tx, &config, &found)?;
        let reply = issue(tx, &gate, &config, &given, &id, &found.words)?;
        let was_replayed = logins.codes.change(&hash, Instant::now(), |code| {
            code.used = Some(Used::Gave(given.id.clone()));
            code.replayed
        });
        // Two requests used it at once. One of them is a thief's, and we cannot know which.
        if was_replayed == Some(true) {
            return Err(ApiError::new(codes::INVALID_GRANT).detail("The code was presented twice."));
        }
        Ok(reply)
    })
}

/// A code that is presented again: its grant ends.
fn replayed(app: &App, input: Input, grant: &str, session: &str) -> Handled {
    let refusal = invalid_grant(app, &input, "The code was used before; what it gave has ended.");
    // The grant may be so new that no reader sees it yet. The writer does, in the name of the session that gave the code.
    let behind = |id, kind| app.gate.behind(&input.head, &NEED, id, kind);
    let caller = match behind(grant, Kind::OauthGrant)? {
        None => behind(session, Kind::Session)?,
        found => found,
    };
    let Some(caller) = caller else { return Err(refusal) };
    let id = grant.to_owned();
    Call::of(app, caller, input, Action::OauthToken).write(app, move |tx| {
        if credentials::revoke(tx.conn, &id, tx.now)? {
            tx.audit_as("oauth.code_reuse", format!("credential:{id}"))?;
        }
        // The transaction commits although the reply is a refusal.
        Ok(refusal.reply(tx.input.dialect))
    })
}

/// All that a code is bound to.
fn check(input: &Input, app: &App, form: &OauthForm, code: &CodeGrant, id: &str) -> Result<(), ApiError> {
    let refused = |detail| Err(invalid_grant(app, input, detail));
    if code.made.elapsed() >= CODE_LIFE {
        return refused("The code is unknown, used or too old.");
    }
    if code.client.hash != client::hash(id) {
        return refused("The code was given to another client.");
    }
    if form.get("redirect_uri").is_some_and(|uri| uri != code.redirect_uri) {
        return refused("The redirect_uri is not the one that the code was sent to.");
    }
    let verifier = needed(form, "code_verifier")?;
    if !is_verifier(verifier) || BASE64URL_NOPAD.encode(&Sha256::digest(verifier.as_bytes())) != code.challenge {
        return refused("The code_verifier does not fit the code.");
    }
    let own = issuer(app, input)?;
    let asked = form.get("resource").map(|uri| audience(&app.config.now(), &own, Some(uri))).transpose()?;
    if asked.is_some_and(|asked| asked.audience.as_str() != code.audience) {
        return Err(codes::INVALID_TARGET.into());
    }
    Ok(())
}

fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

/// A grant, as its tokens are made of it.
pub(super) struct TokenGrant {
    /// The id of its credential.
    pub id: String,
    /// Whom its tokens are for.
    pub audience: String,
    /// Who has consented, or owns the agent.
    pub user_id: String,
    /// Id and name of the agent.
    pub agent: Option<(String, String)>,
    /// Where it works if nothing is said.
    pub space_id: String,
    /// When it ends at the latest, if it is not refreshed.
    pub expires_at: Micros,
    /// The refresh token.
    pub refresh: Issued,
}

/// Makes the grant that a code stands for.
pub(super) fn give(tx: &Tx<'_>, config: &Config, code: &CodeGrant) -> Result<TokenGrant, ApiError> {
    let user = tx.caller.user();
    let (mut agent, mut space_id, mut owner) = (None, None, user.id.clone());
    if oauth_grants::count_of_user(tx.conn, &user.id, tx.now)? >= OAUTH_GRANTS_OF_USER {
        return Err(ApiError::new(codes::INVALID_GRANT).detail("The user has given the maximum number of grants."));
    }
    if let Some(id) = &code.agent_id {
        let gone = || {
            ApiError::new(codes::INVALID_GRANT)
                .detail("The agent no longer exists, or the user may no longer change it.")
        };
        let live = agents::by_id(tx.conn, id)?.ok_or_else(gone)?.agent;
        if access::role_on(tx.conn, tx.caller, id)? < Some(AgentRole::Editor)
            || oauth_grants::count_of_agent(tx.conn, id, tx.now)? >= OAUTH_GRANTS_OF_AGENT
        {
            return Err(gone());
        }
        space_id = Some(live.space_id.clone());
        owner.clone_from(&live.owner_user_id);
        agent = Some((live.id, live.given_name.unwrap_or(live.slug)));
    }
    let class = if agent.is_some() { Class::Agent } else { Class::User };
    let scopes = ax_scopes::given_to_program(class, &code.words, &consent::own(tx.caller.scopes(), class));
    let (issued, handle) = RefreshToken::generate();
    let id = store::new_id();
    let maker = descent::maker(tx, true)?;
    let days = |n: u64| i64::try_from(n).unwrap_or(1) * Micros::DAY;
    let (idle, days) = (days(config.oauth.refresh_idle_days), days(config.oauth.refresh_days));
    // As the user it lives by what made it; an agent's credentials live by their agent.
    let bound = |wished| if agent.is_none() { descent::end(tx, &maker, wished) } else { Ok(wished) };
    let ends_at = bound(tx.now.plus(days))?;
    let expires_at = tx.now.plus(idle).min(ends_at);
    let schemes = &config.oauth.redirect_schemes;
    let redirect_host = match code.redirect_uri.as_str() {
        "" => "device".to_owned(),
        uri => Redirect::parse(uri, schemes).map(|uri| uri.host()).unwrap_or_default(),
    };
    oauth_grants::insert(
        tx.conn,
        &oauth_grants::NewGrant {
            id: &id,
            issued: &issued,
            handle,
            user_id: &user.id,
            agent_id: agent.as_ref().map(|(id, _)| id.as_str()),
            scopes: &scopes.stored(),
            words: &code.words,
            audience: &code.audience,
            client_hash: code.client.hash,
            client_name: &code.client.name,
            redirect_host: &redirect_host,
            maker: &maker,
            now: tx.now,
            expires_at,
            ends_at,
        },
    )?;
    let whom = agent.as_ref().map_or_else(|| format!("user:{}", user.id), |(id, _)| format!("agent:{id}"));
    let told = format!("credential:{id} for {} at {redirect_host} as {whom}: {}", code.client.name, code.words);
    tx.audit_as("oauth.grant.create", told)?;
    let space_id = match space_id {
        Some(space_id) => space_id,
        None => access::default_space(tx.conn, tx.caller)?,
    };
    let audience = code.audience.clone();
    Ok(TokenGrant { id, audience, user_id: owner, agent, space_id, expires_at, refresh: issued })
}

/// The reply with an access token of a grant, narrowed to these words, and its refresh token.
pub(super) fn issue(
    tx: &Tx<'_>,
    gate: &Gate,
    config: &Config,
    given: &TokenGrant,
    client_id: &str,
    words: &str,
) -> Result<Reply, ApiError> {
    let iat = tx.now.0 / Micros::SECOND;
    let ttl = i64::try_from(config.oauth.access_ttl).unwrap_or(900);
    let exp = (iat + ttl).min(given.expires_at.0 / Micros::SECOND).max(iat + 1);
    let target = TokenTarget::named(config, &given.audience)?;
    let words = target.words(words)?;
    let issuer = config.public_url.as_ref().map_or_else(|| ISSUER.to_owned(), ToString::to_string);
    let claims = Claims {
        sub: given.agent.as_ref().map_or_else(|| given.user_id.clone(), |(id, _)| id.clone()),
        audience: target.audience,
        iat,
        exp,
        jti: store::new_id(),
        class: if given.agent.is_some() { Class::Agent } else { Class::User },
        scope: words.clone(),
        user_id: given.user_id.clone(),
        credential_id: given.id.clone(),
        space_id: given.space_id.clone(),
        agent: given.agent.clone(),
        program: Some(ProgramClaims { issuer, client_id: client_id.to_owned() }),
    };
    Ok(Reply::ok(&json!({
        "access_token": gate.keys.sign(&claims).map_err(access::unsigned)?,
        "token_type": "Bearer",
        "expires_in": exp - iat,
        "scope": words,
        "refresh_token": given.refresh.plaintext.reveal(),
    })))
}
