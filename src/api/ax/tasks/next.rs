//! The next task: claims it in one transaction, or waits for one without holding a thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;

use super::create::{bad, priority, status};
use super::fields::{FILTER_FIELD, WAIT};
use super::lease::{given, seconds};
use super::show::{TaskNews, actor, shown, topic};
use crate::access::{Action, Gate, SpaceRole, require_space, require_still_good, resolve_space};
use crate::api::ax::context::SPACE;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Handled, Step};
use crate::api::engine::dispatch::render;
use crate::api::engine::idempotency::Reservation;
use crate::jobs::events::listening::Ear;
use crate::jobs::events::streams::Streams;
use crate::rest::codes;
use crate::rest::error::{ApiError, Dialect};
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::rest::stream;
use crate::store::tasks::{self, NOT_STARTED, Priority, Task, is_final};
use crate::store::{self, Store};
use crate::time::Micros;

/// How often a search reads again without a wake: the task of an archived agent becomes free without one.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The task that the caller wants.
#[derive(Debug, Clone)]
struct TaskFilter {
    space_id: String,
    status: String,
    least: Priority,
    /// The caller's id: tasks assigned to it are offered beside those that are for anybody.
    assignee: String,
}

impl TaskFilter {
    fn best(&self, conn: &Connection) -> store::Result<Option<Task>> {
        let best = tasks::next_free(conn, &self.space_id, &self.status, &self.assignee)?;
        Ok(best.filter(|task| task.priority <= self.least.rank()))
    }
}

pub(super) fn next(app: &App, call: Call) -> Handled {
    call.check_allowance()?;
    let body = &call.input.body;
    let filter = body.object(&FILTER_FIELD).unwrap_or_default();
    let status = status(&filter)?.unwrap_or(NOT_STARTED).to_owned();
    if is_final(&status) || status == tasks::BLOCKED {
        return Err(bad("filter.status", "must be one under which tasks are offered"));
    }
    let named = body.text(&SPACE);
    let space_id = app.store.read(|conn| resolve_space(conn, &call.caller, named, SpaceRole::Editor))?;
    let wait = body.integer(&WAIT).and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
    let ear = (wait > 0).then(|| app.streams.listening.start(&call.caller.principal_key(), &topic(&space_id)));
    let search = Search {
        store: Arc::clone(&app.store),
        gate: Arc::clone(&app.gate),
        streams: Arc::clone(&app.streams),
        teller: TaskNews::new(app),
        wanted: TaskFilter {
            space_id,
            status,
            least: priority(&filter).unwrap_or(Priority::Low),
            assignee: call.caller.grantee().id().to_owned(),
        },
        until: Instant::now() + Duration::from_secs(wait),
        reservation: call.reservation.take(),
        _ear: ear,
        call,
    };
    Ok(Step::Later(search.look()))
}

/// A search for a task until its waiting time is over.
struct Search {
    store: Arc<Store>,
    gate: Arc<Gate>,
    streams: Arc<Streams>,
    teller: TaskNews,
    wanted: TaskFilter,
    until: Instant,
    reservation: Option<Reservation>,
    call: Call,
    _ear: Option<Ear>,
}

impl Search {
    /// Claims a task if there is one, replies without one if the time is up, and waits otherwise.
    fn look(self) -> Outcome {
        // The wait begins before the read, so that no commit in between is missed.
        let wait = self.streams.wait(&topic(&self.wanted.space_id));
        match self.store.lookup(|conn| self.wanted.best(conn)) {
            Err(error) => self.refuse(&error.into()),
            Ok(Some(_)) => self.claim(),
            Ok(None) if Instant::now() >= self.until || self.streams.is_closing() => self.nothing(),
            Ok(None) => {
                let until = self.until.min(Instant::now() + LOOK_AGAIN);
                Outcome::Later { wait, until, again: Box::new(move || self.again()) }
            }
        }
    }

    /// Searches again, if the caller would still be admitted.
    fn again(mut self) -> Outcome {
        if !self.gate.renew(&mut self.call.caller, &[Action::TasksUpdate]) {
            return self.refuse(&codes::INVALID_TOKEN.into());
        }
        self.look()
    }

    fn refuse(self, error: &ApiError) -> Outcome {
        let mut error = error.clone();
        self.call.watch.saw(&mut error);
        Outcome::Done(render(&error, self.call.input.dialect, self.call.caller.request_id()))
    }

    fn nothing(self) -> Outcome {
        let reply = Reply::ok(&json!({"task": null}));
        if let Some(reservation) = self.reservation {
            reservation.store(&reply);
        }
        Outcome::Done(reply)
    }

    /// Claims the best task at that time. If another caller has taken the one that was found, the search continues.
    fn claim(mut self) -> Outcome {
        let (fulfiller, promise) = stream::promise();
        let (wanted, caller, seconds) = (self.wanted.clone(), self.call.caller.clone(), seconds(&self.call.input.body));
        let reserved = self.reservation.as_ref().map(Reservation::claim);
        let store = Arc::clone(&self.store);
        let work = move |conn: &Connection| -> Result<_, ApiError> {
            let before = conn.total_changes();
            // The credential or the membership may have ended during the wait.
            let caller = require_still_good(conn, &caller, Action::TasksUpdate, Dialect::Ax)?;
            require_space(conn, &caller, &wanted.space_id, SpaceRole::Editor)?;
            let Some(free) = wanted.best(conn)? else { return Ok(None) };
            let Some(task) = tasks::claim(conn, &free, &actor(&caller), seconds, Micros::now())? else {
                return Ok(None);
            };
            let view = shown(conn, &task)?;
            let reply = Reply::ok(&given(&task, &view));
            if let Some(reserved) = reserved {
                reserved.complete(conn, &reply)?;
            }
            Ok(Some((task, view, reply, conn.total_changes() - before)))
        };
        store.submit(work, move |result| {
            fulfiller.keep(match result {
                Ok(Some((task, view, reply, rows))) => {
                    self.call.charge(rows, self.call.input.body_bytes);
                    if let Some(reservation) = self.reservation.take() {
                        reservation.settle(true);
                    }
                    self.teller.lease(&task);
                    self.teller.tell("claimed", &task, &view);
                    Outcome::Done(reply)
                }
                Ok(None) => Outcome::Again(Box::new(move || self.look())),
                Err(error) => self.refuse(&error),
            });
        });
        Outcome::Pending(promise)
    }
}
