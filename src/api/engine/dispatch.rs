//! The application as the edge sees it: finds the route, calls the access check, runs the handler.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::header::ALLOW;
use hyper::http::{Method, StatusCode};

use super::api_route::{ApiRoute, CheckedHandler};
use super::app::App;
use super::call::{Call, Handled, Nested, Step};
use super::frozen::WhileNotFrozen;
use super::growth;
use super::idempotency::{self, Reservation, Slot, Tried};
use super::reply_cache::StateBefore;
use super::site;
use super::unrouted::dialect_of;
use crate::access::{self, Action, CallWatch, Caller, Presented};
use crate::http::edge::host;
use crate::limits::UPLOAD_OVERHEAD;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::head::Head;
use crate::rest::input::Input;
use crate::rest::intake::IntakeStep;
use crate::rest::reply::Reply;
use crate::rest::route::{Access, BodyKind};
use crate::rest::router::{self, Params, RouteMatch};
use crate::rest::service::{Outcome, Service};
use crate::rest::stream;
use crate::store::idempotency::RequestKey;

/// Serves the routes of one [`App`].
pub struct Dispatcher {
    app: Arc<App>,
}

/// A route and its parameters.
#[derive(Clone)]
pub struct Plan {
    route: &'static ApiRoute,
    params: Params,
}

/// The result of the access check before the handler.
pub enum Admitted {
    /// The route is public, or its handler checks the credential.
    Public,
    /// The handler checks the credential; its principal, verified before the body was read, is this one.
    Vouched(String),
    /// The caller may use the route's action.
    Caller(Box<Caller>),
}

impl Dispatcher {
    /// Creates a dispatcher for this application.
    pub fn new(app: Arc<App>) -> Self {
        app.know();
        Self { app }
    }

    /// Returns the dialect for the refusals of a request: its route's, or that of similar paths.
    fn dialect(&self, head: &Head) -> Dialect {
        // An invalid path has no segments.
        if head.segments.is_empty() {
            return dialect_of(head);
        }
        match self.app.router.find(&head.method, &head.segments) {
            RouteMatch::Route(route, _) => route.dialect,
            RouteMatch::Nothing | RouteMatch::OtherMethod(_) => dialect_of(head),
        }
    }

    /// Turns the refusal of an HTML route into a page.
    fn for_people(&self, handled: Handled, dialect: Dialect, head: &Head) -> Handled {
        match handled {
            Err(error) if dialect == Dialect::Html => Ok(Step::Reply(self.refusal(&error, dialect, head))),
            handled => handled,
        }
    }

    /// Tells an MCP client where to get a token.
    fn challenged(&self, error: ApiError, dialect: Dialect, head: &Head) -> ApiError {
        if dialect == Dialect::Mcp { site::challenged(&self.app, head, error) } else { error }
    }

    /// Renders a refusal in a dialect; in HTML as a page.
    fn refusal(&self, error: &ApiError, dialect: Dialect, head: &Head) -> Reply {
        if dialect == Dialect::Html {
            log_cause(error, &head.request_id);
            return (self.app.refusal_page)(error, head);
        }
        render(error, dialect, &head.request_id)
    }
}

impl Dispatcher {
    /// Returns the state that a reply to this caller depends on. `None` if the caller's rights were read for this
    /// request alone.
    fn before(&self, caller: &Caller) -> Option<StateBefore> {
        Some(StateBefore { rights: caller.rights_read()?, seen: self.app.gate.presence.version() })
    }

    /// Adds the `ETag` to the reply of a read, and caches the reply if that is allowed.
    fn keep(&self, ended: Outcome, route: &ApiRoute, head: &Head, before: Option<StateBefore>) -> Outcome {
        match ended {
            Outcome::Done(mut reply) if reply.status == StatusCode::OK && route.method == Method::GET => {
                if route.is_tagged() {
                    reply.tag();
                }
                // HTML pages are never cached: each is made for its reader.
                if let Some(before) = before.filter(|_| route.dialect != Dialect::Html) {
                    self.app.kept.put(&self.app.store, head, before, &reply);
                }
                Outcome::Done(unless_known(reply, route, head))
            }
            other => other,
        }
    }
}

