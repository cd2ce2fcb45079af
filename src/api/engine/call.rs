//! A call: an admitted caller with a checked input, and the transaction it ends in.

use std::sync::Arc;

use rusqlite::Connection;

use super::app::App;
use super::idempotency::{self, Claim, Reservation, Slot};
use crate::access::{Action, Caller, Watch};
use crate::rest::error::ApiError;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::rest::stream;
use crate::store::{self, Store, audit};
use crate::time::Micros;

/// What a handler ends in.
pub enum Step {
    /// The reply.
    Reply(Reply),
    /// The reply comes from elsewhere, later.
    Later(Outcome),
}

impl From<Reply> for Step {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

/// A handler's result.
pub type Handled = Result<Step, ApiError>;

/// An admitted request.
pub struct Call {
    /// Who calls.
    pub caller: Caller,
    /// What was sent.
    pub input: Input,
    /// What the route needs, as the audit names it.
    pub action: Action,
    pub(crate) reservation: Slot,
    pub(crate) watch: Arc<Watch>,
}

/// A call inside its transaction, on the writer's thread.
pub struct Tx<'a> {
    /// The writing connection.
    pub conn: &'a Connection,
    /// Who calls.
    pub caller: &'a Caller,
    /// What was sent.
    pub input: &'a Input,
    /// The one time of everything this transaction writes.
    pub now: Micros,
    /// What the route needs, as the audit names it.
    pub action: Action,
}

impl Tx<'_> {
    /// Records the effect in the audit chain.
    ///
    /// # Errors
    /// The store's.
    pub fn audit(&self, resource: String) -> store::Result<()> {
        let entry = audit::Entry {
            at: self.now,
            actor: self.caller.actor(),
            action: self.action.slug().to_owned(),
            resource,
            outcome: audit::Outcome::Ok,
            count: 1,
            request_id: self.caller.request_id().to_owned(),
        };
        audit::append(self.conn, &entry)
    }
}

/// What a transaction ends in.
pub enum Written {
    /// The reply, to be sent once it is on disk.
    Reply(Reply),
    /// The reply as a repeat would get it now, and what is to be done once it is on disk.
    Then(Reply, After),
}

/// What is done after the commit. Runs on the writer's thread: it must be quick and must not write there. It is given
/// the committed reply and, with an `Idempotency-Key`, the means to store a later one.
pub type After = Box<dyn FnOnce(Reply, Option<Claim>) -> Outcome + Send>;

impl From<Reply> for Written {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl Call {
    /// The call of a caller that the access layer let pass.
    pub fn of(app: &App, caller: Caller, input: Input, action: Action) -> Self {
        let watch = Arc::new(app.gate.watch(&caller, action, &input.head));
        Self { caller, input, action, reservation: Slot::default(), watch }
    }

    /// Ends the call in one transaction: `work` runs on the writer's thread, and its reply is sent once it is on disk.
    /// No pool thread waits. With an `Idempotency-Key` the reply is stored in the same transaction.
    ///
    /// # Errors
    /// None now; the work's own error becomes the reply.
    pub fn write<W: Into<Written>>(
        self,
        app: &App,
        work: impl FnOnce(&Tx<'_>) -> Result<W, ApiError> + Send + 'static,
    ) -> Handled {
        self.write_to(&app.store, work)
    }

    /// The same on any thread, with nothing but the store.
    ///
    /// # Errors
    /// None now; the work's own error becomes the reply.
    pub fn write_to<W: Into<Written>>(
        self,
        store: &Store,
        work: impl FnOnce(&Tx<'_>) -> Result<W, ApiError> + Send + 'static,
    ) -> Handled {
        let Self { caller, input, action, reservation, watch } = self;
        let (keeper, promise) = stream::promise();
        let reservation = reservation.take();
        let claim = reservation.as_ref().map(Reservation::claim);
        let later = claim.clone();
        let (dialect, request_id) = (input.dialect, Arc::<str>::from(caller.request_id()));
        let run = move |conn: &Connection| {
            let tx = Tx { conn, caller: &caller, input: &input, now: Micros::now(), action };
            let Some(claim) = claim else { return work(&tx).map(Into::into) };
            let written = match store::savepoint(conn, |_| work(&tx)) {
                Ok(written) => written.into(),
                Err(error) if idempotency::is_kept(&error) => Written::Reply(error.reply(dialect)),
                Err(error) => return Err(error),
            };
            let (Written::Reply(reply) | Written::Then(reply, _)) = &written;
            claim.complete(conn, reply)?;
            Ok(written)
        };
        store.submit(run, move |result: Result<Written, ApiError>| {
            if let Some(reservation) = reservation {
                reservation.settle(result.is_ok());
            }
            keeper.keep(match result {
                Ok(Written::Reply(reply)) => Outcome::Done(reply),
                Ok(Written::Then(reply, after)) => after(reply, later),
                Err(error) => {
                    watch.saw(&error);
                    Outcome::Done(super::dispatch::render(&error, dialect, &request_id))
                }
            });
        });
        Ok(Step::Later(Outcome::Pending(promise)))
    }
}
