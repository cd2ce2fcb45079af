//! `POST /oauth/revoke` (RFC 7009): a program ends its grant with the refresh token or an access token of it.

use hyper::http::{Method, StatusCode};

use super::ending::end;
use super::endpoint::{issuer, public};
use super::form::{self, OauthForm, posted};
use super::{client, client_auth, fields};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::Handled;
use crate::rest::codes;
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::secret::RefreshToken;
use crate::store::credentials::CredentialState;
use crate::store::{self, oauth_grants};
use crate::time::Micros;

const FORM: &[Field] = &[fields::TOKEN, fields::CLIENT_ID];

/// The revocation endpoint's rows of the route table.
pub const ROUTES: &[ApiRoute] = &[public(Method::POST, "/oauth/revoke", revoke)
    .described(
        "oauth_revoke",
        "Give a grant back",
        "Takes a form with token, a refresh token or an access token, and client_id. The whole grant ends. An unknown \
            token gets the same reply.",
        "recipes/letting-programs-log-in#end-a-grant",
    )
    .taking_raw_of(form::TYPE, FORM, r#"{"token": "taos_refresh_…", "client_id": "…"}"#)
    .answering(200, Answer::Empty)
    .failing(&[
        codes::INVALID_REQUEST,
        codes::INVALID_CLIENT,
        codes::UNAUTHORIZED_CLIENT,
        codes::CSRF_REFUSED,
        codes::WRONG_CHANNEL,
        codes::RATE_LIMITED,
        codes::NOT_FOUND,
    ])];

fn revoke(app: &App, input: Input) -> Handled {
    issuer(app, &input)?;
    let form = posted(&input)?;
    let done = Reply::empty(StatusCode::OK);
    let found = match grant(app, &form)? {
        Some(id) => app.store.lookup(|conn| oauth_grants::by_id(conn, &id))?.map(|grant| (id, grant)),
        None => None,
    };
    // The end of a grant in force counts nowhere: it happens once, and nobody may keep a stolen grant alive by using up
    // the rate of its account or of its peer.
    let Some((id, grant)) = found.filter(|(_, grant)| grant.state == CredentialState::Active) else {
        app.gate.throttle_public(&input.head)?;
        return Ok(done.into());
    };
    let shown = client_auth::shown(&input, &form)?;
    if let Some(shown) = &shown
        && let Some(known) = client::find(app, &shown.id)?
    {
        shown.check(app, &input, &known)?;
    }
    let client = shown.map(|shown| client::hash(&shown.id));
    let own = |hash: &[u8]| client.is_none_or(|client| client.as_bytes() == hash);
    if !own(&grant.client_hash) {
        app.gate.throttle_public(&input.head)?;
        return Err(codes::UNAUTHORIZED_CLIENT.into());
    }
    end(app, &input, id, "oauth.grant.revoke", done)
}

/// Returns the id of the grant that a token belongs to.
fn grant(app: &App, form: &OauthForm) -> Result<Option<String>, crate::rest::error::ApiError> {
    let token = form.required(&fields::TOKEN)?;
    if let Ok(shown) = RefreshToken::parse(token) {
        let found: store::Result<_> = app.store.lookup(|conn| oauth_grants::by_handle(conn, &shown.handle));
        return Ok(found?.map(|grant| grant.id));
    }
    let claims = app.gate.keys.verify(token, Micros::now().0 / Micros::SECOND).ok();
    Ok(claims.filter(|claims| claims.program.is_some()).map(|claims| claims.credential_id))
}
