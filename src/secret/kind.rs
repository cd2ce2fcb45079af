//! The kinds of credential, and which one a presented text claims to be.

use super::{AgentKey, AgentPat, AgentToken, Malformed, SecretHash, SessionSecret, UserPat, UserToken};

macro_rules! kinds {
    ($( $(#[$doc:meta])* $name:ident $slug:literal; )*) => {
        /// What a credential is; the text is what the database holds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind { $( $(#[$doc])* $name, )* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[ $( Self::$name, )* ];

            /// The kind's name.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$name => $slug, )* }
            }
        }
    };
}

kinds! {
    /// An agent's own token, used directly.
    AgentToken "agent_token";
    /// A person's or script's token, used directly.
    UserToken "user_token";
    /// A user's key for the exchange.
    UserPat "user_pat";
    /// An agent's key for the exchange.
    AgentPat "agent_pat";
    /// A one-time key that becomes an agent's.
    Enrollment "enrollment";
    /// A key for Agentex clients.
    AgentKey "agent_key";
    /// A web session.
    Session "session";
}

impl std::str::FromStr for Kind {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or(Malformed)
    }
}

/// The kind that a presented text has by its form, and its hash. An enrollment looks like an agent's PAT.
///
/// # Errors
/// [`Malformed`] for a text that no kind could have made: it need not be looked up.
pub fn recognise(text: &str) -> Result<(Kind, SecretHash), Malformed> {
    let parsed = if text.starts_with(AgentToken::PREFIX) {
        (Kind::AgentToken, AgentToken::parse(text)?)
    } else if text.starts_with(UserToken::PREFIX) {
        (Kind::UserToken, UserToken::parse(text)?)
    } else if text.starts_with(AgentKey::PREFIX) {
        (Kind::AgentKey, AgentKey::parse(text)?)
    } else if text.starts_with(UserPat::PREFIX) {
        (Kind::UserPat, UserPat::parse(text)?)
    } else if text.starts_with(AgentPat::PREFIX) {
        (Kind::AgentPat, AgentPat::parse(text)?)
    } else {
        (Kind::Session, SessionSecret::parse(text)?)
    };
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_recognised_by_its_form() {
        let made = [
            (Kind::AgentToken, AgentToken::generate()),
            (Kind::UserToken, UserToken::generate()),
            (Kind::UserPat, UserPat::generate()),
            (Kind::AgentPat, AgentPat::generate()),
            (Kind::AgentKey, AgentKey::generate()),
            (Kind::Session, SessionSecret::generate()),
        ];
        for (kind, issued) in made {
            assert_eq!(recognise(issued.plaintext.reveal()), Ok((kind, issued.hash)));
        }
        assert_eq!(recognise("hunter2"), Err(Malformed));
    }

    #[test]
    fn names_read_back() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
    }
}
