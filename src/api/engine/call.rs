//! A call: an admitted caller with a checked input, and the transaction it ends in.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;

use super::api_route::ApiRoute;
use super::app::App;
use super::growth::{self, Growth};
use super::idempotency::{self, Claim, Reservation, Slot};
use crate::access::{self, Action, Amount, CallWatch, Caller};
use crate::rest::error::ApiError;
use crate::rest::input::Input;
use crate::rest::intake::Intake;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::rest::stream;
use crate::store::idempotency::RequestKey;
use crate::store::{self, Store, agents, audit};
use crate::time::Micros;

/// What a handler ends in.
pub enum Step {
    /// The reply.
    Reply(Reply),
    /// The reply comes from elsewhere, later.
    Later(Outcome),
    /// The body is taken piece by piece: of a route of [`crate::rest::route::BodyKind::Multipart`].
    Intake(Box<dyn Intake>),
    /// Another route is called first.
    Nested(Box<Nested>),
}

/// A call of another route within a request: the same handler with the same checks, idempotency and audit.
pub struct Nested {
    /// The route.
    pub route: &'static ApiRoute,
    /// Who calls; the route's access check has passed.
    pub caller: Caller,
    /// What is sent to it.
    pub input: Input,
    /// The key of the request, and the hash of what it must not differ in.
    pub key: Option<(RequestKey, [u8; 32])>,
    /// What its reply becomes.
    pub then: AfterReply,
}

/// What the reply of a nested call becomes.
pub type AfterReply = Box<dyn FnOnce(Reply) -> Handled + Send>;

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
    /// What it adds to what is kept.
    pub(crate) growth: Growth,
    pub(crate) reservation: Slot,
    pub(crate) watch: Arc<CallWatch>,
}

/// A fact that may be one of many alike: what it is counted by, its entry, and whether it has a row of its own.
type Fact = (String, audit::AuditEntry, bool);

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
    watch: &'a CallWatch,
    facts: RefCell<Vec<Fact>>,
    to_come: Cell<u64>,
}

impl Tx<'_> {
    /// Charges rows that what follows the commit will write.
    pub fn charge(&self, rows: u64) {
        self.to_come.set(self.to_come.get().saturating_add(rows));
    }

    /// Records the effect in the audit chain. What the same principal does again within a minute is counted in one
    /// more row, where the action is one of those that are repeated (`growth`).
    ///
    /// # Errors
    /// The store's.
    pub fn audit(&self, resource: String) -> store::Result<()> {
        let entry =
            audit::AuditEntry::new(self.caller.audited(), self.action.slug(), resource, self.caller.request_id())
                .at(self.now);
        let Some(kind) = growth::repeated_by(self.action, &entry.resource) else {
            return audit::append(self.conn, &entry);
        };
        let key = format!("{} {kind}", self.caller.account());
        let own = !self.watch.is_repeat(&key, &entry);
        if own {
            audit::append(self.conn, &entry)?;
        }
        self.facts.borrow_mut().push((key, entry, own));
        Ok(())
    }
}

impl Tx<'_> {
    /// Records an effect that has a name of its own in the audit, whatever the route.
    ///
    /// # Errors
    /// The store's.
    pub fn audit_as(&self, action: &'static str, resource: String) -> store::Result<()> {
        let entry = audit::AuditEntry::new(self.caller.audited(), action, resource, self.caller.request_id());
        audit::append(self.conn, &entry.at(self.now))
    }
}

