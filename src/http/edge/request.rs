//! One request from its head to its reply: the checks, the body, the trips to the pool. Runs as the future hyper polls
//! for a request; dropped with the connection, and whatever then waits in the queue is never started.

use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{ALLOW, CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue};
use hyper::http::{Method, Request, Response, StatusCode};

use super::body::{self, BodyError};
use super::check::{self, Checked};
use super::core::{Core, PoolAnswer};
use super::gate::Gate;
use super::host;
use super::io::Wire;
use super::meters::{Gauge, count};
use super::reply::{ReplyBody, is_bodyless, may_be_sent, open_stream, standard_headers, strip_framing};
use crate::rest::codes::{self, Code};
use crate::rest::error::ApiError;
use crate::rest::head::{Head, Peer};
use crate::rest::reply::{Body, Reply};
use crate::rest::service::{Outcome, Service, Work};

/// What a method list says where no route is concerned.
const ALL_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// A body up to this size is collected before the access check: cheaper than a trip to the pool of its own.
const SMALL_BODY: u64 = 64 * 1024;

/// What a connection's requests have in common.
pub(super) struct Link {
    pub(super) wire: Rc<Wire>,
    pub(super) peer: Peer,
    /// The peer's key.
    pub(super) key: String,
    /// The address the client connected to, over TCP.
    pub(super) local: Option<IpAddr>,
    pub(super) gate: Rc<Gate>,
}

/// The client has gone: there is nobody to reply to.
#[derive(Debug)]
pub(super) struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client has gone")
    }
}

impl std::error::Error for Gone {}

/// Why a request's way ends early.
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

