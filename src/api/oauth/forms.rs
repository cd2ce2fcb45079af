//! The forms of the pages, for a browser without scripts. Each form calls the same route as the page's script, with the
//! same session, and replies with the next page.

use hyper::body::Bytes;
use hyper::header::{LOCATION, SET_COOKIE};
use hyper::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::endpoint::page;
use super::form::{OauthForm, encoded, posted};
use super::pages::PageReader;
use super::{fields, login, pages};
use crate::access::Caller;
use crate::access::lookup::cookie;
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::{Handled, Step};
use crate::api::engine::site;
use crate::api::engine::subrequest::Subrequest;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::input::Input;
use crate::rest::reply::{Body, Reply};
use crate::rest::route::Answer;
use crate::rest::service::Outcome;

/// The prefix of the names of the check boxes on the consent page; the scope word follows.
const WORD: &str = "scope.";

const fn row(path: &'static str, handler: crate::api::engine::api_route::PublicHandler) -> ApiRoute {
    page(Method::POST, path, handler).answering(200, Answer::OrSeeOther(&Answer::Other(&["text/html"])))
}

const REFUSALS: &[&codes::Code] = &[codes::INVALID_REQUEST, codes::CSRF_REFUSED, codes::RATE_LIMITED];

/// The forms' rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    row("/login/{link}", follow)
        .described(
            "login_link_form",
            "Use a login link without a script",
            "The button of the link's page: opens a session as sessions_open does, and leads to the link's path.",
            "recipes/logging-in#by-link",
        )
        .failing(&[codes::LINK_INVALID, codes::TLS_REQUIRED, codes::CSRF_REFUSED, codes::RATE_LIMITED]),
    row("/oauth/consent/{request}/answer", consent)
        .described(
            "oauth_consent_form",
            "Answer a program without a script",
            "The form of the consent page, as oauth_consent: decision, act_as (new, user, or agent: and the id), new_agent, and scope.WORD for each allowed word.",
            "recipes/letting-programs-log-in#consent",
        )
        .failing(REFUSALS),
    row("/oauth/device/code", device)
        .described(
            "oauth_device_form",
            "Type the code of a program without a script",
            "The form of the page, as oauth_device: user_code. Leads to the consent page.",
            "recipes/letting-programs-log-in#without-a-browser",
        )
        .failing(REFUSALS),
];

/// The title of the page for a form that failed.
const TITLE: &str = "That did not work";

/// Returns the form if a page of this box sent it.
fn own(input: &Input) -> Result<OauthForm, ApiError> {
    if !cookie::is_same_origin(&input.head) {
        return Err(codes::CSRF_REFUSED.into());
    }
    posted(input)
}

fn follow(app: &App, input: Input) -> Handled {
    if site::origin(app, &input.head).is_none() {
        return Ok(login::not_here(app, &input).into());
    }
    if !cookie::is_same_origin(&input.head) {
        return Ok(PageReader::stranger(app, &input).refused(TITLE, &codes::CSRF_REFUSED.into()).into());
    }
    let body = json!({"link": input.param(0)}).to_string();
    let asked = Subrequest::new(app, &input.head, Method::POST, "/api/sessions")?;
    let outcome = asked.public(app, &body.into());
    then(app, input, None, outcome, |_, reply, told| {
        let to = told["path"].as_str().unwrap_or("/");
        let cookie = reply.headers.get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok()).unwrap_or_default();
        Reply::empty(StatusCode::SEE_OTHER).with(LOCATION, to).with(SET_COOKIE, cookie)
    })
}

fn consent(app: &App, input: Input) -> Handled {
    let target = format!("/oauth/consent/{}", input.param(0));
    within(app, input, &target, &target, decision)
}

fn device(app: &App, input: Input) -> Handled {
    within(
        app,
        input,
        "/oauth/device",
        "/oauth/device",
        |form| json!({fields::USER_CODE.name: form.get(&fields::USER_CODE).unwrap_or_default()}),
    )
}

/// Calls a route with the browser's session. Without a session it redirects to the login, which leads back to `page`.
fn within(app: &App, input: Input, target: &str, page: &str, body: fn(&OauthForm) -> Value) -> Handled {
    let form = match own(&input) {
        Ok(form) => form,
        Err(error) => return Ok(PageReader::stranger(app, &input).refused(TITLE, &error).into()),
    };
    let Some(viewer) = app.gate.viewer(&input.head)? else { return Ok(login::first(page).into()) };
    let asked = Subrequest::new(app, &input.head, Method::POST, target)?;
    let outcome = asked.run(app, &viewer, &Bytes::from(body(&form).to_string()));
    then(app, input, Some(viewer), outcome, |reader, _, told| {
        let to = told["redirect_to"].as_str().unwrap_or("/");
        // The policy `form-action` blocks a redirect from a form to another origin, but not a page that leads there.
        if to.starts_with('/') {
            Reply::empty(StatusCode::SEE_OTHER).with(LOCATION, to)
        } else {
            reader.shown(StatusCode::OK, &pages::Back { to })
        }
    })
}

/// Returns the decision in the form that the page's script sends.
fn decision(form: &OauthForm) -> Value {
    let act_as = match form.get(&fields::ACT_AS) {
        Some("new") => json!({fields::NEW_AGENT.name: form.get(&fields::NEW_AGENT).unwrap_or_default()}),
        Some("user") => json!({fields::AS_USER.name: true}),
        Some(agent) => json!({fields::AGENT_ID.name: agent.strip_prefix("agent:").unwrap_or(agent)}),
        None => json!({}),
    };
    json!({
        fields::DECISION.name: form.get(&fields::DECISION),
        fields::ACT_AS.name: act_as,
        fields::TICKED.name: form.named(WORD),
    })
}

/// Turns a reply into the next page, or into a page that says what went wrong.
fn then(
    app: &App,
    input: Input,
    viewer: Option<Caller>,
    outcome: Outcome,
    good: fn(PageReader<'_>, &Reply, &Value) -> Reply,
) -> Handled {
    let app = app.handle();
    let finish = move |reply: Reply| {
        let Some(app) = app.upgrade() else { return Outcome::Done(Reply::empty(StatusCode::SERVICE_UNAVAILABLE)) };
        let reader = PageReader { app: &app, input: &input, viewer: viewer.as_ref() };
        let told: Value = match &reply.body {
            Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
            _ => Value::Null,
        };
        if reply.status.is_success() {
            return Outcome::Done(good(reader, &reply, &told));
        }
        let code = told["error"].as_str().and_then(codes::by_slug).unwrap_or(codes::INTERNAL);
        let detail = told["detail"].as_str().unwrap_or(code.about);
        Outcome::Done(reader.refused(TITLE, &ApiError::new(code).detail(detail)))
    };
    Ok(Step::Later(Outcome::Then(Box::new(outcome), Box::new(finish))))
}

/// Returns the path that the consent page's form is sent to.
pub(super) fn answer_path(request: &str) -> String {
    format!("/oauth/consent/{}/answer", encoded(request))
}
