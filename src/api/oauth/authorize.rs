//! `GET /oauth/authorize`: a program sends its person here (OAuth contract, section 5). The request is held in memory
//! while the person decides.

use std::time::Instant;

use hyper::header::LOCATION;
use hyper::http::{Method, StatusCode};

use super::client;
use super::endpoint::{issuer, page};
use super::form::{OauthForm, bad, told};
use super::pages::PageReader;
use super::target::{audience, words};
use super::{fields, pages, redirect};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::Handled;
use crate::api::engine::logins::{AnswerTarget, AuthorizationRequest};
use crate::config::Config;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::route;
use crate::secret::ConsentId;

const DOC: &str = "recipes/letting-programs-log-in#consent";
/// The maximum bytes of a `state`.
const STATE_CHARS: usize = 1024;

/// The authorization endpoint's rows of the route table.
pub const ROUTES: &[ApiRoute] = &[page(Method::GET, "/oauth/authorize", authorize)
    .described(
        "oauth_authorize",
        "Ask a person to let a program in",
        "The authorization endpoint of OAuth 2.1: response_type=code, client_id, redirect_uri, code_challenge with \
            code_challenge_method=S256, state, scope, resource. An unknown client or redirect URI gets a page; every \
            other error goes to the redirect URI.",
        DOC,
    )
    .answering(200, route::Answer::OrSeeOther(&route::Answer::Other(&["text/html"])))
    .failing(&[codes::INVALID_REQUEST, codes::NOT_FOUND])];

/// An error page for the person, where the program must not get the error.
fn refused(reader: PageReader<'_>, title: &str, detail: &str) -> Reply {
    reader.refused(title, &bad(detail))
}

fn authorize(app: &App, input: Input) -> Handled {
    let reader = PageReader::stranger(app, &input);
    let Ok(issuer) = issuer(app, &input) else {
        return Ok(reader.refused("There is no such page", &codes::NOT_FOUND.into()).into());
    };
    let (form, twice) = match OauthForm::parse(&input.head.query) {
        Ok(form) => (form, None),
        Err(wrong) => (OauthForm::lenient(&input.head.query), Some(told(&wrong))),
    };
    let found = match form.get(&fields::CLIENT_ID) {
        Some(id) => client::find(app, id)?.map(|found| (found.registered.told(id), found.registered)),
        None => None,
    };
    let Some((client, found)) = found else {
        return Ok(refused(
            reader,
            "Unknown program",
            "The box does not know the program that sent you here. Log in from the program again.",
        )
        .into());
    };
    let schemes = app.config.read(|now| now.oauth.redirect_schemes.clone());
    let Some(uri) = found.redirect(form.get(&fields::REDIRECT_URI), &schemes) else {
        return Ok(refused(
            reader,
            "Wrong address",
            "The program wants to be answered at an address that it has not registered.",
        )
        .into());
    };
    let state = form.get(&fields::STATE).filter(|state| state.len() <= STATE_CHARS).map(str::to_owned);
    let asked = match twice {
        Some(why) => Err(("invalid_request", why)),
        None => read(&app.config.now(), &form, &issuer),
    };
    let (challenge, words, audience) = match asked {
        Ok(asked) => asked,
        Err((error, detail)) => return Ok(back(&uri, error, &detail, state.as_deref(), &issuer).into()),
    };
    let answer = AnswerTarget::Redirect { uri: uri.clone(), state: state.clone(), challenge };
    let waiting = AuthorizationRequest { client, words, audience, issuer: issuer.clone(), answer, seen_by: None };
    let id = ConsentId::generate();
    if app.logins.asked.put(id.hash, &input.head.peer.key(), waiting, Instant::now()).is_err() {
        let detail = "Too many programs wait for a decision.";
        return Ok(back(&uri, "temporarily_unavailable", detail, state.as_deref(), &issuer).into());
    }
    let page = pages::OnwardPage { to: &format!("/oauth/consent/{}", id.plaintext.reveal()) };
    Ok(reader.shown(StatusCode::OK, &page).into())
}

/// Returns a redirect that brings an error to the program through the browser.
fn back(uri: &str, error: &str, detail: &str, state: Option<&str>, issuer: &str) -> Reply {
    let to = answer(uri, &[("error", error), ("error_description", detail)], state, issuer);
    Reply::empty(StatusCode::SEE_OTHER).with(LOCATION, &to)
}

/// Returns the redirect URI with an answer in its query.
pub(super) fn answer(uri: &str, said: &[(&str, &str)], state: Option<&str>, issuer: &str) -> String {
    let mut all = said.to_vec();
    all.extend(state.map(|state| ("state", state)));
    all.push(("iss", issuer));
    redirect::with(uri, &all)
}

/// Returns the challenge, scope words and audience of a request, or the OAuth error and its description.
fn read(
    config: &Config,
    form: &OauthForm,
    issuer: &str,
) -> Result<(String, Vec<String>, String), (&'static str, String)> {
    let bad = |detail: &str| Err(("invalid_request", detail.to_owned()));
    match form.get(&fields::RESPONSE_TYPE) {
        Some("code") => {}
        None => return bad("response_type is missing."),
        Some(_) => return Err(("unsupported_response_type", "Only response_type=code is offered.".to_owned())),
    }
    if form.get(&fields::STATE).is_some_and(|state| state.len() > STATE_CHARS) {
        return bad("state is longer than 1024 bytes.");
    }
    if form.get(&fields::CODE_CHALLENGE_METHOD) != Some("S256") {
        return bad("code_challenge_method must be S256.");
    }
    let challenge = form.get(&fields::CODE_CHALLENGE).unwrap_or("");
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    if !(43..=128).contains(&challenge.len()) || !challenge.bytes().all(plain) {
        return bad("code_challenge must have 43 to 128 characters of base64url.");
    }
    let target = audience(config, issuer, form.get(&fields::RESOURCE))
        .map_err(|_| ("invalid_target", "The resource is not on this box and not in its settings.".to_owned()))?;
    let words = words(form.get(&fields::SCOPE), &target)
        .ok_or_else(|| ("invalid_scope", "None of the scope words is known here.".to_owned()))?;
    Ok((challenge.to_owned(), words, target.audience.as_str().to_owned()))
}

/// Returns the refusal of a request that no longer waits.
pub(super) fn expired() -> ApiError {
    codes::AUTHORIZATION_EXPIRED.into()
}
