//! The pages where people log in: with a one-time link, or with a token (OAuth contract, section 4).

use std::time::Instant;

use hyper::header::LOCATION;
use hyper::http::{Method, StatusCode};

use super::endpoint::page;
use super::pages::PageReader;
use super::{fields, form, pages};
use crate::api::engine::api_route::ApiRoute;
use crate::api::engine::app::App;
use crate::api::engine::call::Handled;
use crate::api::engine::site;
use crate::api::taos::links::is_own_path;
use crate::rest::codes;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::route::Answer;
use crate::secret::LoginLink;

const DOC: &str = "recipes/logging-in#by-link";

/// The login pages' rows of the route table.
pub const ROUTES: &[ApiRoute] = &[
    page(Method::GET, "/login", open)
        .described(
            "login_page",
            "Open the page where people log in",
            "Leads to the console's page, which takes a user's token. next is the path on this box where the login leads.",
            "recipes/logging-in#by-token",
        )
        .answering(200, Answer::OrSeeOther(&Answer::Other(&["text/html"])))
        .failing(&[codes::TLS_REQUIRED]),
    page(Method::GET, "/login/{link}", link)
        .described(
            "login_link",
            "Open a login link",
            "Shows who is about to be logged in. Opening it does not use the link up: the page's button does.",
            DOC,
        )
        .failing(&[codes::LINK_INVALID, codes::TLS_REQUIRED]),
];

/// Returns the refusal of a login under a name where somebody may eavesdrop.
pub(super) fn not_here(app: &App, input: &Input) -> Reply {
    PageReader::stranger(app, input).refused("Log in over a safe connection", &codes::TLS_REQUIRED.into())
}

fn open(app: &App, input: Input) -> Handled {
    if site::origin(app, &input.head).is_none() {
        return Ok(not_here(app, &input).into());
    }
    let next = form::first(&input.head.query, &fields::NEXT).filter(|path| is_own_path(path));
    let next = next.unwrap_or_else(|| "/".to_owned());
    if app.gate.viewer(&input.head)?.is_some() {
        return Ok(Reply::empty(StatusCode::SEE_OTHER).with(LOCATION, &next).into());
    }
    Ok(first(&next).into())
}

/// Redirects to the login page, which then leads to this path.
pub(super) fn first(next: &str) -> Reply {
    Reply::empty(StatusCode::SEE_OTHER).with(LOCATION, &format!("/ui/login?next={}", form::encoded(next)))
}

fn link(app: &App, input: Input) -> Handled {
    app.gate.throttle_public(&input.head)?;
    if site::origin(app, &input.head).is_none() {
        return Ok(not_here(app, &input).into());
    }
    let (secret, reader) = (input.param(0), PageReader::stranger(app, &input));
    let found = LoginLink::parse(secret).ok().and_then(|hash| app.logins.links.look(&hash, Instant::now()));
    let Some(link) = found else {
        return Ok(reader.refused("This login link is dead", &codes::LINK_INVALID.into()).into());
    };
    let page = pages::LinkPage { secret, username: &link.username, path: &link.path };
    Ok(reader.shown(StatusCode::OK, &page).into())
}
