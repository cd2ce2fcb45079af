//! Authentication and authorization. Only this room can make a [`Caller`], so no handler runs without a check.
//!
//! What does not belong here: HTTP parsing, SQL, and what a route does once it is allowed.

mod allowance;
pub(crate) mod authorize;
mod caller;
mod denials;
mod fingerprints;
mod gate;
mod last_used;
pub mod lookup;
pub mod presence;
mod record;
mod role;
pub mod scopes;
pub mod space;
mod throttle;
pub mod tokens;

pub use crate::rest::action::Action;
pub use crate::rest::class::Class;
pub use allowance::{Allowance, Amount};
pub use authorize::{dead, nobody};
pub use caller::{Caller, Principal, power_of};
pub use denials::Denials;
pub use fingerprints::Fingerprints;
pub use gate::Gate;
pub use last_used::LastUsed;
pub use lookup::agentex::Sender;
pub use lookup::bearer::{Presented, presented, text as bearer_text};
pub use lookup::login::Exchanger;
pub use lookup::operator::{Operators, group_id};
pub use presence::Presence;
pub use record::Watch;
pub use role::{AgentRole, may_create, require, role_on};
pub use scopes::scope::{InvalidScope, Scope, Scopes};
pub use space::{SpaceRole, default_space, require_space, resolve_space, space_role_on};
pub use throttle::Throttle;
pub use tokens::box_key::{BoxKey, FILE as BOX_KEY};
pub use tokens::signing_keys::SigningKeys;
