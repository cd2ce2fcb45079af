//! A small application: a public route, an authenticated one, and one for each kind of failure.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::header::{ALLOW, AUTHORIZATION};
use hyper::http::{Method, StatusCode};
use serde_json::json;
use taosd::limits::Limits;
use taosd::rest::codes;
use taosd::rest::error::{ApiError, Dialect};
use taosd::rest::head::Head;
use taosd::rest::reply::{Body, BodySource, Pulled, Reply};
use taosd::rest::service::{Outcome, Service};
use taosd::rest::stream::{Signal, StreamSender, stream};

/// The token of nearly all scenarios, and the token of another principal.
pub const TOKEN: &str = "good";
pub const OTHER: &str = "other";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Health,
    Whoami,
    Agents,
    Uploads,
    Panic,
    Sleep,
    Large,
    Empty,
    Events,
    Later,
    Free,
    Page,
    BadHeader,
}

/// The application, with the state that the scenarios look at.
pub struct App {
    max_body: u64,
    max_upload: u64,
    /// The number of handlers that have started.
    pub started: AtomicU64,
    /// The number of access checks.
    pub admitted: AtomicU64,
    /// The open streams, to which a scenario can send.
    pub streams: Mutex<Vec<StreamSender>>,
    /// Wakes `/api/later`.
    pub signal: Signal,
    /// The logged requests: path, status, bytes.
    pub log: Mutex<Vec<(String, u16, u64)>>,
    keep_log: bool,
}

impl App {
    pub fn new(limits: &Limits) -> Self {
        Self {
            max_body: limits.max_body_bytes,
            max_upload: limits.max_upload_bytes,
            started: AtomicU64::new(0),
            admitted: AtomicU64::new(0),
            streams: Mutex::default(),
            signal: Signal::new(),
            log: Mutex::default(),
            keep_log: true,
        }
    }

    pub fn started(&self) -> u64 {
        self.started.load(Ordering::SeqCst)
    }

    fn error(code: &'static codes::Code) -> Reply {
        ApiError::new(code).reply(Dialect::Taos)
    }
}

/// An empty file.
struct Nothing;

impl BodySource for Nothing {
    fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        Ok(None)
    }
}

fn route(head: &Head) -> Option<(Route, &'static [Method])> {
    const GET: &[Method] = &[Method::GET, Method::HEAD];
    let segments: Vec<&str> = head.segments.iter().map(String::as_str).collect();
    Some(match segments.as_slice() {
        ["healthz"] => (Route::Health, GET),
        ["api", "auth", "whoami"] => (Route::Whoami, GET),
        ["api", "agents"] => (Route::Agents, &[Method::POST]),
        ["api", "uploads"] => (Route::Uploads, &[Method::POST]),
        ["api", "panic"] => (Route::Panic, GET),
        ["api", "sleep"] => (Route::Sleep, GET),
        ["api", "large"] => (Route::Large, GET),
        ["api", "empty"] => (Route::Empty, GET),
        ["api", "events"] => (Route::Events, GET),
        ["api", "later"] => (Route::Later, GET),
        ["api", "free", _] => (Route::Free, GET),
        ["page"] => (Route::Page, GET),
        ["api", "bad-header"] => (Route::BadHeader, GET),
        _ => return None,
    })
}

impl Service for App {
    type Plan = Route;
    /// The token that was verified, if any.
    type Admitted = Option<&'static str>;

    fn plan(&self, head: &Head) -> Result<(Route, u64), Reply> {
        let Some((route, methods)) = route(head) else { return Err(Self::error(codes::NOT_FOUND)) };
        let allow = methods.iter().map(Method::as_str).chain(["OPTIONS"]).collect::<Vec<_>>().join(", ");
        if head.method == Method::OPTIONS {
            return Err(Reply::no_content().with(ALLOW, &allow));
        }
        if !methods.contains(&head.method) {
            return Err(Self::error(codes::METHOD_NOT_ALLOWED).with(ALLOW, &allow));
        }
        Ok((route, if route == Route::Uploads { self.max_upload } else { self.max_body }))
    }

    fn is_free_text(&self, plan: &Route, segment: usize) -> bool {
        *plan == Route::Free && segment == 2
    }

    fn admit(&self, head: &Head, plan: &Route) -> Result<Option<&'static str>, Reply> {
        self.admitted.fetch_add(1, Ordering::SeqCst);
        if matches!(plan, Route::Health | Route::Page) {
            return Ok(None);
        }
        match head.header(&AUTHORIZATION) {
            Some(value) if value.strip_prefix("Bearer ") == Some(TOKEN) => Ok(Some(TOKEN)),
            Some(value) if value.strip_prefix("Bearer ") == Some(OTHER) => Ok(Some(OTHER)),
            Some(_) => Err(Self::error(codes::INVALID_TOKEN)),
            None => Err(Self::error(codes::AUTH_REQUIRED)),
        }
    }

    fn principal(&self, verified: &Option<&'static str>) -> Option<String> {
        verified.map(str::to_owned)
    }

    fn run(&self, head: Arc<Head>, plan: Route, _: Option<&'static str>, body: Bytes) -> Outcome {
        self.started.fetch_add(1, Ordering::SeqCst);
        let number = || head.query.rsplit('=').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        Outcome::Done(match plan {
            Route::Health => Reply::typed(StatusCode::OK, "text/plain", "ok\n"),
            Route::Page => Reply::typed(StatusCode::OK, "text/html; charset=utf-8", "<p>hello</p>"),
            Route::Whoami => Reply::ok(&json!({"name": "probe", "request_id": head.request_id})),
            Route::Agents | Route::Uploads => Reply::json(StatusCode::CREATED, &json!({"bytes": body.len()})),
            Route::Panic => panic!("a handler panics on purpose"),
            Route::Sleep => {
                std::thread::sleep(Duration::from_millis(number()));
                Reply::ok(&json!({"slept": number()}))
            }
            Route::Large => Reply::typed(StatusCode::OK, "application/octet-stream", vec![b'x'; number() as usize]),
            Route::Free => Reply::ok(&json!({"segment": head.segments[2]})),
            Route::BadHeader => {
                let mut reply = Reply::ok(&json!({}));
                let value = hyper::header::HeaderValue::from_bytes(b"caf\xe9").unwrap();
                reply.headers.insert("x-odd", value);
                reply
            }
            Route::Empty => {
                let mut reply = Reply::typed(StatusCode::OK, "application/octet-stream", "");
                reply.body = Body::Pulled(Pulled { length: 0, source: Arc::new(Mutex::new(Nothing)) });
                reply
            }
            Route::Events => {
                let (sender, chunks) = stream(16);
                sender.send("data: hello\n\n");
                self.streams.lock().unwrap().push(sender);
                let mut reply = Reply::typed(StatusCode::OK, "text/event-stream", "");
                reply.body = Body::Stream(chunks);
                reply
            }
            Route::Later => {
                let wait = self.signal.wait();
                let again = Box::new(|| Outcome::Done(Reply::ok(&json!({"later": true}))));
                return Outcome::Later { wait, until: Instant::now() + Duration::from_millis(number()), again };
            }
        })
    }

    fn render(&self, error: &ApiError, _head: Option<&Head>) -> Reply {
        error.reply(Dialect::Taos)
    }

    fn finished(&self, head: &Head, _from: &str, status: u16, bytes: u64, _took: Duration) {
        if self.keep_log {
            let mut log = self.log.lock().unwrap();
            if log.len() < 10_000 {
                log.push((head.raw_path.clone(), status, bytes));
            }
        }
    }
}
