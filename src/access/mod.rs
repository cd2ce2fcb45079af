//! Access: who calls, and may they. Only this room can make a [`Caller`], so no handler runs unchecked.
//!
//! What does not belong here: HTTP parsing, SQL, and what a route does once it is allowed.

mod action;
mod bearer;
mod caller;
mod denials;
mod gate;
mod known;
mod last_used;
mod operator;
mod role;
mod scope;
mod throttle;

pub use action::Action;
pub use bearer::{Presented, presented};
pub use caller::{Caller, Principal};
pub use denials::Denials;
pub use gate::{Gate, Watch};
pub use last_used::LastUsed;
pub use operator::{Operators, group_id};
pub use role::{AgentRole, may_create, require, role_on};
pub use scope::{InvalidScope, Scope, Scopes};
pub use throttle::Throttle;
