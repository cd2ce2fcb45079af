//! The Agentex dialect: the routes that the Agentex SDK and its agents call (Agentex contract). It only translates;
//! agents, grants and credentials are the same as in the other dialects.

mod agents;
mod deployments;
mod fields;
mod forward;
mod history;
mod keys;
mod left_out;
mod metadata;
mod paging;
mod record;
mod register;
mod row;
mod visible;

pub use agents::ROUTES as AGENTS;
pub use deployments::ROUTES as DEPLOYMENTS;
pub use forward::ROUTES as FORWARD;
pub use history::ROUTES as HISTORY;
pub use keys::ROUTES as KEYS;
pub use left_out::ROUTES as LEFT_OUT;
use visible::at_least;
