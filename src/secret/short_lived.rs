//! Secrets that live in memory alone, for minutes: 43 characters of base64url behind a prefix. The access log and the
//! audit cut them like all others.

use super::{Issued, Malformed, SecretHash, opaque};

/// A one-time login link's secret.
pub struct LoginLink;

impl LoginLink {
    /// A fresh secret: 32 random bytes.
    pub fn generate() -> Issued {
        opaque::generate("")
    }

    /// The hash of a well-formed secret of this kind.
    ///
    /// # Errors
    /// [`Malformed`] for any other text.
    pub fn parse(text: &str) -> Result<SecretHash, Malformed> {
        opaque::parse("", text)
    }
}
