//! Slow work: a route starts an operation in one transaction. It replies at once, or waits for the end without holding
//! a thread (taOS contract, section 1).

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::header::{HeaderName, LOCATION};
use hyper::http::StatusCode;
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::app::App;
use super::call::{After, Tx, Written};
use super::dispatch::render;
use super::idempotency::Claim;
use crate::jobs::operations::Jobs;
use crate::jobs::operations::deploy::Env;
use crate::jobs::operations::progress;
use crate::rest::codes::{self, Code};
use crate::rest::error::{ApiError, Dialect};
use crate::rest::field::Field;
use crate::rest::input::Input;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::store::operations::{self as rows, Operation, OperationKind, OperationStatus};
use crate::store::{self, agents::Agent};

/// The query parameter for how long to wait for the end.
pub const WAIT: Field =
    Field::integer("wait", 0, 60, "Seconds to wait for the operation before the reply is 202; 0 if absent.");

/// The rows that an operation on one agent writes after the reply: its steps, its end, a credential, the audit.
pub const ROWS: u64 = 8;

/// Everything that a route's transaction needs to start an operation.
#[derive(Clone)]
pub struct Slow {
    jobs: Arc<Jobs>,
    wait: Duration,
    arrived: Instant,
    request_id: String,
    dialect: Dialect,
    env: Env,
}

impl Slow {
    /// Prepares slow work for the request of this input.
    pub fn new(app: &App, input: &Input) -> Self {
        let wait = input.query.integer(&WAIT).and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
        Self {
            jobs: Arc::clone(&app.jobs),
            wait: Duration::from_secs(wait),
            arrived: input.head.arrived,
            request_id: input.head.request_id.clone(),
            dialect: input.dialect,
            env: Env::new(),
        }
    }

    /// Inserts an operation on an agent and returns the reply that promises it.
    ///
    /// # Errors
    /// `agent_busy`, or a `StoreError`.
    pub fn promise(
        self,
        tx: &Tx<'_>,
        kind: OperationKind,
        agent: &Agent,
        payload: &Value,
    ) -> Result<Written, ApiError> {
        refuse_busy(tx.conn, &agent.id)?;
        let mut op = Operation::new(store::new_id(), kind, tx.caller.maker(), tx.caller.request_id(), tx.now);
        op.agent_id = Some(agent.id.clone());
        op.agent_name = Some(agent.slug.clone());
        op.payload = payload.to_string();
        rows::insert(tx.conn, &op)?;
        tx.charge(ROWS);
        Ok(self.follow(op, Vec::new(), pending))
    }

    /// Adds the environment that a deployment needs; it is kept only in memory.
    pub fn keeping(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// Starts `op` and its `parts` after the commit. The reply is `promised` if the operation does not end in time.
    pub fn follow(mut self, op: Operation, parts: Vec<Operation>, promised: fn(&Operation) -> Reply) -> Written {
        let reply = promised(&op);
        let after: After = Box::new(move |reply, claim| {
            progress::take_up_with(&self.jobs, &op, std::mem::take(&mut self.env));
            for part in &parts {
                progress::take_up(&self.jobs, part);
            }
            if self.wait.is_zero() { Outcome::Done(reply) } else { self.until_ended(op.id, reply, claim) }
        });
        Written::Then(reply, after)
    }

    /// Waits for the end of an operation; after the waiting time, replies with `promised`.
    fn until_ended(self, id: String, promised: Reply, claim: Option<Claim>) -> Outcome {
        // The wait begins before the read, so that no change in between is missed.
        let wait = self.jobs.changed.wait();
        let until = self.arrived + self.wait;
        Outcome::Again(Box::new(move || match self.jobs.store.lookup(|conn| rows::by_id(conn, &id)) {
            Ok(Some(op)) if op.is_finished() => {
                let reply = ended(&op).unwrap_or_else(|error| render(&error, self.dialect, &self.request_id));
                if let Some(claim) = claim {
                    // A deployment that failed but left an agent's record must not run again: it would create a second
                    // record.
                    let kept = op.kind == OperationKind::Deploy && op.agent_id.is_some();
                    claim.replace(&self.jobs.store, &reply, kept);
                }
                Outcome::Done(reply)
            }
            Ok(_) if Instant::now() >= until => Outcome::Done(promised),
            Ok(_) => {
                let again = Box::new(move || self.until_ended(id, promised, claim));
                Outcome::Later { wait, until, again }
            }
            Err(error) => Outcome::Done(render(&error.into(), self.dialect, &self.request_id)),
        }))
    }
}

/// Refuses a second operation on an agent while one is open.
///
/// # Errors
/// `agent_busy` with the open operation's id, or a `StoreError`.
pub fn refuse_busy(conn: &Connection, agent_id: &str) -> Result<(), ApiError> {
    match rows::open_of_agent(conn, agent_id)? {
        None => Ok(()),
        Some(open) => Err(ApiError::new(codes::AGENT_BUSY).with("operation_id", open)),
    }
}

/// Returns the 202 reply that promises an operation.
pub fn pending(op: &Operation) -> Reply {
    let mut body = json!({"status": "pending", "operation_id": op.id});
    if let Some(name) = &op.agent_name {
        body["name"] = json!(name);
    }
    promise(op, &body)
}

/// Returns a 202 reply whose `Location` is the operation.
pub fn promise(op: &Operation, body: &Value) -> Reply {
    Reply::json(StatusCode::ACCEPTED, body).with(LOCATION, &format!("/api/operations/{}", op.id))
}

/// Returns the route's reply for an operation that has ended.
///
/// # Errors
/// The error of an operation that did not succeed.
pub fn ended(op: &Operation) -> Result<Reply, ApiError> {
    let value = |text: &Option<String>| -> Value {
        text.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    if op.status == OperationStatus::Succeeded {
        let operation = HeaderName::from_static("x-operation-id");
        return Ok(Reply::ok(&value(&op.result)).with(operation, &op.id));
    }
    let envelope = value(&op.error);
    let code: &'static Code = envelope["error"].as_str().and_then(codes::by_slug).unwrap_or(codes::INTERNAL);
    let detail = envelope["detail"].as_str().unwrap_or(code.about);
    let own = ["error", "detail", "fix", "doc_url"];
    let told = envelope.as_object().cloned().unwrap_or_default();
    let mut extra: Map<String, Value> = told.into_iter().filter(|(name, _)| !own.contains(&name.as_str())).collect();
    extra.insert("operation_id".to_owned(), json!(op.id));
    Err(ApiError { extra, ..ApiError::new(code).detail(detail) })
}