/// Returns 304 if the client already has this content.
fn unless_known(reply: Reply, route: &ApiRoute, head: &Head) -> Reply {
    if route.is_tagged() { reply.unless_known(&head.headers) } else { reply }
}

fn log_cause(error: &ApiError, request_id: &str) {
    if let Some(cause) = &error.cause {
        log::error!("request {request_id}: {}: {cause}", error.code.slug);
    }
}

/// Renders an error as a reply, and logs its internal cause, if any, with the request's id.
pub fn render(error: &ApiError, dialect: Dialect, request_id: &str) -> Reply {
    log_cause(error, request_id);
    error.reply(dialect)
}

impl Service for Dispatcher {
    type Plan = Plan;
    type Admitted = Admitted;

    fn plan(&self, head: &Head) -> Result<(Plan, u64), Reply> {
        let refuse = |error: ApiError| self.refusal(&error, self.dialect(head), head);
        if head.method == Method::OPTIONS && head.raw_path == "*" {
            return Err(Reply::no_content().with(ALLOW, "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"));
        }
        let found = self.app.router.find(&head.method, &head.segments);
        // A route without a credential check cannot trust a request with a foreign `Host`.
        let is_checked = matches!(&found, RouteMatch::Route(route, _) if route.action().is_some());
        if head.foreign_host && !is_checked && !host::is_exempt(head) {
            return Err(refuse(codes::HOST_NOT_ALLOWED.into()));
        }
        match found {
            RouteMatch::Route(route, params) => {
                let most = self.app.config.read(|now| match route.body {
                    BodyKind::Multipart(_) => now.limits.max_upload_bytes + UPLOAD_OVERHEAD,
                    _ => now.limits.max_body_bytes,
                });
                Ok((Plan { route, params }, most))
            }
            RouteMatch::Nothing => Err(refuse(codes::NOT_FOUND.into())),
            RouteMatch::OtherMethod(methods) => {
                let allow = methods.into_iter().collect::<Vec<_>>().join(", ");
                if head.method == Method::OPTIONS {
                    return Err(Reply::no_content().with(ALLOW, &allow));
                }
                Err(refuse(
                    ApiError::new(codes::METHOD_NOT_ALLOWED)
                        .detail(format!("This path supports only {allow}."))
                        .header(ALLOW, allow),
                ))
            }
        }
    }

    fn is_free_text(&self, plan: &Plan, segment: usize) -> bool {
        router::is_free_text(plan.route.path, segment)
    }

    fn is_streamed(&self, plan: &Plan) -> bool {
        matches!(plan.route.body, BodyKind::Multipart(_))
    }

    /// A page that is shown again after a refusal shows the form's fields again.
    fn keeps_body(&self, plan: &Plan) -> bool {
        plan.route.dialect == Dialect::Html
    }

    fn begin(&self, head: Arc<Head>, plan: Plan, admitted: Admitted) -> IntakeStep {
        let (route, request_id) = (plan.route, head.request_id.clone());
        let (Access::Action(action, handler) | Access::Class(_, action, handler), Admitted::Caller(caller)) =
            (&route.access, admitted)
        else {
            return IntakeStep::Ended(Outcome::Done(render(&codes::INTERNAL.into(), route.dialect, &request_id)));
        };
        let input = match Input::new(head, route, plan.params, &Bytes::new()) {
            Ok(input) => input,
            Err(error) => return IntakeStep::Ended(Outcome::Done(render(&error, route.dialect, &request_id))),
        };
        let mut call = Call::of(&self.app, *caller, input, *action);
        call.growth = growth::of(route);
        if let Err(error) = call.check_allowance() {
            return IntakeStep::Ended(Outcome::Done(render(&error, route.dialect, &request_id)));
        }
        let watch = Arc::clone(&call.watch);
        match handler(&self.app, call) {
            Ok(Step::Intake(intake)) => IntakeStep::More(intake),
            handled => IntakeStep::Ended(finish(handled, &Slot::default(), Some(&watch), route.dialect, &request_id)),
        }
    }

