//! One request from its head to its reply: the checks, the body and the work on the pool. Anything that has to wait
//! runs in the future that hyper polls for the request. That future is dropped with the connection, and queued work of
//! it never starts.

use std::fmt;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::header::ALLOW;
use hyper::http::{Request, Response};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::body::Collecting;
use super::body_shares::HeldBytes;
use super::check::{self, CheckedHead};
use super::core::{Core, PoolOutcome};
use super::gate::ConnectionGate;
use super::host;
use super::io::{READ_BYTES, Wire};
use super::meters::count;
use super::reply::ReplyBody;
use crate::http::pool;
use crate::rest::codes::{self, Code};
use crate::rest::error::ApiError;
use crate::rest::head::{Head, Peer};
use crate::rest::reply::Reply;
use crate::rest::service::{Finish, Outcome, Service, Work};

mod answer;
mod intake;

/// The methods that a reply lists if no route is concerned.
const ALL_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// The largest body, in bytes, that is checked and run in one trip to the pool, if it arrived with its head. It is in
/// the connection's read buffer anyway.
const AT_HAND: u64 = READ_BYTES as u64;

/// How long a request waits for one of its principal's places on the pool.
const SHARE_WAIT: Duration = Duration::from_secs(30);

/// The facts that all requests of a connection share.
pub(super) struct ConnectionContext {
    pub(super) wire: Rc<Wire>,
    pub(super) peer: Peer,
    /// The peer's key.
    pub(super) key: String,
    /// The address the client connected to, over TCP.
    pub(super) local: Option<IpAddr>,
    pub(super) gate: Rc<ConnectionGate>,
}

/// The error if the client has gone and no reply can be sent.
#[derive(Debug)]
pub(super) struct ClientGone;

impl fmt::Display for ClientGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client has gone")
    }
}

impl std::error::Error for ClientGone {}

/// Why a request ends early.
enum Halt {
    Gone,
    Error(ApiError),
    Reply(Reply),
}

impl From<&'static Code> for Halt {
    fn from(code: &'static Code) -> Self {
        Self::Error(code.into())
    }
}

/// The result of one request: a reply, or the work that ends in one.
pub(super) enum EdgeAnswer {
    /// The reply is ready, without a future of its own.
    AtOnce(Ready<Concluded>),
    /// The work continues. It is boxed, because hyper reserves room for a whole `EdgeAnswer` as long as the connection
    /// lives.
    Later(Pin<Box<dyn Future<Output = Concluded>>>),
}

type Concluded = Result<Response<ReplyBody>, ClientGone>;

impl Future for EdgeAnswer {
    type Output = Concluded;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Concluded> {
        match self.get_mut() {
            Self::AtOnce(ready) => Pin::new(ready).poll(cx),
            Self::Later(work) => work.as_mut().poll(cx),
        }
    }
}

