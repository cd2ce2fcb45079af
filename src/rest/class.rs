//! The classes of tokens in the aX dialect (aX contract, sections 3 and 5).

use super::action::Action;

/// The class of a short-lived token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A user's token for ordinary work (`user_access`).
    User,
    /// A user's token for managing agents and credentials (`user_admin`).
    Admin,
    /// An agent's token (`agent_access`).
    Agent,
    /// Not a class of token: a key itself, on the one route that accepts keys.
    Key,
    /// Not a class of token either: marks the one route that also accepts a short-lived token in its query.
    InQuery,
}

/// Routes for `user_access`.
pub const UA: &[Class] = &[Class::User];
/// Routes for `user_admin`: the management routes.
pub const AD: &[Class] = &[Class::Admin];
/// Routes for `user_access` and `agent_access`.
pub const UA_AG: &[Class] = &[Class::User, Class::Agent];
/// Routes for `agent_access`.
pub const AG: &[Class] = &[Class::Agent];
/// The route for `user_access` and `agent_access` that also accepts the token in its query.
pub const UA_AG_IN_QUERY: &[Class] = &[Class::User, Class::Agent, Class::InQuery];
/// Routes for `user_access` and `user_admin`.
pub const UA_AD: &[Class] = &[Class::User, Class::Admin];
/// Routes for every token.
pub const ALL: &[Class] = &[Class::User, Class::Admin, Class::Agent];
/// The route that also accepts a key itself.
pub const WITH_KEY: &[Class] = &[Class::User, Class::Admin, Class::Agent, Class::Key];

impl Class {
    /// The class of token with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::User, Self::Admin, Self::Agent].into_iter().find(|class| class.as_str() == name)
    }

    /// The class's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user_access",
            Self::Admin => "user_admin",
            Self::Agent => "agent_access",
            Self::Key => "key",
            Self::InQuery => "query",
        }
    }

    /// The longest lifetime of a token of this class, in seconds.
    pub fn lifetime(self) -> i64 {
        if self == Self::Admin { 300 } else { 900 }
    }

    /// The action that a caller of this class needs a scope for on a route that needs `action`. An agent may not change
    /// agents, only its own profile.
    pub fn action(self, action: Action) -> Action {
        match (self, action) {
            (Self::Agent, Action::AgentsUpdate) => Action::AgentsProfile,
            (_, action) => action,
        }
    }
}