    fn at_once(&self, head: &Head, plan: &Plan) -> Option<Reply> {
        let need = plan.route.need()?;
        match &plan.route.access {
            Access::AtOnce(_, handler) if head.query.is_empty() => {
                let caller = self.app.gate.admit_known(head, &need)?;
                self.app.gate.count(head, &caller)?;
                Some(handler(&caller))
            }
            Access::Action(..) | Access::Class(..) if plan.route.method == Method::GET => {
                let caller = self.app.gate.admit_known(head, &need)?;
                let reply = self.app.kept.get(head, self.before(&caller)?)?;
                self.app.gate.count(head, &caller)?;
                Some(unless_known(reply, plan.route, head))
            }
            _ => None,
        }
    }

    fn admit(&self, head: &Head, plan: &Plan) -> Result<Admitted, Reply> {
        let refuse = |error: ApiError| self.refusal(&error, plan.route.dialect, head);
        match (plan.route.need(), &plan.route.access) {
            (Some(need), Access::Action(..) | Access::AtOnce(..) | Access::Class(..)) => {
                let admitted = self.app.gate.admit(head, &need);
                let challenged = |error| refuse(self.challenged(error, need.dialect, head));
                admitted.map(|caller| Admitted::Caller(Box::new(caller))).map_err(challenged)
            }
            (Some(need), Access::Bearer(..))
                if need.dialect == Dialect::Ax && access::presented(head) == Presented::Nothing =>
            {
                Err(refuse(access::nobody(head, &need)))
            }
            _ => Ok(Admitted::Public),
        }
    }

    fn admit_before_body(&self, head: &Head, plan: &Plan) -> Result<Admitted, Reply> {
        let refuse = |error: ApiError| self.refusal(&error, plan.route.dialect, head);
        let admitted = match (self.admit(head, plan)?, plan.route.need(), &plan.route.access) {
            (Admitted::Public, Some(need), Access::Bearer(..)) => {
                self.app.gate.vouch(head, &need).map(Admitted::Vouched).map_err(refuse)?
            }
            (admitted, ..) => admitted,
        };
        Input::check_head(head, plan.route).map_err(refuse)?;
        Ok(admitted)
    }

    fn principal(&self, admitted: &Admitted) -> Option<String> {
        match admitted {
            Admitted::Public => None,
            Admitted::Vouched(principal) => Some(principal.clone()),
            Admitted::Caller(caller) => Some(caller.principal_key()),
        }
    }

    fn run(&self, head: Arc<Head>, plan: Plan, admitted: Admitted, body: Bytes) -> Outcome {
        let (route, request_id, arrived) = (plan.route, head.request_id.clone(), head.arrived);
        let asked = Arc::clone(&head);
        let refuse = |error: ApiError| Outcome::Done(self.refusal(&error, route.dialect, &asked));
        let input = match Input::new(head, route, plan.params, &body) {
            Ok(input) => input,
            Err(error) => return refuse(error),
        };
        match (&route.access, admitted) {
            (Access::Public(handler) | Access::Bearer(_, handler), _) => {
                let handled = self.for_people(handler(&self.app, input), route.dialect, &asked);
                finish(handled, &Slot::default(), None, route.dialect, &request_id)
            }
            (Access::Action(..) | Access::AtOnce(..) | Access::Class(..), Admitted::Caller(caller)) => {
                match idempotency::request_key((route.repeat, &route.method), &caller, &input) {
                    Err(error) => refuse(error),
                    Ok(None) => {
                        let (head, before) = (Arc::clone(&input.head), self.before(&caller));
                        let people = |handled| self.for_people(handled, route.dialect, &asked);
                        let ended = carry_out(&self.app, route, *caller, input, None, arrived, people);
                        self.keep(ended, route, &head, before)
                    }
                    Ok(Some(key)) => {
                        let key = (key, *blake3::hash(&body).as_bytes());
                        carry_out(&self.app, route, *caller, input, Some(key), arrived, |handled| handled)
                    }
                }
            }
            // Unreachable: `admit` returns a caller for each of these kinds of route.
            (Access::Action(..) | Access::AtOnce(..) | Access::Class(..), Admitted::Public | Admitted::Vouched(_)) => {
                refuse(codes::AUTH_REQUIRED.into())
            }
        }
    }

