//! Access control: who calls, and what they may do. Only this room can make a [`Caller`], so no handler runs unchecked.
//! Each part uses only those before it:
//!
//! 1. [`scopes`] - what a credential may do
//! 2. [`tokens`] - keys, and the short-lived tokens they sign
//! 3. `fingerprints` - the clients that use a credential
//! 4. `caller` - the principal behind a request
//! 5. `hint` - what a refused agent may ask for
//! 6. `role` - the caller's role on an agent
//! 7. `refusal` - the code of each refusal
//! 8. [`lookup`] - the principal behind a credential
//! 9. `challenge` - the challenge in a 401 of the MCP endpoint
//! 10. `authorize` - whether a caller may call a route
//! 11. `throttle` - request rates
//! 12. `allowance` - rows and bytes that a principal may write
//! 13. `denials` - counted refusals
//! 14. `last_used` - when credentials were last used
//! 15. [`presence`] - which agents were seen lately
//! 16. `used_from` - from where people's credentials were last used
//! 17. `record` - what is recorded of calls
//! 18. [`secret_map`] - values that are held in memory for minutes
//! 19. `tripwire` - uses of decoys
//! 20. `gate` - the whole check
//!
//! What does not belong here: HTTP parsing, SQL, and what a route does once it is allowed.

mod allowance;
mod authorize;
mod caller;
mod challenge;
mod denials;
mod fingerprints;
mod gate;
mod hint;
mod last_used;
pub mod lookup;
pub mod presence;
mod record;
mod refusal;
mod renewal;
mod role;
pub mod scopes;
pub mod secret_map;
pub mod space;
mod throttle;
pub mod tokens;
mod tripwire;
mod used_from;

pub use crate::rest::action::Action;
pub use crate::rest::class::Class;
pub use allowance::{Allowance, Amount};
pub use authorize::{may_call, require_action};
pub use caller::{Caller, Principal, RightsRead, power_of};
pub use denials::Denials;
pub use fingerprints::Fingerprints;
pub use gate::{Exchanger, Gate, Sender};
pub use hint::as_named;
pub use last_used::LastUsed;
pub use lookup::bearer::{Presented, presented, text as bearer_text};
pub use lookup::credential_lookup::Standing;
pub use lookup::operator::{Operators, group_id};
pub use presence::{HOURS, Presence};
pub use record::CallWatch;
pub use refusal::{dead, frozen, nobody, unsigned};
pub use renewal::{found_again, require_no_less, require_still_good};
pub use role::{AgentRole, may_create, require, role_on, still_edits};
pub use scopes::scope::{InvalidScope, Scope, Scopes};
pub use space::{SpaceRole, default_space, require_lasting, require_space, resolve_space, space_role_on};
pub use throttle::Throttle;
pub use tokens::box_key::{BoxKey, FILE as BOX_KEY};
pub use tokens::signing_keys::SigningKeys;
pub use tripwire::{OnTouch, Touch};
pub use used_from::UsedFrom;
