//! Requests: what agents ask people for, and how it was decided. A request that has left `pending` never returns to it.
//! Whether it counts at a moment depends on its times, not on the recorded state.

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
    /// The state of a request.
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
        /// The kind of request.
        pub kind: RequestKind = "r.kind",
        /// The state as recorded last; see [`Request::state_at`].
        pub state: RequestState = "r.state",
        /// The id of the agent that asks.
        pub agent_id: String = "r.agent_id",
        /// The agent's slug.
        pub agent: String = "a.slug",
        /// The id of the agent's owner.
        pub owner_id: String = "a.owner_user_id",
        /// The name of the agent's owner.
        pub owner: String = "o.username",
        /// When the agent asked.
        pub created_at: Micros = "r.created_at",
        /// The time until which it can be decided.
        pub expires_at: Micros = "r.expires_at",
        /// The requested duration in seconds; `None`: until it is revoked.
        pub duration_seconds: Option<i64> = "r.duration_seconds",
        /// When what was granted ends.
        pub until: Option<Micros> = "r.until",
        /// When it was decided.
        pub decided_at: Option<Micros> = "r.decided_at",
        /// The id of the decider.
        pub decider_id: Option<String> = "r.decider_id",
        /// The name of the decider.
        pub decided_by: Option<String> = "r.decided_by",
        /// The id of the agent that a grant is about.
        pub target_agent_id: Option<String> = "r.target_agent_id",
        /// The id of the space that a grant is about.
        pub target_space_id: Option<String> = "r.target_space_id",
        /// The id of the message that asks the question.
        pub message_id: Option<String> = "r.message_id",
        /// The reason.
        pub reason: String = "r.reason",
        /// The content of the request, a JSON object.
        pub asked: String = "r.asked",
        /// What was granted, a JSON object.
        pub granted: Option<String> = "r.granted",
        /// The answer to a question, a JSON object.
        pub answer: Option<String> = "r.answer",
        /// The decider's note.
        pub note: Option<String> = "r.note",
    }
}

impl Request {
    /// Returns the state at this time, whatever is recorded.
    pub fn state_at(&self, now: Micros) -> RequestState {
        match self.state {
            RequestState::Pending if self.expires_at <= now => RequestState::Expired,
            RequestState::Approved if self.until.is_some_and(|until| until <= now) => RequestState::Ended,
            state => state,
        }
    }
}
