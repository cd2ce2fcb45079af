//! The parts that the endpoints of the authorization server share: bare rows of the route table, and the issuer of a
//! request.

use hyper::http::Method;

use crate::access::Action;
use crate::api::engine::api_route::{ApiRoute, PublicHandler};
use crate::api::engine::app::App;
use crate::api::engine::site;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::input::Input;
use crate::rest::route::{Answer, Need};

/// The action and dialect of refusals of the token endpoint, for the audit.
pub(super) const NEED: Need = Need { action: Action::OauthToken, classes: &[], dialect: Dialect::OAuth };

/// Returns a bare row that anybody may call.
pub(super) const fn public(method: Method, path: &'static str, handler: PublicHandler) -> ApiRoute {
    ApiRoute::public(method, path, Dialect::OAuth, handler).answering(200, Answer::Empty)
}

/// Returns a bare row of a page. The query is not checked, because others may add parameters to it.
pub(super) const fn page(method: Method, path: &'static str, handler: PublicHandler) -> ApiRoute {
    public(method, path, handler).answering(200, Answer::Other(&["text/html"])).taking_raw()
}

/// Returns the issuer for this request, or 404 if the box offers no authorization server under this name.
pub(super) fn issuer(app: &App, input: &Input) -> Result<String, ApiError> {
    site::issuer(app, &input.head).ok_or_else(|| codes::NOT_FOUND.into())
}
