//! Logging in and out.

use askama::Template;
use hyper::header::{HeaderName, LOCATION, SET_COOKIE};
use hyper::http::{Method, StatusCode};
use serde_json::json;

use super::core::act::is_page;
use super::core::filters;
use super::core::form::Form;
use super::core::frame::{Assets, Trouble};
use super::core::query;
use super::core::text::encoded;
use super::core::view::{html, refusal_of};
use crate::access::lookup::cookie;
use crate::api::App;
use crate::api::engine::call::{Call, Handled, Step};
use crate::api::engine::site;
use crate::api::engine::subrequest::Subrequest;
use crate::api::taos::links::is_own_path;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::field::Field;
use crate::rest::head::Head;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;

/// The field of the form besides [`query::NEXT`].
const TOKEN: Field = Field::unbounded("token", "A user's token.");

#[derive(Template)]
#[template(path = "login.html")]
struct Login {
    assets: Assets,
    next: String,
    trouble: Option<Trouble>,
    /// The session has ended, or the login link was not valid.
    ended: bool,
}

/// The page after the login.
fn next_of(path: &str) -> String {
    if (is_page(path) || is_own_path(path)) && !path.starts_with("/ui/login") {
        path.to_owned()
    } else {
        "/ui/".to_owned()
    }
}

fn page(status: StatusCode, next: &str, trouble: Option<Trouble>, ended: bool) -> Reply {
    html(status, &Login { assets: Assets::new(), next: next_of(next), trouble, ended })
}

/// A redirect to the login, which then leads back to the requested page.
pub(super) fn asked_for(error: &ApiError, head: &Head) -> Reply {
    // If a script has requested a part of a page, the whole page is loaded again.
    if head.headers.contains_key("hx-request") {
        return Reply::empty(StatusCode::UNAUTHORIZED).with(HeaderName::from_static("hx-refresh"), "true");
    }
    let next = match (&head.method, head.query.is_empty()) {
        (&Method::GET, true) => head.raw_path.clone(),
        (&Method::GET, false) => format!("{}?{}", head.raw_path, head.query),
        _ => "/ui/".to_owned(),
    };
    let ended = if error.code.slug == codes::INVALID_TOKEN.slug { "&status=ended" } else { "" };
    let login = format!("/ui/login?next={}{ended}", encoded(&next_of(&next)));
    Reply::empty(StatusCode::SEE_OTHER).with(LOCATION, &login)
}

/// A token may be typed only on a connection that nobody can listen to.
fn is_safe(app: &App, head: &Head) -> Result<(), ApiError> {
    if site::origin(app, head).is_some() { Ok(()) } else { Err(codes::TLS_REQUIRED.into()) }
}

/// `GET /ui/login`: the form for a token.
pub(super) fn show(app: &App, input: Input) -> Handled {
    is_safe(app, &input.head)?;
    let ended = input.query.text(&query::STATUS) == Some("ended");
    Ok(page(StatusCode::OK, input.query.text(&query::NEXT).unwrap_or("/ui/"), None, ended).into())
}

/// `POST /ui/login`: makes a session from the token.
pub(super) fn open(app: &App, input: Input) -> Handled {
    if !cookie::is_same_origin(&input.head) {
        return Err(codes::CSRF_REFUSED.into());
    }
    is_safe(app, &input.head)?;
    let form = Form::read(&input.raw);
    let next = next_of(form.get(&query::NEXT).unwrap_or("/ui/"));
    let body = json!({TOKEN.name: form.get(&TOKEN).unwrap_or_default().trim()}).to_string();
    let asked = Subrequest::new(app, &input.head, Method::POST, "/api/sessions")?;
    let outcome = asked.public(app, &body.into());
    Ok(Step::Later(Outcome::Then(
        Box::new(outcome),
        Box::new(move |reply| {
            Outcome::Done(match reply.headers.get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok()) {
                Some(cookie) if reply.status.is_success() => {
                    Reply::empty(StatusCode::SEE_OTHER).with(LOCATION, &next).with(SET_COOKIE, cookie)
                }
                _ => {
                    let error = refusal_of(&reply);
                    page(error.status(), &next, Some(Trouble::from(&error)), false)
                }
            })
        }),
    )))
}

/// `POST /ui/logout`: ends the session.
pub(super) fn close(app: &App, call: Call) -> Handled {
    let asked = Subrequest::new(app, &call.input.head, Method::DELETE, "/api/sessions/current")?;
    let outcome = asked.run(app, &call.caller, &hyper::body::Bytes::new());
    Ok(Step::Later(Outcome::Then(
        Box::new(outcome),
        Box::new(|reply| {
            let out =
                Reply::empty(StatusCode::SEE_OTHER).with(LOCATION, &format!("/ui/login?next={}", encoded("/ui/")));
            let cookie = reply.headers.get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok()).unwrap_or_default();
            Outcome::Done(if cookie.is_empty() { out } else { out.with(SET_COOKIE, cookie) })
        }),
    )))
}