    fn run_late(&self, head: Arc<Head>, plan: Plan, admitted: Admitted, body: Bytes) -> Outcome {
        let admitted = match (admitted, plan.route.action()) {
            (Admitted::Caller(caller), Some(action)) => {
                match self.app.gate.renewed(&caller, action, plan.route.dialect) {
                    Ok(caller) => Admitted::Caller(Box::new(caller)),
                    Err(error) => {
                        let error = self.challenged(error, plan.route.dialect, &head);
                        return Outcome::Done(self.refusal(&error, plan.route.dialect, &head));
                    }
                }
            }
            // There the handler checks the credential.
            (admitted, _) => admitted,
        };
        self.run(head, plan, admitted, body)
    }

    fn render(&self, error: &ApiError, head: Option<&Head>) -> Reply {
        match head {
            Some(head) => self.refusal(error, self.dialect(head), head),
            None => render(error, Dialect::Taos, "-"),
        }
    }

    fn finished(&self, head: &Head, from: &str, status: u16, bytes: u64, took: Duration) {
        self.app.metrics.count(status, took);
        self.app.access_log.line(head, from, status, bytes, took);
    }
}

/// Runs the handler of a checked route for an admitted caller; `people` turns a refusal into a page.
fn carry_out(
    app: &Arc<App>,
    route: &'static ApiRoute,
    caller: Caller,
    input: Input,
    key: Option<(RequestKey, [u8; 32])>,
    arrived: Instant,
    people: impl FnOnce(Handled) -> Handled,
) -> Outcome {
    let (dialect, request_id) = (input.dialect, caller.request_id().to_owned());
    let (action, handler) = match &route.access {
        Access::Action(action, handler) | Access::Class(_, action, handler) => (*action, *handler),
        Access::AtOnce(_, handler) => return Outcome::Done(handler(&caller)),
        // Such a route has no caller that passed the access check.
        Access::Public(_) | Access::Bearer(..) => {
            return Outcome::Done(render(&codes::INTERNAL.into(), dialect, &request_id));
        }
    };
    let while_not_frozen = WhileNotFrozen::of(app, &caller, dialect);
    let mut call = Call::of(app, caller, input, action);
    call.growth = growth::of(route);
    let watch = Arc::clone(&call.watch);
    let Some((key, body_hash)) = key else {
        let outcome = match handler(app, call) {
            Ok(Step::Nested(inner)) => nested(app, *inner, (dialect, request_id), arrived),
            handled => finish(people(handled), &Slot::default(), Some(&watch), dialect, &request_id),
        };
        return while_not_frozen.guard(outcome);
    };
    // Storing the key writes a row too.
    if let Err(error) = call.check_allowance() {
        return Outcome::Done(render(&error, dialect, &request_id));
    }
    while_not_frozen.guard(Keyed { app: Arc::clone(app), handler, action, call, key, body_hash }.run(arrived))
}

/// Calls another route within a request of this dialect and id, and continues with its reply.
fn nested(app: &Arc<App>, inner: Nested, outer: (Dialect, String), arrived: Instant) -> Outcome {
    let Nested { route, caller, input, key, then } = inner;
    let ours = Arc::clone(app);
    let after = move |reply: Reply| match then(reply) {
        Ok(Step::Nested(next)) => nested(&ours, *next, outer, arrived),
        handled => finish(handled, &Slot::default(), None, outer.0, &outer.1),
    };
    match carry_out(app, route, caller, input, key, arrived, |handled| handled) {
        Outcome::Done(reply) => after(reply),
        first => Outcome::Then(Box::new(first), Box::new(after)),
    }
}

