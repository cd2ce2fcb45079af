//! The freezes and thaws of containers that are queued, and the operations that wait for them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

use super::error::OperationError;
use crate::store::operations::Operation;
use crate::threads::lock;

/// The most operations that wait for one queued settle of an agent.
const WAITING: usize = 32;

/// The results of an operation so far.
pub struct FreezeTally {
    op: Operation,
    answer: Value,
    left: AtomicUsize,
    results: Mutex<Map<String, Value>>,
}

impl FreezeTally {
    /// The results of an operation on this many agents, which are added to `answer` at the end.
    pub fn new(op: &Operation, answer: Value, agents: usize) -> Arc<Self> {
        Arc::new(Self { op: op.clone(), answer, left: AtomicUsize::new(agents), results: Mutex::default() })
    }

    /// The operation's result.
    pub fn result(&self) -> Value {
        let mut answer = self.answer.clone();
        answer["containers"] = Value::Object(std::mem::take(&mut *lock(&self.results)));
        answer
    }
}

/// One agent of an operation.
pub struct FreezePart {
    /// The results of the whole operation.
    pub tally: Arc<FreezeTally>,
    /// The agent's slug.
    pub slug: String,
}

impl FreezePart {
    /// Adds the agent's result. Returns the operation and its result if this was the last agent.
    pub fn ended(self, result: &Result<(), OperationError>) -> Option<(Operation, Value)> {
        let told = match result {
            Ok(()) => json!({"success": true}),
            Err(error) => json!({"success": false, "error": error.slug()}),
        };
        lock(&self.tally.results).insert(self.slug, told);
        let is_last = self.tally.left.fetch_sub(1, Ordering::AcqRel) == 1;
        is_last.then(|| (self.tally.op.clone(), self.tally.result()))
    }
}

/// The agents whose settle is queued and has not begun, with the operations that wait for it. It does what the row says
/// when it begins, so one serves all of them: an owner who freezes and thaws again and again takes one place in the
/// queue that all owners share.
#[derive(Default)]
pub struct QueuedSettles(Mutex<HashMap<String, Vec<FreezePart>>>);

/// What became of a settle that somebody wants.
pub enum SettleWanted {
    /// It must be queued.
    New,
    /// One is queued already.
    Queued,
    /// One is queued already, and too many operations wait for it.
    TooMany(FreezePart),
}

impl QueuedSettles {
    /// Asks for a settle of an agent. `part` waits for it.
    pub fn want(&self, agent_id: &str, part: Option<FreezePart>) -> SettleWanted {
        let mut queued = lock(&self.0);
        let Some(parts) = queued.get_mut(agent_id) else {
            queued.insert(agent_id.to_owned(), part.into_iter().collect());
            return SettleWanted::New;
        };
        match part {
            Some(part) if parts.len() >= WAITING => SettleWanted::TooMany(part),
            part => {
                parts.extend(part);
                SettleWanted::Queued
            }
        }
    }

    /// Takes those who wait; a settle that is wanted from now on is queued anew.
    pub fn take(&self, agent_id: &str) -> Vec<FreezePart> {
        lock(&self.0).remove(agent_id).unwrap_or_default()
    }
}
