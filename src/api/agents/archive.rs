//! Archiving agents, for all dialects.

use std::sync::Arc;

use serde_json::{Value, json};

use super::frozen;
use crate::api::engine::app::App;
use crate::api::engine::call::{Call, Tx, Written};
use crate::api::engine::slow::{Slow, refuse_busy};
use crate::jobs::operations::archive::{RECORD_FIRST, end_record};
use crate::jobs::operations::progress;
use crate::jobs::operations::{Jobs, Runtimes};
use crate::rest::error::ApiError;
use crate::rest::reply::Reply;
use crate::rest::service::Outcome;
use crate::store;
use crate::store::agents::Agent;
use crate::store::operations::{self as rows, Operation, OperationKind};

/// The archiving of a live agent, with what its transaction needs.
pub struct ArchiveEnding {
    runtimes: Runtimes,
    slow: Slow,
}

impl ArchiveEnding {
    /// Collects what the transaction needs.
    pub fn new(app: &App, call: &Call) -> Self {
        Self { runtimes: app.jobs.runtimes(), slow: Slow::new(app, &call.input) }
    }

    /// Archives the agent, ends every credential and grant that it has, and replies `done`. If the agent has a
    /// container, it promises an operation that does this.
    ///
    /// # Errors
    /// `forbidden` if an admin froze the agent, `agent_busy`, no runtime for its container, or a `StoreError`.
    pub fn run(self, tx: &Tx<'_>, agent: &Agent, done: &Value) -> Result<Written, ApiError> {
        frozen::may_end(tx.caller, agent.frozen_by_admin)?;
        if agent.container_name.is_some() {
            self.runtimes.of(agent)?;
            return self.slow.promise(tx, OperationKind::Archive, agent, &json!({}));
        }
        refuse_busy(tx.conn, &agent.id)?;
        end(tx, agent)?;
        Ok(Reply::ok(done).into())
    }
}

/// Archives the record of a live agent, ends every credential and grant that it has, and writes the audit row.
///
/// # Errors
/// Any `StoreError`.
fn end(tx: &Tx<'_>, agent: &Agent) -> Result<(), ApiError> {
    end_record(tx.conn, &agent.id, tx.now)?;
    Ok(tx.audit(format!("agent:{}", agent.id))?)
}

/// Archives a live agent at once. If it has a container, an operation stops and archives that; the reply does not wait
/// for it.
///
/// # Errors
/// `forbidden` if an admin froze the agent, `agent_busy`, or a `StoreError`.
pub fn retire(jobs: Arc<Jobs>, tx: &Tx<'_>, agent: &Agent, reply: Reply) -> Result<Written, ApiError> {
    frozen::may_end(tx.caller, agent.frozen_by_admin)?;
    refuse_busy(tx.conn, &agent.id)?;
    end(tx, agent)?;
    if agent.container_name.is_none() {
        return Ok(reply.into());
    }
    let mut op =
        Operation::new(store::new_id(), OperationKind::Archive, tx.caller.maker(), tx.caller.request_id(), tx.now);
    op.agent_id = Some(agent.id.clone());
    op.agent_name = Some(agent.slug.clone());
    RECORD_FIRST.clone_into(&mut op.payload);
    rows::insert(tx.conn, &op)?;
    let after = move |reply, _| {
        jobs.sockets.close(op.agent_id.as_deref().unwrap_or_default());
        progress::take_up(&jobs, &op);
        Outcome::Done(reply)
    };
    Ok(Written::Then(reply, Box::new(after)))
}