/// Returns the outcome of a finished handler. A reply that had no transaction of its own is stored for repeats.
pub(super) fn finish(
    handled: Handled,
    reservation: &Slot,
    watch: Option<&CallWatch>,
    dialect: Dialect,
    request_id: &str,
) -> Outcome {
    let (reply, kept) = match handled {
        Ok(Step::Later(outcome)) => return outcome,
        // Only a multipart route has an intake, and `begin` handles that. `carry_out` and `nested` handle nested calls.
        Ok(Step::Intake(_) | Step::Nested(_)) => {
            return Outcome::Done(render(&codes::INTERNAL.into(), dialect, request_id));
        }
        Ok(Step::Reply(reply)) => (reply, true),
        Err(mut error) => {
            if let Some(watch) = watch {
                watch.saw(&mut error);
            }
            (render(&error, dialect, request_id), idempotency::is_kept(&error))
        }
    };
    if let Some(reservation) = reservation.take()
        && kept
    {
        reservation.store(&reply);
    }
    Outcome::Done(reply)
}

/// A call with an `Idempotency-Key`.
struct Keyed {
    app: Arc<App>,
    handler: CheckedHandler,
    action: Action,
    call: Call,
    key: RequestKey,
    body_hash: [u8; 32],
}

impl Keyed {
    /// Reserves the key, then does the work, replays the stored reply, waits or refuses.
    fn run(self, arrived: Instant) -> Outcome {
        let taken = idempotency::take(
            &self.app.store,
            &self.app.in_flight,
            &self.app.instance,
            self.key.clone(),
            self.body_hash,
        );
        match taken {
            Err(tried) => self.after(tried, arrived),
            Ok(reservation) => {
                let (fulfiller, promise) = stream::promise();
                let hash = self.body_hash;
                reservation.reserve(hash, move |tried| fulfiller.keep(self.after(tried, arrived)));
                Outcome::Pending(promise)
            }
        }
    }

    fn after(self, tried: Tried, arrived: Instant) -> Outcome {
        let (dialect, request_id) = (self.call.input.dialect, self.call.caller.request_id().to_owned());
        match tried {
            // The caller may have waited for it.
            Tried::Replay(reply) => {
                Outcome::Done(match self.app.gate.renewed(&self.call.caller, self.action, dialect) {
                    Ok(_) => reply,
                    Err(error) => render(&error, dialect, &request_id),
                })
            }
            Tried::Refused(error) => Outcome::Done(render(&error, dialect, &request_id)),
            Tried::Wait(wait) => {
                let until = idempotency::deadline(arrived);
                if Instant::now() >= until {
                    let error = ApiError::new(codes::IDEMPOTENCY_IN_FLIGHT).retry_after(1);
                    return Outcome::Done(render(&error, dialect, &request_id));
                }
                Outcome::Later { wait, until, again: Box::new(move || self.run(arrived)) }
            }
            Tried::Ours(reservation) => Outcome::Again(Box::new(move || self.work(reservation))),
        }
    }

    fn work(self, reservation: Reservation) -> Outcome {
        let (dialect, request_id) = (self.call.input.dialect, self.call.caller.request_id().to_owned());
        self.call.charge_key();
        let Call { caller, input, growth, watch, undo, begun, .. } = self.call;
        // The handler takes the reservation into its transaction. Without a transaction, `finish` settles it.
        let slot = Slot::new(reservation);
        // It may have waited for another request with the same key, or for its place.
        let caller = match self.app.gate.renewed(&caller, self.action, dialect) {
            Ok(caller) => caller,
            Err(error) => return finish(Err(error), &slot, Some(&watch), dialect, &request_id),
        };
        let (action, reservation) = (self.action, slot.clone());
        let call = Call { caller, input, action, growth, reservation, watch: Arc::clone(&watch), undo, begun };
        finish((self.handler)(&self.app, call), &slot, Some(&watch), dialect, &request_id)
    }
}
