//! Bodies that are taken piece by piece: the edge reads a piece, a pool thread takes it, and where a piece has to be
//! written first, nobody holds a thread meanwhile.

use hyper::body::Bytes;
use tokio::sync::oneshot;

use super::service::Outcome;

/// Takes a body. Dropped before its end, it undoes what it has done: the client has gone, or was refused.
pub trait Intake: Send {
    /// Takes the next piece. On a pool thread.
    fn piece(self: Box<Self>, bytes: Bytes) -> IntakeStep;

    /// The body is complete. On a pool thread.
    fn end(self: Box<Self>) -> Outcome;
}

/// What came of a piece.
pub enum IntakeStep {
    /// The next one, please.
    More(Box<dyn Intake>),
    /// It is being worked on; nobody waits on a thread.
    Later(Later),
    /// What else comes does not matter: this is the outcome.
    Ended(Outcome),
}

/// What is made of what was said.
type AfterIntake = Box<dyn FnOnce(IntakeStep) -> IntakeStep + Send>;

/// What another thread will say of a piece.
pub struct Later {
    said: oneshot::Receiver<IntakeStep>,
    then: Option<AfterIntake>,
}

/// Says what came of a piece; dropping it says nothing, and the request fails.
pub struct Sayer(oneshot::Sender<IntakeStep>);

/// A wait for what another thread says, and who says it.
pub fn later() -> (Sayer, Later) {
    let (sayer, later) = oneshot::channel();
    (Sayer(sayer), Later { said: later, then: None })
}

impl Sayer {
    /// Says it, from any thread.
    pub fn say(self, taken: IntakeStep) {
        // Where the client has gone, the intake is dropped here.
        let _ = self.0.send(taken);
    }
}

impl Later {
    /// The same, with `then` made of what is said. It runs on the runtime's thread: it wraps, and does no work.
    #[must_use]
    pub fn then(self, then: impl FnOnce(IntakeStep) -> IntakeStep + Send + 'static) -> Self {
        let before = self.then;
        let both = move |taken| match before {
            Some(before) => then(before(taken)),
            None => then(taken),
        };
        Self { said: self.said, then: Some(Box::new(both)) }
    }

    /// What was said; `None` if nobody will. Runtime thread only.
    pub(crate) async fn said(self) -> Option<IntakeStep> {
        let taken = self.said.await.ok()?;
        Some(match self.then {
            Some(then) => then(taken),
            None => taken,
        })
    }
}