/// Answers one request.
pub(super) async fn answer<S: Service>(
    core: Rc<Core<S>>,
    link: Rc<Link>,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Gone> {
    link.wire.handling();
    let (parts, body) = request.into_parts();
    let checked = check::head(&parts.method, &parts.uri, parts.version, &parts.headers, &core.rules().limits);
    let mut head = Head {
        raw_path: parts.uri.path().to_owned(),
        segments: Vec::new(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
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
    let result = match checked {
        Ok(checked) => exchange.handle(&checked, body).await,
        Err(halt) => Err(halt),
    };
    let reply = match result {
        Ok(reply) | Err(Halt::Reply(reply)) => reply,
        Err(Halt::Error(error)) => exchange.render(&error),
        Err(Halt::Gone) => return Err(Gone),
    };
    Ok(exchange.send(reply))
}

struct Exchange<S: Service> {
    core: Rc<Core<S>>,
    link: Rc<Link>,
    head: Arc<Head>,
    /// The connection ends with this reply.
    close: bool,
    /// Bytes of the body are still to be read: they must never become the next request.
    unread: bool,
}

impl<S: Service> Exchange<S> {
    async fn handle(&mut self, checked: &Checked, body: Incoming) -> Result<Reply, Halt> {
        let head = Arc::clone(&self.head);
        if let Some(code) = host::refusal(&head, &self.core.rules().hosts, self.link.local) {
            return Err(code.into());
        }
        if head.raw_path == "*" {
            return Ok(Reply::no_content().with(ALLOW, ALL_METHODS));
        }
        let (plan, limit) = self.core.service.plan(&head).map_err(Halt::Reply)?;
        if checked.encoded_slash {
            self.check_slashes(&head, &plan)?;
        }
        let limit = if head.names_a_credential() {
            limit
        } else {
            limit.min(self.core.rules().limits.max_anonymous_body_bytes)
        };
        let declared = body.size_hint().exact();
        if declared.is_some_and(|bytes| bytes > limit) {
            return Err(codes::BODY_TOO_LARGE.into());
        }
        if body.is_end_stream()
            && let Some(reply) = self.core.service.at_once(&head, &plan)
        {
            return Ok(reply);
        }
        let mut held = Gauge::empty(self.core.meters.clone(), |m| &m.body_bytes);
        let small = declared.is_some_and(|bytes| bytes <= SMALL_BODY) && !checked.expects_continue;
        let service = self.core.service.clone();
        let answer = if small {
            let body = self.collect(body, limit, &mut held).await?;
            let whole = move || match service.admit(&head, &plan) {
                Ok(admitted) => PoolAnswer::Outcome(service.run(head, plan, admitted, body)),
                Err(refusal) => PoolAnswer::Outcome(Outcome::Done(refusal)),
            };
            self.trip(Box::new(whole)).await?
        } else {
            let (checking, checked_plan, checked_head) = (service.clone(), plan.clone(), Arc::clone(&head));
            let admit = move || match checking.admit(&checked_head, &checked_plan) {
                Ok(admitted) => PoolAnswer::Admitted(admitted),
                Err(refusal) => PoolAnswer::Outcome(Outcome::Done(refusal)),
            };
            match self.trip(Box::new(admit)).await? {
                PoolAnswer::Admitted(admitted) => {
                    let body = self.collect(body, limit, &mut held).await?;
                    let run = move || PoolAnswer::Outcome(service.run(head, plan, admitted, body));
                    self.trip(Box::new(run)).await?
                }
                refused => refused,
            }
        };
        self.settle(answer).await
    }

    /// An encoded slash is only for segments that a route declares free text.
    fn check_slashes(&self, head: &Head, plan: &S::Plan) -> Result<(), Halt> {
        let bad =
            |(index, segment): (usize, &String)| segment.contains('/') && !self.core.service.takes_slash(plan, index);
        if head.segments.iter().enumerate().any(bad) {
            return Err(Halt::Error(ApiError::new(codes::INVALID_PATH).detail("the path has an encoded slash")));
        }
        Ok(())
    }

    async fn collect(&mut self, incoming: Incoming, limit: u64, held: &mut Gauge) -> Result<Bytes, Halt> {
        if incoming.is_end_stream() {
            return Ok(Bytes::new());
        }
        let wire = &self.link.wire;
        wire.awaiting_body();
        let collected =
            body::collect(incoming, limit, wire, held, self.core.rules().limits.max_body_bytes_in_flight).await;
        wire.handling();
        let error = match collected {
            Ok(bytes) => {
                self.unread = false;
                return Ok(bytes);
            }
            Err(error) => error,
        };
        Err(match error {
            BodyError::Gone => Halt::Gone,
            BodyError::Late => {
                count(&self.core.meters.timeouts);
                codes::REQUEST_TIMEOUT.into()
            }
            BodyError::TooLarge => codes::BODY_TOO_LARGE.into(),
            BodyError::Full => {
                count(&self.core.meters.refused_busy);
                Halt::Error(ApiError::new(codes::BUSY).detail("too many large bodies are on their way at once"))
            }
            BodyError::Malformed => {
                count(&self.core.meters.malformed);
                Halt::Error(ApiError::new(codes::BAD_REQUEST).detail("the chunked body is malformed"))
            }
        })
    }

    /// Has work done on the pool.
    async fn trip(&self, work: Box<dyn FnOnce() -> PoolAnswer<S> + Send>) -> Result<PoolAnswer<S>, Halt> {
        let Ok(answer) = self.core.pool.submit(work) else {
            count(&self.core.meters.refused_busy);
            return Err(codes::BUSY.into());
        };
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(panic)) => {
                log::error!("request {}: the handler panicked: {}", self.head.request_id, panic.0);
                Err(codes::INTERNAL.into())
            }
            Err(_) => Err(Halt::Error(ApiError::new(codes::SHUTTING_DOWN).closing())),
        }
    }

    /// Follows postponed work to its reply.
    async fn settle(&self, mut answer: PoolAnswer<S>) -> Result<Reply, Halt> {
        loop {
            let outcome = match answer {
                PoolAnswer::Outcome(outcome) => outcome,
                PoolAnswer::Admitted(..) => return Err(codes::INTERNAL.into()),
            };
            let more: Work = match outcome {
                Outcome::Done(reply) => return Ok(reply),
                Outcome::Again(work) => work,
                Outcome::Later { wait, until, again } => {
                    wait.finished(until).await;
                    again
                }
                Outcome::Pending(promise) => match promise.kept().await {
                    Some(outcome) => {
                        answer = PoolAnswer::Outcome(outcome);
                        continue;
                    }
                    None => return Err(codes::INTERNAL.into()),
                },
            };
            answer = self.trip(Box::new(move || PoolAnswer::Outcome(more()))).await?;
        }
    }

    fn render(&self, error: &ApiError) -> Reply {
        self.core.service.render(error, Some(&self.head))
    }

    /// Turns a reply into what hyper sends, and starts the clock of the write.
    fn send(self, mut reply: Reply) -> Response<ReplyBody> {
        if !may_be_sent(&reply.headers) {
            log::error!("request {}: a reply header's value may not be sent", self.head.request_id);
            reply = self.render(&codes::INTERNAL.into());
        }
        let silent = self.head.method == Method::HEAD || is_bodyless(reply.status);
        let mut body = reply.body;
        let mut open = None;
        if matches!(body, Body::Stream(_)) && !silent {
            open = open_stream(&self.core.meters, self.core.rules().limits.max_streams);
            if open.is_none() {
                count(&self.core.meters.refused_busy);
                let busy = self.render(&ApiError::new(codes::BUSY).detail("too many streams are open"));
                (reply.status, reply.headers, body) = (busy.status, busy.headers, busy.body);
            }
        }
        let close = reply.close || self.close || self.unread || self.link.gate.is_closed();
        let mut headers = reply.headers;
        strip_framing(&mut headers);
        standard_headers(&mut headers, &self.head.raw_path, &self.head.request_id);
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let took = self.link.wire.now().duration_since(self.head.arrived);
        let (body, bytes) = self.body(body, open, silent, reply.status, &mut headers);
        self.core.service.finished(&self.head, &self.link.key, reply.status.as_u16(), bytes, took);
        let mut response = Response::new(body);
        *response.status_mut() = reply.status;
        *response.headers_mut() = headers;
        response
    }

    fn body(
        &self,
        body: Body,
        open: Option<Gauge>,
        silent: bool,
        status: StatusCode,
        headers: &mut HeaderMap,
    ) -> (ReplyBody, u64) {
        let wire = self.link.wire.clone();
        match (body, open) {
            (Body::Stream(stream), Some(open)) => {
                wire.streaming();
                let gate = self.link.gate.clone();
                (ReplyBody::Stream { chunks: stream.chunks, wire, gate, _open: open }, 0)
            }
            (Body::Bytes(bytes), _) if !silent => {
                let length = bytes.len() as u64;
                wire.writing(bytes.is_empty(), self.core.stalled.make_room(length, &self.core.meters));
                (ReplyBody::Whole(Some(bytes), wire), length)
            }
            (body, _) => {
                if let (Body::Bytes(bytes), false) = (&body, is_bodyless(status)) {
                    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
                }
                wire.writing(true, None);
                (ReplyBody::Whole(None, wire), 0)
            }
        }
    }
}
