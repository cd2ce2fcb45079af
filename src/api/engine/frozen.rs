//! Sees to it that an agent that waits for its answer gets none once it is frozen.

use std::sync::Arc;

use super::app::App;
use super::dispatch::render;
use crate::access::{self, Caller};
use crate::rest::error::Dialect;
use crate::rest::service::{Outcome, Work};
use crate::store::agents;

/// What goes on only while its agent is not frozen.
#[derive(Clone)]
pub(super) struct WhileNotFrozen {
    app: Arc<App>,
    /// `None` for a user.
    agent: Option<String>,
    dialect: Dialect,
    request_id: String,
}

impl WhileNotFrozen {
    /// For what this caller asked for.
    pub(super) fn of(app: &Arc<App>, caller: &Caller, dialect: Dialect) -> Self {
        let agent = caller.agent_id().map(str::to_owned);
        Self { app: Arc::clone(app), agent, dialect, request_id: caller.request_id().to_owned() }
    }

    /// The same outcome, with a look before each part of the work that is still to come.
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
