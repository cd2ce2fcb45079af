//! What the endpoints of the authorization server have in common: bare rows of the table, and the issuer they speak for.

use hyper::http::Method;

use crate::access::Action;
use crate::api::engine::api_route::{ApiRoute, PublicHandler};
use crate::api::engine::app::App;
use crate::api::engine::site;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::input::Input;
use crate::rest::route::{Answer, Need};

/// What refusals of the token endpoint are recorded as.
pub(super) const NEED: Need = Need { action: Action::OauthToken, classes: &[], dialect: Dialect::OAuth };

/// A bare row that anybody may call.
pub(super) const fn public(method: Method, path: &'static str, handler: PublicHandler) -> ApiRoute {
    ApiRoute::public(method, path, Dialect::OAuth, handler).answering(200, Answer::Empty)
}

/// A bare row of a page. Its query is the handler's alone: others add to it what they like.
pub(super) const fn page(method: Method, path: &'static str, handler: PublicHandler) -> ApiRoute {
    public(method, path, handler).answering(200, Answer::Other(&["text/html"])).taking_raw()
}

/// The issuer that this request asks, or the 404 of a box that offers no authorization server under this name.
pub(super) fn issuer(app: &App, input: &Input) -> Result<String, ApiError> {
    site::issuer(app, &input.head).ok_or_else(|| codes::NOT_FOUND.into())
}
