//! An agent's token: `taos_agent_` + 43 characters of base64url.

use super::{Issued, Malformed, SecretHash, opaque};

/// The credential an agent's container is given as `TAOS_TOKEN`.
pub struct AgentToken;

impl AgentToken {
    /// What every secret of this kind starts with.
    pub const PREFIX: &'static str = "taos_agent_";

    /// A fresh secret: 32 random bytes.
    pub fn generate() -> Issued {
        opaque::generate(Self::PREFIX)
    }

    /// The hash of a well-formed secret of this kind.
    ///
    /// # Errors
    /// [`Malformed`] for any other text.
    pub fn parse(text: &str) -> Result<SecretHash, Malformed> {
        opaque::parse(Self::PREFIX, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_secret_parses_to_its_own_hash_and_no_two_are_alike() {
        let (a, b) = (AgentToken::generate(), AgentToken::generate());
        assert_eq!(AgentToken::parse(a.plaintext.reveal()), Ok(a.hash));
        assert_eq!(a.plaintext.reveal().len(), AgentToken::PREFIX.len() + 43);
        assert_ne!(a.hash, b.hash);
        assert_ne!(a.key_id, b.key_id);
    }
}
