//! Grants to programs: how a person's consent becomes a grant, and how tokens are issued from it.

use rusqlite::Connection;
use serde_json::json;

use super::client;
use super::endpoint::NEED;
use super::redirect::Redirect;
use super::target::{TokenTarget, giveable};
use crate::access::scopes::ax_scopes;
use crate::access::tokens::jwt::{Claims, ISSUER, ProgramClaims};
use crate::access::{self, AgentRole, Class, Gate};
use crate::api::engine::app::App;
use crate::api::engine::call::Tx;
use crate::api::engine::descent;
use crate::api::engine::logins::CodeGrant;
use crate::config::Config;
use crate::limits::{OAUTH_GRANTS_OF_AGENT, OAUTH_GRANTS_OF_USER};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::secret::{Issued, RefreshToken};
use crate::store::agents::{self, Agent};
use crate::store::oauth_grants::{self, OauthGrant};
use crate::store::{self, oauth_clients};
use crate::time::Micros;

/// Returns `invalid_grant`, and counts it as a failed login of the peer.
pub(super) fn invalid_grant(app: &App, input: &Input, detail: &str) -> ApiError {
    app.gate.failed(&input.head, &NEED, ApiError::new(codes::INVALID_GRANT).detail(detail))
}

/// A grant, in the form that its tokens are made from.
pub(super) struct TokenGrant {
    /// The id of the grant's credential.
    pub id: String,
    /// The audience of its tokens.
    pub audience: String,
    /// The id of the user who consented, or of the agent's owner.
    pub user_id: String,
    /// The id and name of the agent; `None` for the user.
    pub agent: Option<(String, String)>,
    /// The default space.
    pub space_id: String,
    /// The end of the grant if it is not refreshed.
    pub expires_at: Micros,
    /// The refresh token; `None` for a program that registered without the grant type.
    pub refresh: Option<Issued>,
}

/// True while the user who consented may let programs act as the grant's agent.
pub(super) fn is_still_given(conn: &Connection, grant: &OauthGrant) -> store::Result<bool> {
    grant.agent_id.as_deref().map_or(Ok(true), |agent| access::still_edits(conn, &grant.user_id, agent))
}

/// Checks that the client is still there: an admin may have removed it since the request was admitted, or before an
/// earlier release ended its grants. A self-registered client has no row.
pub(super) fn require_client(conn: &Connection, id: &str) -> Result<(), ApiError> {
    if client::registered_itself(id) || oauth_clients::by_id(conn, id)?.is_some() {
        return Ok(());
    }
    Err(codes::INVALID_CLIENT.into())
}

/// Checks that the user may give one more grant.
fn require_room(tx: &Tx<'_>) -> Result<(), ApiError> {
    if oauth_grants::count_of_user(tx.conn, &tx.caller.user().id, tx.now)? < OAUTH_GRANTS_OF_USER {
        return Ok(());
    }
    Err(ApiError::new(codes::INVALID_GRANT).detail("The user has given the maximum number of grants."))
}

/// Creates the grant that a code stands for. One that its program may not refresh ends with the access token.
pub(super) fn give(
    tx: &Tx<'_>,
    config: &Config,
    code: &CodeGrant,
    client_id: &str,
    refreshes: bool,
) -> Result<TokenGrant, ApiError> {
    require_client(tx.conn, client_id)?;
    require_room(tx)?;
    let user = tx.caller.user();
    let (agent, space_id, owner) = match &code.agent_id {
        Some(id) => {
            let live = agent_of(tx, id)?;
            (Some((live.id, live.given_name.unwrap_or(live.slug))), Some(live.space_id), live.owner_user_id)
        }
        None => (None, None, user.id.clone()),
    };
    let class = if agent.is_some() { Class::Agent } else { Class::User };
    let scopes = ax_scopes::given_to_program(class, &code.words, &giveable(tx.caller.scopes(), class));
    let (issued, handle) = RefreshToken::generate();
    let id = store::new_id();
    let maker = descent::maker(tx, true)?;
    let (idle, longest) = lives(config, refreshes);
    // A grant as the user depends on the credential that made it; an agent's credentials depend on their agent.
    let bound = |wished| if agent.is_none() { descent::end(tx, &maker, wished) } else { Ok(wished) };
    let ends_at = bound(tx.now.plus(longest))?;
    let expires_at = tx.now.plus(idle).min(ends_at);
    let redirect_host = redirect_host(config, code);
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
    let refresh = refreshes.then_some(issued);
    Ok(TokenGrant { id, audience, user_id: owner, agent, space_id, expires_at, refresh })
}

/// Returns how long an unused grant lives, and how long one lives at most, in microseconds.
fn lives(config: &Config, refreshes: bool) -> (i64, i64) {
    if !refreshes {
        let life = access_ttl(config) * Micros::SECOND;
        return (life, life);
    }
    let days = |n: u64| i64::try_from(n).unwrap_or(1) * Micros::DAY;
    (days(config.oauth.refresh_idle_days), days(config.oauth.refresh_days))
}

/// Returns the seconds that an access token lives.
fn access_ttl(config: &Config) -> i64 {
    i64::try_from(config.oauth.access_ttl).unwrap_or(900)
}

/// Returns the agent, if the program may still act as it.
fn agent_of(tx: &Tx<'_>, id: &str) -> Result<Agent, ApiError> {
    let gone = || {
        ApiError::new(codes::INVALID_GRANT).detail("The agent no longer exists, or the user may no longer change it.")
    };
    let live = agents::by_id(tx.conn, id)?.ok_or_else(gone)?.agent;
    if access::role_on(tx.conn, tx.caller, id)? < Some(AgentRole::Editor)
        || oauth_grants::count_of_agent(tx.conn, id, tx.now)? >= OAUTH_GRANTS_OF_AGENT
    {
        return Err(gone());
    }
    Ok(live)
}

/// Returns the host that the code was sent to, as people see it.
fn redirect_host(config: &Config, code: &CodeGrant) -> String {
    match code.redirect_uri.as_str() {
        "" => "device".to_owned(),
        uri => Redirect::parse(uri, &config.oauth.redirect_schemes).map(|uri| uri.host()).unwrap_or_default(),
    }
}

/// Returns the reply with an access token of a grant, narrowed to these words, and its refresh token.
pub(super) fn issue(
    tx: &Tx<'_>,
    gate: &Gate,
    config: &Config,
    given: &TokenGrant,
    client_id: &str,
    words: &str,
) -> Result<Reply, ApiError> {
    let iat = tx.now.0 / Micros::SECOND;
    let exp = (iat + access_ttl(config)).min(given.expires_at.0 / Micros::SECOND).max(iat + 1);
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
    let mut told = json!({
        "access_token": gate.keys.sign(&claims).map_err(access::unsigned)?,
        "token_type": "Bearer",
        "expires_in": exp - iat,
        "scope": words,
    });
    if let Some(refresh) = &given.refresh {
        told["refresh_token"] = json!(refresh.plaintext.reveal());
    }
    Ok(Reply::ok(&told))
}
