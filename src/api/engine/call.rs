//! A call: an admitted caller with a checked input, and the transaction that ends the call.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;

use super::api_route::ApiRoute;
use super::app::App;
use super::growth::{self, Growth};
use super::idempotency::{self, Claim, Reservation, Slot};
use crate::access::{self, Action, Amount, CallWatch, Caller};
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::input::Input;
use crate::rest::intake::Intake;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::rest::stream;
use crate::store::idempotency::RequestKey;
use crate::store::{self, Store, audit};
use crate::time::Micros;

/// The result of a handler that did not refuse.
pub enum Step {
    /// The reply.
    Reply(Reply),
    /// The reply is in this outcome, and may come later.
    Later(Outcome),
    /// The handler takes the body piece by piece; only for a route of [`crate::rest::route::BodyKind::Multipart`].
    Intake(Box<dyn Intake>),
    /// The dispatcher calls another route first.
    Nested(Box<Nested>),
}

/// A call of another route within a request: the same handler with the same checks, idempotency and audit.
pub struct Nested {
    /// The route.
    pub route: &'static ApiRoute,
    /// The caller; the route's access check has passed.
    pub caller: Caller,
    /// The input of the nested call.
    pub input: Input,
    /// The idempotency key, and the hash of the content that a repeat must match.
    pub key: Option<(RequestKey, [u8; 32])>,
    /// Turns the reply of the nested call into the outer call's result.
    pub then: AfterReply,
}

/// Turns the reply of a nested call into the outer call's result.
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
    /// The caller.
    pub caller: Caller,
    /// The request's input.
    pub input: Input,
    /// The action that the route needs; the audit names it.
    pub action: Action,
    /// The effect on the size of the stored data.
    pub(crate) growth: Growth,
    pub(crate) reservation: Slot,
    pub(crate) watch: Arc<CallWatch>,
    /// See [`Call::giving_back`].
    pub(crate) undo: Option<GiveBack>,
    /// See [`Call::begun`].
    pub(crate) begun: bool,
}

/// Work that makes something in memory as it was before the call.
type GiveBack = Box<dyn FnOnce() + Send>;

/// An audit fact that may repeat: its counting key, its entry, and whether it has its own row.
type Fact = (String, audit::AuditEntry, bool);

/// A call inside its transaction, on the writer thread.
pub struct Tx<'a> {
    /// The writing connection.
    pub conn: &'a Connection,
    /// The caller.
    pub caller: &'a Caller,
    /// The request's input.
    pub input: &'a Input,
    /// The time of everything that this transaction writes.
    pub now: Micros,
    /// The action that the route needs; the audit names it.
    pub action: Action,
    watch: &'a CallWatch,
    facts: RefCell<Vec<Fact>>,
    to_come: Cell<u64>,
}

impl Tx<'_> {
    /// Charges rows that will be written after the commit.
    pub fn charge(&self, rows: u64) {
        self.to_come.set(self.to_come.get().saturating_add(rows));
    }

    /// Records the effect in the audit chain. For some actions (see `growth`), repeats by the same principal within a
    /// minute are counted in one more row.
    ///
    /// # Errors
    /// Any `StoreError`.
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
    /// Records an effect in the audit under its own name instead of the route's action.
    ///
    /// # Errors
    /// Any `StoreError`.
    pub fn audit_as(&self, action: &'static str, resource: String) -> store::Result<()> {
        let entry = audit::AuditEntry::new(self.caller.audited(), action, resource, self.caller.request_id());
        audit::append(self.conn, &entry.at(self.now))
    }
}

