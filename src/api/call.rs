//! A call: an admitted caller with a checked input, and the transaction it ends in.

use std::sync::Arc;

use rusqlite::Connection;

use super::app::App;
use super::idempotency::{self, Reservation, Slot};
use crate::access::{Action, Caller, Watch};
use crate::http::error::ApiError;
use crate::http::input::Input;
use crate::http::reply::Reply;
use crate::http::service::Outcome;
use crate::http::stream;
use crate::store::{self, audit};
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
    pub(super) reservation: Slot,
    pub(super) watch: Arc<Watch>,
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
    action: Action,
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

impl Call {
    /// Ends the call in one transaction: `work` runs on the writer's thread, and its reply is sent once it is on disk.
    /// No pool thread waits. With an `Idempotency-Key` the reply is stored in the same transaction.
    ///
    /// # Errors
    /// None now; the work's own error becomes the reply.
    pub fn write(self, app: &App, work: impl FnOnce(&Tx<'_>) -> Result<Reply, ApiError> + Send + 'static) -> Handled {
        let Self { caller, input, action, reservation, watch } = self;
        let (keeper, promise) = stream::promise();
        let reservation = reservation.take();
        let claim = reservation.as_ref().map(Reservation::claim);
        let (dialect, request_id) = (input.dialect, Arc::<str>::from(caller.request_id()));
        let run = move |conn: &Connection| {
            let tx = Tx { conn, caller: &caller, input: &input, now: Micros::now(), action };
            let Some(claim) = claim else { return work(&tx) };
            let reply = match store::savepoint(conn, |_| work(&tx)) {
                Ok(reply) => reply,
                Err(error) if idempotency::is_kept(&error) => error.reply(dialect),
                Err(error) => return Err(error),
            };
            claim.complete(conn, &reply)?;
            Ok(reply)
        };
        app.store.submit(run, move |result: Result<Reply, ApiError>| {
            if let Some(reservation) = reservation {
                reservation.settle(result.is_ok());
            }
            let reply = result.unwrap_or_else(|error| {
                watch.saw(&error);
                super::dispatch::render(&error, dialect, &request_id)
            });
            keeper.keep(Outcome::Done(reply));
        });
        Ok(Step::Later(Outcome::Pending(promise)))
    }
}
