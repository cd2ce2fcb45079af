//! The authorization server: programs get a token by a person's click (OAuth contract). Beside it the pages where
//! people log in.

#[allow(dead_code, reason = "the token endpoint reads forms")]
mod form;
mod login;
mod pages;

pub(crate) use login::ROUTES as LOGIN;

use hyper::http::Method;

use super::engine::api_route::{ApiRoute, PublicHandler};
use crate::rest::error::Dialect;
use crate::rest::route::{Access, Answer, BodyKind, Repeat, Route};

/// The dialect of pages.
const PAGE: Dialect = Dialect::OAuth;

/// A bare row that anybody may call.
const fn public(method: Method, path: &'static str, handler: PublicHandler) -> ApiRoute {
    Route {
        method,
        path,
        dialect: Dialect::OAuth,
        access: Access::Public(handler),
        id: "",
        title: "",
        about: "",
        repeat: Repeat::Safe,
        query: &[],
        body: BodyKind::None,
        example: "",
        answer: (200, Answer::Empty),
        errors: &[],
        doc: "",
        tool: None,
    }
}

/// A bare row of a page. Its query is the handler's alone: others add to it what they like.
const fn page(method: Method, path: &'static str, handler: PublicHandler) -> ApiRoute {
    let mut row = public(method, path, handler).answering(200, Answer::Other(&["text/html"])).taking_raw();
    row.dialect = PAGE;
    row
}