/// What a call does in its transaction.
type TxWork = Box<dyn FnOnce(&Tx<'_>) -> Result<Written, ApiError> + Send>;

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

impl Written {
    fn reply(&self) -> &Reply {
        let (Self::Reply(reply) | Self::Then(reply, _)) = self;
        reply
    }

    /// The same with more to do once it is on disk: `first` is given what else would be done then, and ends with it.
    #[must_use]
    pub fn before(self, first: impl FnOnce(After, Reply, Option<Claim>) -> Outcome + Send + 'static) -> Self {
        let (reply, after): (Reply, After) = match self {
            Self::Reply(reply) => (reply, Box::new(|reply, _| Outcome::Done(reply))),
            Self::Then(reply, after) => (reply, after),
        };
        Self::Then(reply, Box::new(move |reply, claim| first(after, reply, claim)))
    }
}

impl From<Reply> for Written {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl Call {
    /// The call of a caller that the access layer let pass.
    pub fn of(app: &App, caller: Caller, input: Input, action: Action) -> Self {
        let watch = Arc::new(app.gate.watch(&caller, action, &input.head));
        Self { caller, input, action, growth: Growth::Adds, reservation: Slot::default(), watch }
    }

    /// Lets the call pass if its principal may write more; what only takes away always may.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn check_allowance(&self) -> Result<(), ApiError> {
        match self.growth {
            Growth::Adds | Growth::AddsWords => self.watch.allowance().check(&self.caller, Instant::now()),
            Growth::Reads | Growth::Frees => Ok(()),
        }
    }

    /// Charges what a transaction has written that the call does not end in: rows, and bytes beside them.
    pub fn charge(&self, rows: u64, bytes: usize) {
        self.watch.allowance().charge(&self.caller, self.growth.cost(rows, bytes, 0), Instant::now());
    }

    /// Charges the row of an `Idempotency-Key`, written before the work, and a refusal that may be kept in it.
    pub(crate) fn charge_key(&self) {
        self.watch.allowance().charge(&self.caller, Amount::of(2, 0, 1024), Instant::now());
    }

    /// Ends the call in one transaction: `work` runs on the writer's thread, and its reply is sent once it is on disk.
    /// No pool thread waits. With an `Idempotency-Key` the reply is stored in the same transaction. What was written is
    /// charged to the caller's allowance.
    ///
    /// # Errors
    /// `rate_limited` where that is used up; the work's own error becomes the reply.
    #[track_caller]
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
    /// As there.
    #[track_caller]
    pub fn write_to<W: Into<Written>>(
        self,
        store: &Store,
        work: impl FnOnce(&Tx<'_>) -> Result<W, ApiError> + Send + 'static,
    ) -> Handled {
        self.submit(store, Box::new(|tx| work(tx).map(Into::into)))
    }

    /// What each write has in common, compiled once.
    #[track_caller]
    fn submit(self, store: &Store, work: TxWork) -> Handled {
        self.check_allowance()?;
        let Self { caller, input, action, growth, reservation, watch } = self;
        let (fulfiller, promise) = stream::promise();
        let reservation = reservation.take();
        let claim = reservation.as_ref().map(Reservation::claim);
        let later = claim.clone();
        let (dialect, request_id) = (input.dialect, Arc::<str>::from(caller.request_id()));
        let watching = Arc::clone(&watch);
        let run = move |conn: &Connection| {
            let before = conn.total_changes();
            let (facts, to_come) = (RefCell::default(), Cell::default());
            let now = Micros::now();
            let tx = Tx { conn, caller: &caller, input: &input, now, action, watch: &watching, facts, to_come };
            refuse_frozen(&tx)?;
            let written = ended(&tx, claim.as_ref(), work)?;
            let rows = conn.total_changes().saturating_sub(before).saturating_add(tx.to_come.get());
            let kept = claim.map_or(0, |_| written.reply().bytes());
            let facts = tx.facts.into_inner();
            Ok((written, facts, growth.cost(rows, input.body_bytes, kept), caller))
        };
        store.submit_as(action.slug(), run, move |result: Result<(Written, Vec<Fact>, Amount, Caller), ApiError>| {
            if let Some(reservation) = reservation {
                reservation.settle(result.is_ok());
            }
            let result = result.map(|(written, facts, amount, caller)| {
                watch.settle(facts);
                watch.allowance().charge(&caller, amount, Instant::now());
                written
            });
            fulfiller.keep(match result {
                Ok(Written::Reply(reply)) => Outcome::Done(reply),
                Ok(Written::Then(reply, after)) => after(reply, later),
                Err(mut error) => {
                    watch.saw(&mut error);
                    Outcome::Done(super::dispatch::render(&error, dialect, &request_id))
                }
            });
        });
        Ok(Step::Later(Outcome::Pending(promise)))
    }
}

/// A request that was let in before its agent was frozen writes nothing afterwards.
fn refuse_frozen(tx: &Tx<'_>) -> Result<(), ApiError> {
    match tx.caller.agent_id() {
        Some(id) if agents::is_frozen(tx.conn, id)? => Err(access::frozen()),
        _ => Ok(()),
    }
}

/// Runs the work; with a claim its reply, or a refusal that is kept, is stored in the same transaction.
fn ended(tx: &Tx<'_>, claim: Option<&Claim>, work: TxWork) -> Result<Written, ApiError> {
    let Some(claim) = claim else { return work(tx) };
    let written = match store::savepoint(tx.conn, |_| work(tx)) {
        Ok(written) => written,
        Err(error) if idempotency::is_kept(&error) => {
            // What was rolled back did not happen.
            tx.facts.borrow_mut().clear();
            Written::Reply(error.reply(tx.input.dialect))
        }
        Err(error) => return Err(error),
    };
    claim.complete(tx.conn, written.reply())?;
    Ok(written)
}
