//! A web session's secret: 43 characters of base64url in the cookie `taos_session`.

use super::{Issued, Malformed, SecretHash, opaque};

/// The value of the session cookie.
pub struct SessionSecret;

impl SessionSecret {
    /// A session's secret has no prefix: no client ever handles it by hand.
    pub const PREFIX: &'static str = "";

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
        let (a, b) = (SessionSecret::generate(), SessionSecret::generate());
        assert_eq!(SessionSecret::parse(a.plaintext.reveal()), Ok(a.hash));
        assert_eq!(a.plaintext.reveal().len(), SessionSecret::PREFIX.len() + 43);
        assert_ne!(a.hash, b.hash);
        assert_ne!(a.key_id, b.key_id);
    }
}
