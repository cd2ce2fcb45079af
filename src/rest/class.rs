//! The classes of token that the aX dialect tells apart (aX contract, sections 3 and 5).

use super::action::Action;

/// What a short-lived token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A user at work.
    User,
    /// A user who manages agents and credentials.
    Admin,
    /// An agent at work.
    Agent,
    /// Not a token's class: a key presented as it is, on the one route that takes keys.
    Key,
    /// Not a token's class either: the one route that also takes a short-lived token from its query.
    InQuery,
}

/// Routes for users at work.
pub const UA: &[Class] = &[Class::User];
/// Management routes.
pub const AD: &[Class] = &[Class::Admin];
/// Routes for users and agents at work.
pub const UA_AG: &[Class] = &[Class::User, Class::Agent];
/// Routes for agents at work.
pub const AG: &[Class] = &[Class::Agent];
/// The route for users and agents at work that also takes their token from its query.
pub const UA_AG_IN_QUERY: &[Class] = &[Class::User, Class::Agent, Class::InQuery];
/// Routes for users at work and for management.
pub const UA_AD: &[Class] = &[Class::User, Class::Admin];
/// Routes for every token.
pub const ALL: &[Class] = &[Class::User, Class::Admin, Class::Agent];
/// The route that also takes a key as it is.
pub const WITH_KEY: &[Class] = &[Class::User, Class::Admin, Class::Agent, Class::Key];

impl Class {
    /// The class of this name.
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

    /// Seconds a token of this class lives at the most.
    pub fn lifetime(self) -> i64 {
        if self == Self::Admin { 300 } else { 900 }
    }

    /// What a caller of this class needs a scope for where the route needs `action`. An agent may not change agents,
    /// only its own profile.
    pub fn action(self, action: Action) -> Action {
        match (self, action) {
            (Self::Agent, Action::AgentsUpdate) => Action::AgentsProfile,
            (_, action) => action,
        }
    }
}
