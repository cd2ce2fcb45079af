//! Access: who calls, and may they. Only this room can make a [`Caller`], so no handler runs unchecked.
//!
//! What does not belong here: HTTP parsing, SQL, and what a route does once it is allowed.

mod action;
pub(crate) mod agentex;
mod allowance;
mod bearer;
mod behind;
mod box_key;
mod caller;
pub mod class;
pub mod cookie;
mod denials;
mod fingerprints;
mod gate;
mod judge;
pub mod jwt;
mod known;
mod last_used;
mod login;
mod operator;
pub mod presence;
mod record;
mod role;
mod scope;
pub mod signing_keys;
pub mod space;
mod throttle;
pub mod words;

pub use action::Action;
pub use agentex::Sender;
pub use allowance::{Allowance, Amount};
pub use bearer::{Presented, presented, text as bearer_text};
pub use box_key::{BoxKey, FILE as BOX_KEY};
pub use caller::{Caller, Principal, power_of};
pub use class::Class;
pub use denials::Denials;
pub use fingerprints::Fingerprints;
pub use gate::Gate;
pub use judge::{Need, dead, nobody};
pub use last_used::LastUsed;
pub use login::Exchanger;
pub use operator::{Operators, group_id};
pub use presence::Presence;
pub use record::Watch;
pub use role::{AgentRole, may_create, require, role_on};
pub use scope::{InvalidScope, Scope, Scopes};
pub use signing_keys::SigningKeys;
pub use space::{SpaceRole, default_space, require_space, resolve_space, space_role_on};
pub use throttle::Throttle;
