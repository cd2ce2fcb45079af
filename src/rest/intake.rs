//! Bodies that are processed piece by piece: the edge reads a piece, a pool thread takes it. If a piece has to be
//! written first, no thread waits for that.

use hyper::body::Bytes;
use tokio::sync::oneshot;

use super::service::Outcome;

/// The receiver of a body. If it is dropped before the end, it undoes its work: the client has gone, or was refused.
pub trait Intake: Send {
    /// Takes the next piece. On a pool thread.
    fn piece(self: Box<Self>, bytes: Bytes) -> IntakeStep;

    /// Ends the body, which is complete now. On a pool thread.
    fn end(self: Box<Self>) -> Outcome;
}

/// The result of a piece.
pub enum IntakeStep {
    /// Send the next piece.
    More(Box<dyn Intake>),
    /// The result comes later; no thread waits for it.
    Later(Later),
    /// The request has this outcome, whatever else the client sends.
    Ended(Outcome),
}

/// A function that wraps a later result.
type AfterIntake = Box<dyn FnOnce(IntakeStep) -> IntakeStep + Send>;

/// The result of a piece that another thread will give.
pub struct Later {
    said: oneshot::Receiver<IntakeStep>,
    then: Option<AfterIntake>,
}

/// Gives the result of a piece. If it is dropped without one, the request fails.
pub struct Sayer(oneshot::Sender<IntakeStep>);

/// Creates a result that comes later, and the handle that gives it.
pub fn later() -> (Sayer, Later) {
    let (sayer, later) = oneshot::channel();
    (Sayer(sayer), Later { said: later, then: None })
}

impl Sayer {
    /// Gives the result, from any thread.
    pub fn say(self, taken: IntakeStep) {
        // If the client has gone, this drops the intake.
        let _ = self.0.send(taken);
    }
}

impl Later {
    /// Passes the result through `then` too. This runs on the runtime thread, so `then` must only wrap it and do no
    /// work.
    #[must_use]
    pub fn then(self, then: impl FnOnce(IntakeStep) -> IntakeStep + Send + 'static) -> Self {
        let before = self.then;
        let both = move |taken| match before {
            Some(before) => then(before(taken)),
            None => then(taken),
        };
        Self { said: self.said, then: Some(Box::new(both)) }
    }

    /// Waits for the result; `None` if the [`Sayer`] was dropped. Runtime thread only.
    pub(crate) async fn said(self) -> Option<IntakeStep> {
        let taken = self.said.await.ok()?;
        Some(match self.then {
            Some(then) => then(taken),
            None => taken,
        })
    }
}