/// The work of a call in its transaction.
type TxWork = Box<dyn FnOnce(&Tx<'_>) -> Result<Written, ApiError> + Send>;

/// The result of a transaction's work.
pub enum Written {
    /// The reply, which is sent once the transaction is on disk.
    Reply(Reply),
    /// The reply that a repeat would get now, and the work after the commit.
    Then(Reply, After),
}

/// The work after the commit. It runs on the writer thread, so it must be quick and must not write there. It gets the
/// committed reply and, with an `Idempotency-Key`, the claim to store a later reply.
pub type After = Box<dyn FnOnce(Reply, Option<Claim>) -> Outcome + Send>;

impl Written {
    fn reply(&self) -> &Reply {
        let (Self::Reply(reply) | Self::Then(reply, _)) = self;
        reply
    }

    /// Adds work after the commit. `first` gets the work that was planned so far, and calls it at its own end.
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
    /// Creates the call of a caller that passed the access check.
    pub fn of(app: &App, caller: Caller, input: Input, action: Action) -> Self {
        let watch = Arc::new(app.gate.watch(&caller, action, &input.head));
        Self {
            caller,
            input,
            action,
            growth: Growth::Adds,
            reservation: Slot::default(),
            watch,
            undo: None,
            begun: false,
        }
    }

    /// Returns the call as one that used up a secret. `undo` gives the secret back if the write is refused for now, by
    /// 429 or by a failure of the daemon.
    #[must_use]
    pub fn giving_back(self, undo: impl FnOnce() + Send + 'static) -> Self {
        Self { undo: Some(Box::new(undo)), ..self }
    }

    /// Returns the call as one that has committed a part of its work. The rest is done even if the caller's rights have
    /// ended meanwhile, because half of it would help nobody.
    #[must_use]
    pub fn begun(self) -> Self {
        Self { begun: true, ..self }
    }

    /// Checks whether the principal may write more. A call that only frees space always passes.
    ///
    /// # Errors
    /// `rate_limited` if the allowance is used up.
    pub fn check_allowance(&self) -> Result<(), ApiError> {
        match self.growth {
            Growth::Adds | Growth::AddsWords => self.watch.allowance().check(&self.caller, Instant::now()),
            Growth::Reads | Growth::Frees => Ok(()),
        }
    }

    /// Charges the rows and bytes of a transaction that does not end the call.
    pub fn charge(&self, rows: u64, bytes: usize) {
        self.watch.allowance().charge(&self.caller, self.growth.cost(rows, bytes, 0), Instant::now());
    }

    /// Charges the row of an `Idempotency-Key`, which is written before the work, and the refusal that the row may
    /// store.
    pub(crate) fn charge_key(&self) {
        self.watch.allowance().charge(&self.caller, Amount::of(2, 0, 1024), Instant::now());
    }

    /// Ends the call in one transaction: `work` runs on the writer thread, and its reply is sent once it is on disk. No
    /// pool thread waits. With an `Idempotency-Key` the reply is stored in the same transaction. The written rows and
    /// bytes are charged to the caller's allowance.
    ///
    /// # Errors
    /// `rate_limited` if the allowance is used up. An error of `work` becomes the reply.
    #[track_caller]
    pub fn write<W: Into<Written>>(
        self,
        app: &App,
        work: impl FnOnce(&Tx<'_>) -> Result<W, ApiError> + Send + 'static,
    ) -> Handled {
        self.write_to(&app.store, work)
    }

    /// Does the same as [`Call::write`], but needs only the store and may run on any thread.
    ///
    /// # Errors
    /// See [`Call::write`].
    #[track_caller]
    pub fn write_to<W: Into<Written>>(
        self,
        store: &Store,
        work: impl FnOnce(&Tx<'_>) -> Result<W, ApiError> + Send + 'static,
    ) -> Handled {
        self.submit(store, Box::new(|tx| work(tx).map(Into::into)))
    }

    /// The part that all writes share. It is not generic, so it is compiled once.
    #[track_caller]
    fn submit(self, store: &Store, work: TxWork) -> Handled {
        let allowed = self.check_allowance();
        let Self { caller, input, action, growth, reservation, watch, undo, begun } = self;
        if let Err(refusal) = allowed {
            give_back(undo, &refusal);
            return Err(refusal);
        }
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
            let caller = if begun { caller } else { as_it_is_now(conn, &caller, action, input.dialect)? };
            let tx = Tx { conn, caller: &caller, input: &input, now, action, watch: &watching, facts, to_come };
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
                    give_back(undo, &error);
                    Outcome::Done(super::dispatch::render(&error, dialect, &request_id))
                }
            });
        });
        Ok(Step::Later(Outcome::Pending(promise)))
    }
}

/// Calls `undo` if the refusal does not judge the request: the caller may try again.
fn give_back(undo: Option<GiveBack>, refusal: &ApiError) {
    if refusal.code == codes::RATE_LIMITED || refusal.status().is_server_error() {
        undo.into_iter().for_each(|undo| undo());
    }
}

/// Returns the caller with its present rights: since the admission, its body may have come slowly. A caller that has lost
/// any right is refused, because the handler may have decided something with it.
fn as_it_is_now(conn: &Connection, caller: &Caller, action: Action, dialect: Dialect) -> Result<Caller, ApiError> {
    let now = access::require_still_good(conn, caller, action, dialect).map_err(|refusal| match action {
        // The token endpoint answers in the codes of OAuth.
        Action::OauthToken if refusal.status() == 401 => ApiError::new(codes::INVALID_GRANT).detail(refusal.detail),
        _ => refusal,
    })?;
    access::require_no_less(caller, &now, dialect)?;
    Ok(now)
}

/// Runs the work. With a claim, its reply or a refusal that repeats get again is stored in the same transaction.
fn ended(tx: &Tx<'_>, claim: Option<&Claim>, work: TxWork) -> Result<Written, ApiError> {
    let Some(claim) = claim else { return work(tx) };
    let written = match store::savepoint(tx.conn, |_| work(tx)) {
        Ok(written) => written,
        Err(error) if idempotency::is_kept(&error) => {
            // The savepoint was rolled back, so its facts did not happen.
            tx.facts.borrow_mut().clear();
            Written::Reply(error.reply(tx.input.dialect))
        }
        Err(error) => return Err(error),
    };
    claim.complete(tx.conn, written.reply())?;
    Ok(written)
}
