//! Waiting for a request: the reply comes when the request is no longer pending, or when the time is up. The wait holds
//! no thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::header::LOCATION;
use hyper::http::StatusCode;

use crate::access::{Action, Caller, Gate};
use crate::api::engine::app::App;
use crate::api::engine::call::Call;
use crate::api::engine::dispatch::render;
use crate::api::engine::joins::Joins;
use crate::api::requests::{self, show};
use crate::api::taos::joins::decide as join;
use crate::jobs::events::streams::Streams;
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::rest::error::Dialect::Taos;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::store::Store;
use crate::store::requests::RequestState;
use crate::time::Micros;

/// A caller who waits for a request, and until when.
pub struct Awaited {
    store: Arc<Store>,
    joins: Arc<Joins>,
    gate: Arc<Gate>,
    streams: Arc<Streams>,
    caller: Caller,
    until: Instant,
    /// The action that the caller must still be allowed.
    action: Action,
    status: StatusCode,
}

impl Awaited {
    /// Returns a wait of `seconds` from the arrival of the call, which `action` admitted.
    pub fn of(app: &App, call: &Call, action: Action, seconds: Option<i64>) -> Self {
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
        Self {
            store: Arc::clone(&app.store),
            joins: Arc::clone(&app.joins),
            gate: Arc::clone(&app.gate),
            streams: Arc::clone(&app.streams),
            caller: call.caller.clone(),
            until: call.input.head.arrived + Duration::from_secs(seconds),
            action,
            status: StatusCode::OK,
        }
    }

    /// Sets the status to 201, for a call that has made the request.
    #[must_use]
    pub fn made(self) -> Self {
        Self { status: StatusCode::CREATED, ..self }
    }

    /// Returns true if no time to wait is left.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Replies if the request is not pending or the time is up; otherwise waits.
    ///
    /// # Errors
    /// `request_not_found`, or a `StoreError`.
    pub fn look(self, id: &str) -> Result<Outcome, ApiError> {
        let caller = &self.caller;
        let topic = self.store.lookup(|conn| match join::find(conn, &self.joins, caller, id)? {
            Some(join) => Ok(join.id().to_owned()),
            None => requests::find(conn, caller, id, Micros::now()).map(|request| request.agent_id),
        })?;
        // The wait begins before the read that counts, so that no commit in between is missed.
        let wait = self.streams.wait(&requests::topic_of(&topic));
        let now = Micros::now();
        let (state, value) = self.store.read(|conn| {
            if let Some(join) = join::find(conn, &self.joins, caller, id)? {
                return Ok((join.state(), join.show(conn, now)?));
            }
            let request = requests::find(conn, caller, id, now)?;
            Ok::<_, ApiError>((request.state_at(now), show(conn, &request, caller, now)?))
        })?;
        if state != RequestState::Pending || self.is_over() || self.streams.is_closing() {
            let reply = Reply::json(self.status, &value);
            return Ok(Outcome::Done(match self.status {
                StatusCode::CREATED => reply.with(LOCATION, &format!("/api/requests/{id}")),
                _ => reply,
            }));
        }
        let (until, id) = (self.until, id.to_owned());
        Ok(Outcome::Later { wait, until, again: Box::new(move || self.again(&id)) })
    }

    /// Looks again, if the caller would still be admitted.
    pub fn again(mut self, id: &str) -> Outcome {
        let request_id = self.caller.request_id().to_owned();
        let is_good = self.gate.renew(&mut self.caller, &[self.action]);
        let looked = if is_good { self.look(id) } else { Err(codes::INVALID_TOKEN.into()) };
        looked.unwrap_or_else(|error| Outcome::Done(render(&error, Taos, &request_id)))
    }
}
