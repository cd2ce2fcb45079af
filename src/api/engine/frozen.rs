//! Refuses the later parts of a request once its agent is frozen.

use std::sync::Arc;

use super::app::App;
use super::dispatch::render;
use crate::access::{self, Caller};
use crate::rest::error::Dialect;
use crate::rest::service::{Outcome, Work};
use crate::store::agents;

/// A guard for work that continues only while its agent is not frozen.
#[derive(Clone)]
pub(super) struct WhileNotFrozen {
    app: Arc<App>,
    /// The id of the caller's agent; `None` for a user.
    agent: Option<String>,
    dialect: Dialect,
    request_id: String,
}

impl WhileNotFrozen {
    /// Creates the guard for a request of this caller.
    pub(super) fn of(app: &Arc<App>, caller: &Caller, dialect: Dialect) -> Self {
        let agent = caller.agent_id().map(str::to_owned);
        Self { app: Arc::clone(app), agent, dialect, request_id: caller.request_id().to_owned() }
    }

    /// Returns the same outcome; each later part of the work first checks whether the agent is frozen.
    pub(super) fn guard(self, outcome: Outcome) -> Outcome {
        match outcome {
            outcome if self.agent.is_none() => outcome,
            Outcome::Later { wait, until, again } => {
                Outcome::Later { wait, until, again: Box::new(move || self.go_on(again)) }
            }
            Outcome::Again(again) => Outcome::Again(Box::new(move || self.go_on(again))),
            Outcome::Then(first, finish) => Outcome::Then(Box::new(self.guard(*first)), finish),
            Outcome::Done(_) | Outcome::Pending(_) => outcome,
        }
    }

    fn go_on(self, work: Work) -> Outcome {
        let agent = self.agent.as_deref().unwrap_or_default();
        let refusal = match self.app.store.lookup(|conn| agents::is_frozen(conn, agent)) {
            Ok(false) => return self.guard(work()),
            Ok(true) => access::frozen(),
            Err(error) => error.into(),
        };
        Outcome::Done(render(&refusal, self.dialect, &self.request_id))
    }
}
