//! The interface between the edge and the application: the calls of the edge, and their threads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Bytes;

use super::error::ApiError;
use super::head::Head;
use super::intake::IntakeStep;
use super::reply::Reply;
use super::stream::{Promise, Wait};

/// The result of a piece of work on the pool.
pub enum Outcome {
    /// The reply is ready.
    Done(Reply),
    /// Another thread, usually the database's writer, will give the outcome. No pool thread waits for it.
    Pending(Promise),
    /// There is more work for the pool.
    Again(Work),
    /// There is no reply yet: run `again` on the pool when `wait` is signalled or `until` is reached. No pool thread
    /// waits meanwhile.
    Later {
        /// The signal that wakes the work.
        wait: Wait,
        /// The time at which it wakes in any case.
        until: Instant,
        /// The rest of the work. Only if [`Service::keeps_body`] it still has the body.
        again: Work,
    },
    /// The reply of the first outcome, transformed on the pool: a page is made from the reply to its request.
    Then(Box<Outcome>, Finish),
}

/// Makes the final outcome from a reply.
pub type Finish = Box<dyn FnOnce(Reply) -> Outcome + Send>;

/// Work for a pool thread.
pub type Work = Box<dyn FnOnce() -> Outcome + Send>;

/// The application, as the edge sees it.
pub trait Service: Send + Sync + 'static {
    /// The result of routing, passed from [`Service::plan`] to the pool.
    type Plan: Send + Clone + 'static;
    /// A caller that passed the access check.
    type Admitted: Send + 'static;

    /// Finds the route and the limit of its body in bytes. Runs on the runtime thread, so it uses only memory: no file,
    /// and no lock that is ever held during I/O.
    ///
    /// # Errors
    /// The reply to send unchanged: 404, 405 and other refusals that need only the head, and the 204 of OPTIONS.
    fn plan(&self, head: &Head) -> Result<(Self::Plan, u64), Reply>;

    /// True if the plan's route declares the path segment at this index free text, which may contain `%2F`, `%5C` and
    /// encoded dots.
    fn is_free_text(&self, _plan: &Self::Plan, _segment: usize) -> bool {
        false
    }

    /// True if the plan's route takes its body piece by piece. Then the edge calls [`Service::begin`] instead of
    /// [`Service::run`], and the body is never whole in memory.
    fn is_streamed(&self, _plan: &Self::Plan) -> bool {
        false
    }

    /// True if the plan's handler keeps the body until the reply, also while it waits ([`Outcome::Later`]).
    fn keeps_body(&self, _plan: &Self::Plan) -> bool {
        false
    }

    /// The reply to a request without a body, if memory alone can give it without the pool. Runs on the runtime thread
    /// under the rules of [`Service::plan`]. `None` says nothing about the request.
    fn at_once(&self, _head: &Head, _plan: &Self::Plan) -> Option<Reply> {
        None
    }

    /// Checks credential, throttle, scope and role. Runs on a pool thread right before [`Service::run`], if the body
    /// arrived with the head.
    ///
    /// # Errors
    /// The refusal, ready to send.
    fn admit(&self, head: &Head, plan: &Self::Plan) -> Result<Self::Admitted, Reply>;

    /// Like [`Service::admit`], but before the edge waits for the body. It also checks everything else that needs only
    /// the head, so that the daemon never waits for, or holds, a body that it refuses anyway. On a pool thread.
    ///
    /// # Errors
    /// The refusal, ready to send.
    fn admit_before_body(&self, head: &Head, plan: &Self::Plan) -> Result<Self::Admitted, Reply> {
        self.admit(head, plan)
    }

    /// The principal of the verified credential. A body and a place on the pool count against its shares. `None` if no
    /// credential was verified: then they count against the peer's.
    fn principal(&self, admitted: &Self::Admitted) -> Option<String>;
    /// Runs the handler. On a pool thread; the pool catches a panic. The edge keeps the head too, for errors and the
    /// log.
    fn run(&self, head: Arc<Head>, plan: Self::Plan, admitted: Self::Admitted, body: Bytes) -> Outcome;

    /// Runs the handler of a request that had to wait after its admission, for its body or for a place: what the caller
    /// may do is looked up again, unless nothing of it can change.
    fn run_late(&self, head: Arc<Head>, plan: Self::Plan, admitted: Self::Admitted, body: Bytes) -> Outcome {
        self.run(head, plan, admitted, body)
    }

    /// Begins a request whose body comes piece by piece. On a pool thread, before any of the body is read.
    fn begin(&self, head: Arc<Head>, plan: Self::Plan, admitted: Self::Admitted) -> IntakeStep {
        IntakeStep::Ended(self.run(head, plan, admitted, Bytes::new()))
    }

    /// Renders one of the edge's own errors in the dialect of the request's path. `head` is `None` if the request could
    /// not be read.
    fn render(&self, error: &ApiError, head: Option<&Head>) -> Reply;

    /// Called on the runtime thread when a reply was passed to the connection, for metrics and the access log. `from`
    /// is the peer's key; `bytes` is the length of the body sent, 0 for a stream.
    fn finished(&self, head: &Head, from: &str, status: u16, bytes: u64, took: Duration);
}
