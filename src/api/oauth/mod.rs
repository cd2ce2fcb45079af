//! The authorization server: programs get a token by a person's click (OAuth contract). Beside it the pages where
//! people log in.

mod authorize;
mod client;
mod client_auth;
mod clients;
mod consent;
mod device;
mod discovery;
mod exchange;
mod form;
mod forms;
mod grants;
mod introspect;
mod login;
mod pages;
mod redirect;
mod refresh;
mod register;
mod revoke;
mod target;
mod token;

pub(crate) use authorize::ROUTES as AUTHORIZE;
pub(crate) use clients::ROUTES as CLIENTS;
pub(crate) use consent::ROUTES as CONSENT;
pub(crate) use device::ROUTES as DEVICE;
pub(crate) use discovery::ROUTES as DISCOVERY;
pub(crate) use forms::ROUTES as FORMS;
pub(crate) use grants::ROUTES as GRANTS;
pub(crate) use introspect::ROUTES as INTROSPECT;
pub(crate) use login::ROUTES as LOGIN;
pub(crate) use register::ROUTES as REGISTER;
pub(crate) use revoke::ROUTES as REVOKE;
pub(crate) use token::ROUTES as TOKEN;

use hyper::http::Method;

use super::engine::api_route::{ApiRoute, PublicHandler};
use super::engine::app::App;
use super::engine::site;
use crate::access::Action;
use crate::access::tokens::jwt::Audience;
use crate::config::Config;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::input::Input;
use crate::rest::route::{Answer, Need};
use form::{OauthForm, Wrong};
use target::TokenTarget;

/// The dialect of pages.
const PAGE: Dialect = Dialect::OAuth;
/// Bytes of a form body.
const FORM_BYTES: usize = 16 * 1024;
/// What refusals of the token endpoint are recorded as.
const NEED: Need = Need { action: Action::OauthToken, classes: &[], dialect: Dialect::OAuth };

/// A bare row that anybody may call.
const fn public(method: Method, path: &'static str, handler: PublicHandler) -> ApiRoute {
    ApiRoute::public(method, path, Dialect::OAuth, handler).answering(200, Answer::Empty)
}

/// A bare row of a page. Its query is the handler's alone: others add to it what they like.
const fn page(method: Method, path: &'static str, handler: PublicHandler) -> ApiRoute {
    let mut row = public(method, path, handler).answering(200, Answer::Other(&["text/html"])).taking_raw();
    row.dialect = PAGE;
    row
}

/// The issuer that this request asks, or the 404 of a box that offers no authorization server under this name.
fn issuer(app: &App, input: &Input) -> Result<String, ApiError> {
    site::issuer(app, &input.head).ok_or_else(|| codes::NOT_FOUND.into())
}

/// `invalid_request` of RFC 6749.
fn bad(detail: impl Into<String>) -> ApiError {
    ApiError::new(codes::INVALID_REQUEST).detail(detail)
}

/// The form in a request's body. A page of another site may not send one.
fn posted(input: &Input) -> Result<OauthForm, ApiError> {
    use hyper::header::{CONTENT_TYPE, ORIGIN};
    if input.head.headers.contains_key(ORIGIN) && !crate::access::lookup::cookie::is_same_origin(&input.head) {
        return Err(codes::CSRF_REFUSED.into());
    }
    let kind = input.header(&CONTENT_TYPE).unwrap_or("").split(';').next().unwrap_or("").trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(bad("Send the parameters as application/x-www-form-urlencoded."));
    }
    if input.raw.len() > FORM_BYTES {
        return Err(bad(format!("The form is longer than {FORM_BYTES} bytes.")));
    }
    let text = std::str::from_utf8(&input.raw).map_err(|_| bad("The form is not UTF-8."))?;
    OauthForm::parse(text).map_err(|wrong| bad(told(&wrong)))
}

/// What is wrong with a query or a form, for people.
fn told(wrong: &Wrong) -> String {
    match wrong {
        Wrong::Malformed => "The parameters are malformed, or too many.".to_owned(),
        Wrong::Twice(name) => format!("The parameter {name} is there twice."),
    }
}

/// The value of a parameter in a form, for the fuzz targets.
pub(crate) fn form_value(text: &str, name: &str) -> Option<String> {
    OauthForm::parse(text).ok()?.get(name).map(str::to_owned)
}

/// A value as forms encode it, for the fuzz targets.
pub(crate) fn form_encoded(text: &str) -> String {
    form::encoded(text)
}

/// Id and secret in an `Authorization: Basic` header, for the fuzz targets.
pub(crate) fn basic_pair(encoded: &str) -> Option<(String, String)> {
    client_auth::pair(encoded)
}

/// True for a redirect URI that a program may have, for the fuzz targets.
pub(crate) fn is_redirect(uri: &str) -> bool {
    redirect::Redirect::parse(uri, &["vscode".to_owned()]).is_some()
}

/// Whom a token for this resource is for (RFC 8707).
fn audience(config: &Config, issuer: &str, resource: Option<&str>) -> Result<TokenTarget, ApiError> {
    let Some(resource) = resource else { return Ok(TokenTarget::own(Audience::Api)) };
    let resource = resource.strip_suffix('/').unwrap_or(resource);
    match resource.strip_prefix(issuer) {
        Some("") => Ok(TokenTarget::own(Audience::Api)),
        Some("/mcp") => Ok(TokenTarget::own(Audience::Mcp)),
        _ => TokenTarget::named(config, resource),
    }
}
