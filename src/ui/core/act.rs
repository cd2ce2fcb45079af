//! Handles the buttons of the console. A form names a route of the API, its fields are the route's own, and the reply
//! leads to the next page. All forms use this one handler, so no page has rules of its own.

use hyper::body::Bytes;
use hyper::header::LOCATION;
use hyper::http::{Method, StatusCode};
use serde_json::Value;

use super::done::deed;
use super::form::{Form, filled};
use super::serve::{again, is_session};
use super::text::encoded;
use super::view::{Told, parsed, refusal_of};
use crate::access::Caller;
use crate::api::App;
use crate::api::engine::call::{Call, Handled, Step};
use crate::api::engine::subrequest::Subrequest;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::route::{BodyKind, Repeat};
use crate::rest::service::Outcome;

/// `{name}` in it stands for a field of the form.
const DO: Field = Field::unbounded("_do", "The route that the form calls: METHOD /path?query.");
/// `{name}` in it stands for a field of the reply.
const NEXT: Field = Field::unbounded("_next", "The page that a success leads to.");
pub(super) const BACK: Field = Field::unbounded("_back", "The page that the form stands on.");
const TYPED: Field = Field::unbounded("_typed", "What was typed to confirm.");
const EXPECTED: Field = Field::unbounded("_expected", "What it must be.");

/// `POST /ui/do`: calls the route that the form names.
pub(crate) fn act(app: &App, call: Call) -> Handled {
    is_session(&call.caller)?;
    let form = Form::read(&call.input.raw);
    let asked = ask(app, &call.input, &form);
    let (asked, body) = match asked {
        Ok(asked) => asked,
        Err(error) => return Ok(Step::Later(back(app, &call.caller, &call.input, form, error))),
    };
    let route = asked.route();
    let (id, secret) = (route.id, route.repeat == Repeat::Secret);
    let outcome = asked.run(app, &call.caller, &body);
    // The page is made on the pool when the reply has come. It needs the application, which outlives every request.
    let Call { caller, input, .. } = call;
    let app = app.handle();
    Ok(Step::Later(Outcome::Then(
        Box::new(outcome),
        Box::new(move |reply| {
            let Some(app) = app.upgrade() else { return Outcome::Done(Reply::empty(StatusCode::SERVICE_UNAVAILABLE)) };
            if !reply.status.is_success() {
                return back(&app, &caller, &input, form, refusal_of(&reply));
            }
            let value: Value = parsed(&reply).unwrap_or_default();
            if let Some(error) = partial_failure(&value) {
                return back(&app, &caller, &input, form, error);
            }
            // A token that was delivered into a container is not in the reply.
            if secret && value["token"].is_string() {
                let told = Told { issued: Some(value), ..Told::default() };
                return again(&app, &caller, &input, form.get(&BACK).unwrap_or("/ui/"), told);
            }
            Outcome::Done(onward(&form, id, &value))
        }),
    )))
}

/// The error of a route that does several things at once, if some of them failed: the first failure's code.
fn partial_failure(reply: &Value) -> Option<ApiError> {
    let results = reply["results"].as_object()?;
    let failed: Vec<&str> = results.values().filter_map(|result| result["error"].as_str()).collect();
    let code = codes::by_slug(failed.first()?).unwrap_or(codes::INTERNAL);
    let done = results.len() - failed.len();
    Some(ApiError::new(code).detail(format!("{done} of {} were done. {}", results.len(), code.about)))
}

fn ask(app: &App, input: &Input, form: &Form) -> Result<(Subrequest, Bytes), ApiError> {
    if let (Some(typed), Some(expected)) = (form.get(&TYPED), form.get(&EXPECTED))
        && typed.trim() != expected
    {
        return Err(ApiError::field("name", format!("type {expected} to confirm")));
    }
    let (method, target) = form.get(&DO).and_then(|what| what.split_once(' ')).ok_or(codes::NOT_FOUND)?;
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| codes::NOT_FOUND)?;
    let target = filled(target, |name| form.value(name));
    let asked = Subrequest::new(app, &input.head, method, &target)?;
    let route = asked.route();
    // Pages cannot be called, nor routes that need no credential.
    if route.dialect == Dialect::Html || route.action().is_none() {
        return Err(codes::NOT_FOUND.into());
    }
    let body = match route.body {
        BodyKind::Json(fields) => Bytes::from(form.body(fields)?.to_string()),
        BodyKind::None => Bytes::new(),
        BodyKind::Raw | BodyKind::RawOf(..) | BodyKind::Multipart(_) => return Err(codes::NOT_FOUND.into()),
    };
    Ok((asked, body))
}

/// `GET /ui/do` and `GET /ui/upload`: the address that a browser without scripts has after a form was refused.
pub(crate) fn home(_: &App, _: Call) -> Handled {
    Ok(Reply::empty(StatusCode::SEE_OTHER).with(LOCATION, "/ui/").into())
}

/// The page of the form again, with the error.
pub(super) fn back(app: &App, caller: &Caller, input: &Input, form: Form, error: ApiError) -> Outcome {
    let page = form.get(&BACK).unwrap_or("/ui/").to_owned();
    again(app, caller, input, &page, Told { trouble: Some(error), sent: form, issued: None })
}

/// A redirect to the next page.
pub(super) fn onward(form: &Form, id: &str, reply: &Value) -> Reply {
    let next = form.get(&NEXT).or(form.get(&BACK)).unwrap_or("/ui/");
    let mut next = filled(next, |name| reply[name].as_str().unwrap_or_default());
    if !is_page(&next) {
        next = "/ui/".to_owned();
    }
    let (address, place) = next.split_once('#').map_or((next.as_str(), String::new()), |(a, p)| (a, format!("#{p}")));
    let deed = encoded(&deed(id, reply));
    let sign = if address.contains('?') { '&' } else { '?' };
    Reply::empty(StatusCode::SEE_OTHER).with(LOCATION, &format!("{address}{sign}done={deed}{place}"))
}

/// True if an address is a page of the console, so that it cannot lead to another site.
pub(crate) fn is_page(path: &str) -> bool {
    let plain = |b: u8| b.is_ascii_graphic() && !b"\\\"<>".contains(&b);
    (path == "/ui" || path.starts_with("/ui/") || path.starts_with("/ui?") || path.starts_with("/oauth/"))
        && !path.contains("//")
        && path.len() <= 2048
        && path.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_among_several_is_told_with_their_number() {
        let reply = serde_json::json!({"results": {"a": {"state": "approved"}, "b": {"error": "request_decided"}}});
        let error = partial_failure(&reply).expect("a failure");
        assert_eq!(error.code.slug, "request_decided");
        assert!(error.detail.starts_with("1 of 2 were done."), "{}", error.detail);
        for fine in [serde_json::json!({"results": {"a": {"state": "denied"}}}), serde_json::json!({"results": [1]})] {
            assert!(partial_failure(&fine).is_none(), "{fine}");
        }
    }

    #[test]
    fn only_pages_of_the_console_are_led_to() {
        for good in ["/ui/", "/ui", "/ui/agents/atlas?tab=logs#x", "/oauth/consent/x"] {
            assert!(is_page(good), "{good}");
        }
        for bad in [
            "",
            "/",
            "//evil",
            "/ui//evil",
            "/uix",
            "https://evil",
            "/ui/\r\nX: y",
            "/ui/ü",
            "/ui/\\evil",
            "javascript:x",
        ] {
            assert!(!is_page(bad), "{bad}");
        }
    }
}
