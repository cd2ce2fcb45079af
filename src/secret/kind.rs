//! The kinds of credential, and which one a presented text claims to be.

use super::{AgentKey, AgentPat, AgentToken, Malformed, SecretHash, SessionSecret, UserPat, UserToken};
use crate::closed_set::closed_set;

closed_set! {
    /// The kinds of credential.
    pub enum Kind {
        AgentToken "agent_token" "An agent's own token, used directly.";
        UserToken "user_token" "A person's or script's token, used directly.";
        UserPat "user_pat" "A user's key for the exchange.";
        AgentPat "agent_pat" "An agent's key for the exchange.";
        Enrollment "enrollment" "A one-time key that becomes an agent's.";
        AgentKey "agent_key" "A key for Agentex clients.";
        Session "session" "A web session.";
        OauthGrant "oauth_grant" "What a person's click gave a program.";
    }
}

/// Recognises the kind of a presented text by its form, and hashes it. An enrollment looks like an agent's PAT.
///
/// # Errors
/// [`Malformed`] if the text has the form of no kind, so it need not be looked up.
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
}
