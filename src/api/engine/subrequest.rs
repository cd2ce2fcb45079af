//! Requests to routes from inside the daemon, for a caller that another route has admitted. A page and its buttons use
//! the same routes as every other client: one access check, one set of rules.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::http::Method;

use super::api_route::ApiRoute;
use super::app::App;
use super::call::{Call, Step};
use super::dispatch::{finish, render};
use super::growth;
use super::idempotency::Slot;
use crate::access::Caller;
use crate::http::edge::check;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::head::Head;
use crate::rest::input::Input;
use crate::rest::intake::Intake;
use crate::rest::reply::Reply;
use crate::rest::route::Access;
use crate::rest::router::{Params, RouteMatch, is_free_text};
use crate::rest::service::Outcome;

/// A request that the daemon itself makes to one of its routes.
pub struct Subrequest {
    route: &'static ApiRoute,
    params: Params,
    head: Arc<Head>,
}

impl Subrequest {
    /// Creates the request `method target` as a part of the request `of`; `target` is a path with its query.
    ///
    /// # Errors
    /// 404, 405 or `invalid_path`.
    pub fn new(app: &App, of: &Head, method: Method, target: &str) -> Result<Self, ApiError> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (segments, encoded) =
            check::segments(path).map_err(|refusal| ApiError::new(refusal.code).detail(refusal.detail))?;
        let (route, params) = match app.router.find(&method, &segments) {
            RouteMatch::Route(route, params) => (route, params),
            RouteMatch::Nothing => return Err(codes::NOT_FOUND.into()),
            RouteMatch::OtherMethod(_) => return Err(codes::METHOD_NOT_ALLOWED.into()),
        };
        if encoded.iter().any(|at| !is_free_text(route.path, *at)) {
            return Err(codes::INVALID_PATH.into());
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // The handler needs the name under which the client reached the box.
        if let Some(host) = of.headers.get(HOST) {
            headers.insert(HOST, host.clone());
        }
        let head = Head {
            method,
            raw_path: path.to_owned(),
            segments,
            query: query.to_owned(),
            headers,
            peer: of.peer.clone(),
            foreign_host: of.foreign_host,
            request_id: of.request_id.clone(),
            arrived: of.arrived,
        };
        Ok(Self { route, params, head: Arc::new(head) })
    }

    /// Returns the row of the route table.
    pub fn route(&self) -> &'static ApiRoute {
        self.route
    }

    /// Checks the caller's access and returns the input. For code that runs the handler itself.
    ///
    /// # Errors
    /// 403, or what is wrong with the query.
    pub fn input(self, app: &App, caller: &Caller) -> Result<Input, ApiError> {
        if let Some(need) = self.route.need() {
            app.gate.admit_within(&self.head, caller, &need)?;
        }
        Input::new(self.head, self.route, self.params, &Bytes::new())
    }

    /// Takes over the `Content-Type` of the request `of`.
    #[must_use]
    pub fn with_body_of(mut self, of: &Head) -> Self {
        if let (Some(kind), Some(head)) = (of.headers.get(CONTENT_TYPE), Arc::get_mut(&mut self.head)) {
            head.headers.insert(CONTENT_TYPE, kind.clone());
        }
        self
    }

    /// Begins a route that takes its body piece by piece. Runs the access check, the checks of the input and the
    /// handler.
    ///
    /// # Errors
    /// The errors of the route; `not_found` for a route of another kind.
    pub fn begin(self, app: &App, caller: &Caller) -> Result<Box<dyn Intake>, ApiError> {
        let (Access::Action(action, handler) | Access::Class(_, action, handler)) = self.route.access else {
            return Err(codes::NOT_FOUND.into());
        };
        let route = self.route;
        let mut input = self.input(app, caller)?;
        input.dialect = Dialect::Taos;
        let mut call = Call::of(app, caller.clone(), input, action);
        call.growth = growth::of(route);
        call.check_allowance()?;
        match handler(app, call)? {
            Step::Intake(intake) => Ok(intake),
            _ => Err(codes::NOT_FOUND.into()),
        }
    }

    /// Runs the request with this body: the access check, the checks of the input, the handler.
    pub fn run(self, app: &App, caller: &Caller, body: &Bytes) -> Outcome {
        let Self { route, params, head } = self;
        let request_id = head.request_id.clone();
        let refuse = |error: ApiError| Outcome::Done(render(&error, Dialect::Taos, &request_id));
        let allowed = match route.need() {
            Some(need) => app.gate.admit_within(&head, caller, &need),
            None => Ok(()),
        };
        let input = allowed.and_then(|()| Input::new(Arc::clone(&head), route, params, body));
        let mut input = match input {
            Ok(input) => input,
            Err(error) => return refuse(error),
        };
        // Inside callers always get the taOS error envelope.
        input.dialect = Dialect::Taos;
        match &route.access {
            Access::Public(handler) => finish(handler(app, input), &Slot::default(), None, Dialect::Taos, &request_id),
            Access::Action(action, handler) | Access::Class(_, action, handler) => {
                let mut call = Call::of(app, caller.clone(), input, *action);
                call.growth = growth::of(route);
                let watch = Arc::clone(&call.watch);
                finish(handler(app, call), &Slot::default(), Some(&watch), Dialect::Taos, &request_id)
            }
            Access::AtOnce(_, handler) => Outcome::Done(handler(caller)),
            // The handler of such a route checks a presented credential, and there is none here.
            Access::Bearer(..) => refuse(codes::FORBIDDEN.into()),
        }
    }

    /// Runs a public route with this body; its handler checks what the body contains.
    pub fn public(self, app: &App, body: &Bytes) -> Outcome {
        let request_id = self.head.request_id.clone();
        let Access::Public(handler) = self.route.access else {
            return Outcome::Done(render(&codes::AUTH_REQUIRED.into(), Dialect::Taos, &request_id));
        };
        match Input::new(self.head, self.route, self.params, body) {
            Ok(input) => finish(handler(app, input), &Slot::default(), None, Dialect::Taos, &request_id),
            Err(error) => Outcome::Done(render(&error, Dialect::Taos, &request_id)),
        }
    }

    /// Returns the reply to a request that only reads.
    ///
    /// # Errors
    /// The outcome that the caller must wait for, without holding a thread.
    pub fn read(self, app: &App, caller: &Caller) -> Result<Reply, Box<Outcome>> {
        let mut outcome = self.run(app, caller, &Bytes::new());
        loop {
            outcome = match outcome {
                Outcome::Done(reply) => return Ok(reply),
                Outcome::Again(work) => work(),
                waiting => return Err(Box::new(waiting)),
            };
        }
    }
}
