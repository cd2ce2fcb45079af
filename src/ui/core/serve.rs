//! Makes the page for a request.

use askama::Template;
use hyper::header::{CACHE_CONTROL, VARY};
use hyper::http::{Method, StatusCode};

use super::act::is_page;
use super::filters;
use super::frame::{Assets, Frame, Trouble};
use super::view::{PageResult, PreparedReplies, Told, View, html};
use crate::access::{Action, Caller};
use crate::api::App;
use crate::api::engine::call::{Call, Handled, Step};
use crate::api::engine::subrequest::Subrequest;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::head::Head;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::secret::Kind;
use crate::ui::table::page_of;

/// A function that makes a page.
pub(crate) type PageHandler = fn(&View<'_>) -> PageResult;

/// The handler of every page.
pub(crate) fn page(app: &App, call: Call) -> Handled {
    is_session(&call.caller)?;
    Ok(Step::Later(shown(app, call.caller, call.input, Told::default(), PreparedReplies::new())))
}

/// Checks that the caller has a session. A token in a header belongs to a program, and programs use the API.
///
/// # Errors
/// `auth_required` for any other credential.
pub(crate) fn is_session(caller: &Caller) -> Result<(), ApiError> {
    if caller.credential_kind() == Kind::Session.slug() { Ok(()) } else { Err(codes::AUTH_REQUIRED.into()) }
}

/// Makes another page while a request is handled.
pub(crate) fn again(app: &App, caller: &Caller, input: &Input, page: &str, told: Told) -> Outcome {
    let page = if is_page(page) { page.split('#').next().unwrap_or(page) } else { "/ui/" };
    let caller = &match present(app, caller) {
        Ok(caller) => caller,
        Err(error) => return Outcome::Done(refusal(&error, &input.head)),
    };
    let asked = Subrequest::new(app, &input.head, Method::GET, page).and_then(|asked| asked.input(app, caller));
    match asked {
        Ok(input) => shown(app, caller.clone(), input, told, PreparedReplies::new()),
        Err(error) => Outcome::Done(refusal(&error, &input.head)),
    }
}

/// Makes the page. If it needs a reply that is not there yet, makes it again when the reply has come.
fn shown(app: &App, caller: Caller, input: Input, told: Told, mut known: PreparedReplies) -> Outcome {
    let view = View::new(app, &caller, &input, &told, &known);
    let show = page_of(app, &input.head);
    let reply =
        show.ok_or(codes::NOT_FOUND.into()).and_then(|show| show(&view)).unwrap_or_else(|error| broken(&view, &error));
    let Some((target, outcome)) = view.waiting() else { return Outcome::Done(finished(reply, &told)) };
    let app = app.handle();
    let made = move |answer: Reply| {
        let Some(app) = app.upgrade() else { return Outcome::Done(Reply::empty(StatusCode::SERVICE_UNAVAILABLE)) };
        known.push((target, answer));
        match present(&app, &caller) {
            Ok(caller) => shown(&app, caller, input, told, known),
            Err(error) => Outcome::Done(refusal(&error, &input.head)),
        }
    };
    Outcome::Then(outcome, Box::new(made))
}

/// The reader with its present rights: the session may have ended while the page waited.
fn present(app: &App, caller: &Caller) -> Result<Caller, ApiError> {
    app.gate.renewed(caller, Action::AuthWhoami, Dialect::Html)
}

/// Sets the status of the form's error, and the cache headers: the page is for its reader only, and must never be shown
/// from a cache.
fn finished(mut reply: Reply, told: &Told) -> Reply {
    if let Some(trouble) = told.trouble.as_ref().filter(|_| reply.status == StatusCode::OK) {
        reply.status = trouble.status();
    }
    reply.with(CACHE_CONTROL, "no-store").with(VARY, "Cookie, Accept-Encoding")
}

#[derive(Template)]
#[template(path = "core/broken.html")]
struct Broken {
    frame: Frame,
    error: Trouble,
    status: u16,
}

/// An error page within the frame.
fn broken(view: &View<'_>, error: &ApiError) -> Reply {
    if let Some(cause) = &error.cause {
        log::error!("request {}: {cause}", view.caller.request_id());
    }
    let page =
        Broken { frame: view.frame("Not here", ""), error: Trouble::from(error), status: error.status().as_u16() };
    html(error.status(), &page)
}

#[derive(Template)]
#[template(path = "core/refusal.html")]
struct ErrorPage {
    assets: Assets,
    error: Trouble,
    status: u16,
}

/// The page for a refusal before the caller is known: the login, or the error.
pub(crate) fn refusal(error: &ApiError, head: &Head) -> Reply {
    let status = error.status();
    let mut reply = if status == StatusCode::UNAUTHORIZED {
        crate::ui::login::asked_for(error, head)
    } else {
        html(status, &ErrorPage { assets: Assets::new(), error: Trouble::from(error), status: status.as_u16() })
    };
    for (name, value) in &error.headers {
        reply = reply.with(name.clone(), value);
    }
    reply.close = error.close;
    reply.with(CACHE_CONTROL, "no-store")
}