/// Handles one request.
pub(super) fn answer<S: Service>(
    core: Rc<Core<S>>,
    link: Rc<ConnectionContext>,
    request: Request<Incoming>,
) -> EdgeAnswer {
    link.wire.handling();
    let (parts, body) = request.into_parts();
    let checked = check::head(&parts.method, &parts.uri, parts.version, &parts.headers, &core.rules().limits);
    let mut head = Head {
        raw_path: parts.uri.path().to_owned(),
        segments: Vec::new(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        foreign_host: host::is_foreign(&link.peer, &parts.headers, &core.rules().hosts, link.local),
        request_id: check::request_id(&parts.headers).map_or_else(|| core.ids.next(), str::to_owned),
        method: parts.method,
        headers: parts.headers,
        peer: link.peer.clone(),
        arrived: link.wire.now(),
    };
    let mut close = false;
    let checked = checked.map_err(|refusal| {
        close = refusal.close;
        let error = ApiError::new(refusal.code).detail(refusal.detail);
        Halt::Error(if refusal.code.status == 405 { error.header(ALLOW, ALL_METHODS) } else { error })
    });
    let checked = checked.map(|mut checked| {
        head.segments = std::mem::take(&mut checked.segments);
        close = checked.chunked;
        checked
    });
    let head = Arc::new(head);
    let mut exchange = Exchange { unread: !body.is_end_stream(), head, core, link, close };
    match checked.and_then(|checked| exchange.prepare(&checked, &body)) {
        Err(halt) => EdgeAnswer::AtOnce(ready(exchange.conclude(Err(halt)))),
        Ok(prepared) => EdgeAnswer::Later(Box::pin(async move {
            let result = exchange.carry_out(prepared, body).await;
            exchange.conclude(result)
        })),
    }
}

/// A request that passed the first checks and needs more work.
struct PreparedRequest<P> {
    plan: P,
    /// The limits of its body in bytes: with a verified credential, and without one.
    limits: (u64, u64),
    declared: Option<u64>,
    is_streamed: bool,
    expects_continue: bool,
}

/// Refuses a body that announces more than `limit` bytes.
fn check_length(declared: Option<u64>, limit: u64, too_large: &'static Code) -> Result<(), Halt> {
    if declared.is_some_and(|bytes| bytes > limit) { Err(too_large.into()) } else { Ok(()) }
}

struct Exchange<S: Service> {
    core: Rc<Core<S>>,
    link: Rc<ConnectionContext>,
    head: Arc<Head>,
    /// Whether the connection ends with this reply.
    close: bool,
    /// Whether the body has unread bytes. They must never become the next request.
    unread: bool,
}

impl<S: Service> Exchange<S> {
    /// Does everything that needs no waiting. Returns how to continue, or ends with a refusal or a reply.
    fn prepare(&self, checked: &CheckedHead, body: &Incoming) -> Result<PreparedRequest<S::Plan>, Halt> {
        let head = &self.head;
        if let Some(code) = host::refusal(head) {
            return Err(code.into());
        }
        if head.raw_path == "*" {
            return Err(Halt::Reply(Reply::no_content().with(ALLOW, ALL_METHODS)));
        }
        let planned = self.core.service.plan(head);
        if !checked.encoded.is_empty() {
            self.check_encoded(&checked.encoded, planned.as_ref().ok().map(|(plan, _)| plan))?;
        }
        let (plan, limit) = planned.map_err(Halt::Reply)?;
        let is_streamed = self.core.service.is_streamed(&plan);
        let nobodys = limit.min(self.core.rules().limits.max_anonymous_body_bytes);
        let declared = body.size_hint().exact();
        let too_large = if is_streamed { codes::PAYLOAD_TOO_LARGE } else { codes::BODY_TOO_LARGE };
        check_length(declared, if head.names_a_credential() { limit } else { nobodys }, too_large)?;
        if !is_streamed
            && body.is_end_stream()
            && let Some(reply) = self.core.service.at_once(head, &plan)
        {
            return Err(Halt::Reply(reply));
        }
        let expects_continue = checked.expects_continue;
        Ok(PreparedRequest { plan, limits: (limit, nobodys), declared, is_streamed, expects_continue })
    }

    /// Converts the result of a request into the reply for hyper.
    fn conclude(self, result: Result<Reply, Halt>) -> Concluded {
        let reply = match result {
            Ok(reply) | Err(Halt::Reply(reply)) => reply,
            Err(Halt::Error(error)) => self.render(&error),
            Err(Halt::Gone) => return Err(ClientGone),
        };
        Ok(self.send(reply))
    }

    async fn carry_out(&mut self, prepared: PreparedRequest<S::Plan>, body: Incoming) -> Result<Reply, Halt> {
        let PreparedRequest { plan, limits: (limit, nobodys), declared, is_streamed, expects_continue } = prepared;
        if is_streamed {
            return Box::pin(self.take_in(plan, body, (limit, nobodys))).await;
        }
        let head = Arc::clone(&self.head);
        let peer = format!("peer:{}", self.link.key);
        let mut held = self.core.bodies.open(peer.clone(), &self.core.meters);
        let mut body = Collecting::new(body);
        let keeps = self.core.service.keeps_body(&plan);
        let small = declared.is_some_and(|bytes| bytes <= AT_HAND.min(nobodys)) && !expects_continue;
        if small && let Some(body) = self.at_hand(&mut body, nobodys, &mut held).await? {
            let (service, shares) = (self.core.service.clone(), Arc::clone(&self.core.shares));
            let whole = move || match service.admit(&head, &plan) {
                Ok(admitted) => {
                    let principal = shares.key(service.principal(&admitted).as_deref().unwrap_or(&peer));
                    match shares.enter(principal) {
                        None => {
                            let rest = move || service.run_late(head, plan, admitted, body);
                            PoolOutcome::Crowded(Box::new(rest), principal)
                        }
                        Some(_place) => PoolOutcome::Outcome(service.run(head, plan, admitted, body), Some(principal)),
                    }
                }
                Err(refusal) => PoolOutcome::Outcome(Outcome::Done(refusal), None),
            };
            let answer = self.trip(Box::new(whole)).await?;
            return self.settle_with_body(answer, held, keeps).await;
        }
        Box::pin(self.with_body(plan, body, (limit, nobodys), held)).await
    }

    /// Handles a request whose body has to be waited for: everything that can be checked without the body comes first.
    async fn with_body(
        &mut self,
        plan: S::Plan,
        mut body: Collecting,
        (limit, nobodys): (u64, u64),
        mut held: HeldBytes,
    ) -> Result<Reply, Halt> {
        let (head, service) = (Arc::clone(&self.head), self.core.service.clone());
        let keeps = service.keeps_body(&plan);
        let (checking, checked_plan, checked_head) = (service.clone(), plan.clone(), Arc::clone(&head));
        let admit = move || match checking.admit_before_body(&checked_head, &checked_plan) {
            Ok(admitted) => PoolOutcome::Admitted(admitted),
            Err(refusal) => PoolOutcome::Outcome(Outcome::Done(refusal), None),
        };
        let answer = match self.trip(Box::new(admit)).await? {
            PoolOutcome::Admitted(admitted) => {
                let principal = service.principal(&admitted);
                let peer = format!("peer:{}", self.link.key);
                let share = self.core.shares.key(principal.as_deref().unwrap_or(&peer));
                let limit = match principal {
                    Some(principal) => {
                        held.belongs_to(principal);
                        limit
                    }
                    None => nobodys,
                };
                check_length(body.declared(), limit, codes::BODY_TOO_LARGE)?;
                let body = self.collect(&mut body, limit, &mut held).await?;
                let run = move || service.run_late(head, plan, admitted, body);
                self.trip_in_share(Box::new(run), Some(share)).await?
            }
            refused => refused,
        };
        self.settle_with_body(answer, held, keeps).await
    }

    /// Encoded slashes, backslashes and dots are only for segments that a route declares free text.
    fn check_encoded(&self, segments: &[usize], plan: Option<&S::Plan>) -> Result<(), Halt> {
        let is_fine = |at: &usize| match plan {
            Some(plan) => self.core.service.is_free_text(plan, *at),
            // The path does not exist, with or without a slash in the segment.
            None => self.head.segments.get(*at).is_some_and(|segment| segment.contains('/')),
        };
        if segments.iter().all(is_fine) {
            return Ok(());
        }
        let error = ApiError::new(codes::INVALID_PATH).detail("The path has an encoded slash, backslash or dot.");
        Err(Halt::Error(error))
    }

    /// Runs work on the pool.
    async fn trip(&self, work: Box<dyn FnOnce() -> PoolOutcome<S> + Send>) -> Result<PoolOutcome<S>, Halt> {
        let Ok(answer) = self.core.pool.submit(work) else {
            count(&self.core.meters.refused_busy);
            return Err(codes::BUSY.into());
        };
        self.answered(answer).await
    }

    /// Waits for the result of work on the pool.
    async fn answered(
        &self,
        answer: oneshot::Receiver<pool::PoolAnswer<PoolOutcome<S>>>,
    ) -> Result<PoolOutcome<S>, Halt> {
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(panic)) => {
                log::error!("request {}: the handler panicked: {}", self.head.request_id, panic.0);
                Err(codes::INTERNAL.into())
            }
            Err(_) => Err(Halt::Error(ApiError::new(codes::SHUTTING_DOWN).closing())),
        }
    }

    /// Runs a request's work on the pool, once its principal has a place there.
    async fn trip_in_share(&self, work: Work, principal: Option<u64>) -> Result<PoolOutcome<S>, Halt> {
        self.in_share(Box::new(move || PoolOutcome::Outcome(work(), principal)), principal).await
    }

    /// Runs work on the pool, once its principal has a place there.
    async fn in_share(
        &self,
        work: Box<dyn FnOnce() -> PoolOutcome<S> + Send>,
        principal: Option<u64>,
    ) -> Result<PoolOutcome<S>, Halt> {
        let place = match principal.map(|principal| self.core.shares.enter_or_wait(principal)) {
            None => None,
            Some(Ok(place)) => Some(place),
            Some(Err(wait)) => match timeout(SHARE_WAIT, wait).await {
                Ok(Ok(place)) => Some(place),
                _ => {
                    count(&self.core.meters.refused_busy);
                    return Err(Halt::Error(
                        ApiError::new(codes::BUSY)
                            .detail("The caller's other requests use all the workers that one caller may use."),
                    ));
                }
            },
        };
        let run = move || {
            let answer = work();
            drop(place);
            answer
        };
        self.trip(Box::new(run)).await
    }

    /// Runs the rest of work that has started and waited. The queue always accepts it, however many requests one event
    /// wakes. It waits for its principal's place as long as necessary.
    async fn resume_in_share(&self, work: Work, principal: Option<u64>) -> Result<PoolOutcome<S>, Halt> {
        let run = move || PoolOutcome::Outcome(work(), principal);
        let Some(principal) = principal else {
            return self.answered(self.core.pool.resume(Box::new(run))).await;
        };
        let (to, answer) = oneshot::channel();
        let pool = Arc::clone(&self.core.pool);
        let queue = move |place| {
            let run = move || {
                let answer = run();
                drop(place);
                answer
            };
            pool.resume_for(to, Box::new(run));
        };
        let _wanted = self.core.shares.enter_later(principal, Box::new(queue));
        self.answered(answer).await
    }

    /// Like `settle`, for a request whose body is in memory. `keeps` says that the work keeps the body to its end.
    async fn settle_with_body(&self, answer: PoolOutcome<S>, held: HeldBytes, keeps: bool) -> Result<Reply, Halt> {
        let (_kept, held) = if keeps { (Some(held), None) } else { (None, Some(held)) };
        self.settle(answer, held).await
    }

    /// Follows postponed work to its reply. Work that waits for an event has no body any more, so `held` ends there: a
    /// wait can be long, and the memory is for the bodies of others.
    async fn settle(&self, mut answer: PoolOutcome<S>, mut held: Option<HeldBytes>) -> Result<Reply, Halt> {
        let mut finishes: Vec<Finish> = Vec::new();
        loop {
            let (outcome, principal) = match answer {
                PoolOutcome::Outcome(outcome, principal) => (outcome, principal),
                PoolOutcome::Crowded(rest, principal) => {
                    answer = self.trip_in_share(rest, Some(principal)).await?;
                    continue;
                }
                PoolOutcome::Admitted(..) | PoolOutcome::Taken(_) | PoolOutcome::Piece(_) => {
                    return Err(codes::INTERNAL.into());
                }
            };
            let more: Work = match outcome {
                Outcome::Done(reply) => match finishes.pop() {
                    Some(finish) => Box::new(move || finish(reply)),
                    None => return Ok(reply),
                },
                Outcome::Then(first, finish) => {
                    finishes.push(finish);
                    answer = PoolOutcome::Outcome(*first, principal);
                    continue;
                }
                Outcome::Again(work) => work,
                Outcome::Later { wait, until, again } => {
                    drop(held.take());
                    wait.finished(until).await;
                    again
                }
                Outcome::Pending(promise) => match promise.kept().await {
                    Some(outcome) => {
                        answer = PoolOutcome::Outcome(outcome, principal);
                        continue;
                    }
                    None => return Err(codes::INTERNAL.into()),
                },
            };
            answer = self.resume_in_share(more, principal).await?;
        }
    }
}
