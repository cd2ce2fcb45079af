//! The seam between the edge and the application: what the edge asks, and on which thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Bytes;

use super::error::ApiError;
use super::head::Head;
use super::intake::IntakeStep;
use super::reply::Reply;
use super::stream::{Promise, Wait};

/// What came of a piece of work on the pool.
pub enum Outcome {
    /// The reply is ready.
    Done(Reply),
    /// Another thread, the database's writer above all, will say; no pool thread is held meanwhile.
    Pending(Promise),
    /// There is more to do on the pool.
    Again(Work),
    /// Nothing to say yet: run `again` on the pool when `wait` is signalled or `until` has come. No pool
    /// thread is held meanwhile.
    Later {
        /// What wakes the work.
        wait: Wait,
        /// When it is woken in any case.
        until: Instant,
        /// The rest of the work.
        again: Work,
    },
    /// What comes of the first, made into something else on the pool: a page is made of the reply to what it asked for.
    Then(Box<Outcome>, Finish),
}

/// What makes of a reply what is sent in its place.
pub type Finish = Box<dyn FnOnce(Reply) -> Outcome + Send>;

/// Work for a pool thread.
pub type Work = Box<dyn FnOnce() -> Outcome + Send>;

/// The application as the edge sees it.
pub trait Service: Send + Sync + 'static {
    /// What routing decided; carried from [`Service::plan`] to the pool.
    type Plan: Send + Clone + 'static;
    /// A caller that passed the access check.
    type Admitted: Send + 'static;

    /// Finds the route and says how large a body it takes (bytes). Runs on the runtime thread: memory only, no
    /// file, no lock that is ever held over I/O.
    ///
    /// # Errors
    /// 404, 405 and what else the head alone decides; also the 204 of OPTIONS. The edge sends it as it is.
    fn plan(&self, head: &Head) -> Result<(Self::Plan, u64), Reply>;

    /// True if the plan's route declares the path segment of this index free text, which may hold `%2F`, `%5C` and
    /// encoded dots.
    fn is_free_text(&self, _plan: &Self::Plan, _segment: usize) -> bool {
        false
    }

    /// True if the plan's route takes its body piece by piece: then [`Service::begin`] is called instead of
    /// [`Service::run`], and the body is never whole in memory.
    fn is_streamed(&self, _plan: &Self::Plan) -> bool {
        false
    }

    /// The reply to a request without a body, where memory alone gives it: then the pool is not troubled. Runs on the
    /// runtime thread under the rules of [`Service::plan`]. `None` says nothing about the request.
    fn at_once(&self, _head: &Head, _plan: &Self::Plan) -> Option<Reply> {
        None
    }

    /// Checks credential, throttle, scope and role. Runs on a pool thread right before [`Service::run`], where the body
    /// came along with the head.
    ///
    /// # Errors
    /// The refusal, ready to send.
    fn admit(&self, head: &Head, plan: &Self::Plan) -> Result<Self::Admitted, Reply>;

    /// The same, before a body is waited for: also whatever else the head decides, so that nobody makes the daemon wait
    /// for, or hold, a body that is refused anyway. On a pool thread.
    ///
    /// # Errors
    /// The refusal, ready to send.
    fn admit_before_body(&self, head: &Head, plan: &Self::Plan) -> Result<Self::Admitted, Reply> {
        self.admit(head, plan)
    }

    /// Whom a body and a place on the pool count for: the principal whose credential has been verified. `None`: nobody
    /// was, and the peer it is.
    fn principal(&self, admitted: &Self::Admitted) -> Option<String>;
    /// Runs the handler. On a pool thread; may panic, the pool catches it. The edge keeps the head beside it, for
    /// errors and the log.
    fn run(&self, head: Arc<Head>, plan: Self::Plan, admitted: Self::Admitted, body: Bytes) -> Outcome;

    /// Begins a request whose body comes piece by piece. On a pool thread, before any of it is read.
    fn begin(&self, head: Arc<Head>, plan: Self::Plan, admitted: Self::Admitted) -> IntakeStep {
        IntakeStep::Ended(self.run(head, plan, admitted, Bytes::new()))
    }

    /// Renders an error of the edge's own in the dialect of the request's path; `head` is `None` where the request
    /// could not be read.
    fn render(&self, error: &ApiError, head: Option<&Head>) -> Reply;

    /// Told on the runtime thread when a reply was handed to the connection: for metrics and the access log.
    /// `from` is the peer's key; `bytes` is the length of the body sent, 0 for a stream.
    fn finished(&self, head: &Head, from: &str, status: u16, bytes: u64, took: Duration);
}
