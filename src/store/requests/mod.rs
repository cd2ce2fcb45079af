//! Requests: what agents ask people for, and what became of it. What is not pending is never pending again; what counts
//! at a moment is judged by its time, not by the state that is written down.

mod change;
mod ends;
mod find;
#[cfg(test)]
mod plans;

use crate::closed_set::closed_set;
use crate::store::row::record;
use crate::time::Micros;

pub use change::{Decision, NewRequest, Untold, answer, decide, end, expire, insert, revoke, told, untold, withdraw};
pub use ends::{End, Ending, ends};
pub use find::{
    Filter, Viewer, by_id, count_pending, count_since, deciders, denied_since, list, of_message, pending_like, visible,
};

closed_set! {
    /// What a request asks for.
    pub enum RequestKind {
        Scope "scope" "Scopes that the agent's token does not cover.";
        Grant "grant" "A role on an agent or in a space.";
        Confirm "confirm" "An answer.";
    }
}

closed_set! {
    /// Where a request stands.
    pub enum RequestState {
        Pending "pending" "Nobody has decided.";
        Approved "approved" "It was approved, and counts.";
        Denied "denied" "It was denied.";
        Expired "expired" "Nobody decided in time.";
        Withdrawn "withdrawn" "The agent took it back.";
        Ended "ended" "It was approved, and its time is over.";
        Revoked "revoked" "It was approved, and taken back.";
    }
}

record! {
    /// A request.
    pub struct Request from "requests r JOIN agents a ON a.id = r.agent_id JOIN users o ON o.id = a.owner_user_id" {
        /// The id.
        pub id: String = "r.id",
        /// What it asks for.
        pub kind: RequestKind = "r.kind",
        /// Where it stood when that was last written down; see [`Request::state_at`].
        pub state: RequestState = "r.state",
        /// The agent that asks.
        pub agent_id: String = "r.agent_id",
        /// Its slug.
        pub agent: String = "a.slug",
        /// Whose that agent is.
        pub owner_id: String = "a.owner_user_id",
        /// The same by name.
        pub owner: String = "o.username",
        /// When it was asked.
        pub created_at: Micros = "r.created_at",
        /// Until when it can be decided.
        pub expires_at: Micros = "r.expires_at",
        /// For how long it asks; `None`: until it is taken back.
        pub duration_seconds: Option<i64> = "r.duration_seconds",
        /// When what was granted ends.
        pub until: Option<Micros> = "r.until",
        /// When it was decided.
        pub decided_at: Option<Micros> = "r.decided_at",
        /// Who decided, by id.
        pub decider_id: Option<String> = "r.decider_id",
        /// Who decided, by name.
        pub decided_by: Option<String> = "r.decided_by",
        /// The agent that a grant is about.
        pub target_agent_id: Option<String> = "r.target_agent_id",
        /// The space that a grant is about.
        pub target_space_id: Option<String> = "r.target_space_id",
        /// The message that puts the question.
        pub message_id: Option<String> = "r.message_id",
        /// Why.
        pub reason: String = "r.reason",
        /// What is asked, a JSON object.
        pub asked: String = "r.asked",
        /// What was granted, a JSON object.
        pub granted: Option<String> = "r.granted",
        /// The answer to a question, a JSON object.
        pub answer: Option<String> = "r.answer",
        /// What the decider says to it.
        pub note: Option<String> = "r.note",
    }
}

impl Request {
    /// Where it stands at this time, whatever was written down by then.
    pub fn state_at(&self, now: Micros) -> RequestState {
        match self.state {
            RequestState::Pending if self.expires_at <= now => RequestState::Expired,
            RequestState::Approved if self.until.is_some_and(|until| until <= now) => RequestState::Ended,
            state => state,
        }
    }
}
