//! The secret of a registered program: `taos_client_` + 43 characters of base64url.

use super::{Issued, Malformed, SecretHash, opaque};

/// What a program that an admin has registered proves itself with.
pub struct ClientSecret;

impl ClientSecret {
    /// What every secret of this kind starts with.
    pub const PREFIX: &'static str = "taos_client_";

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
    fn a_fresh_secret_parses_to_its_own_hash_and_is_cut_from_texts() {
        let issued = ClientSecret::generate();
        let text = issued.plaintext.reveal();
        assert_eq!(ClientSecret::parse(text), Ok(issued.hash));
        assert_eq!(super::super::redacted(&format!("secret={text}")), "secret=[cut]");
    }
}
