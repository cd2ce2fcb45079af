//! The hash and the mark of a secret: all that the store has of it.

use std::fmt;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// The blake3 hash of a whole secret, prefix included. Secrets have at least 250 random bits, so a fast hash without
/// salt is enough, and the hash can be looked up by an index.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Hashes a secret.
    pub fn of(secret: &str) -> Self {
        Self(*blake3::hash(secret.as_bytes()).as_bytes())
    }

    /// Makes a hash from the stored bytes.
    pub fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes as stored.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(redacted)")
    }
}

/// Characters of a mark.
const MARK: usize = 16;

/// The mark of a key: it tells one key from another, and nobody can use it as a key. 16 hexadecimal digits of the key's
/// SHA-256.
pub fn token_mark(secret: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(secret.as_bytes()))[..MARK].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_blake3_and_debug_hides_it() {
        assert_eq!(SecretHash::of("abc").as_bytes(), blake3::hash(b"abc").as_bytes());
        assert_eq!(format!("{:?}", SecretHash::of("abc")), "SecretHash(redacted)");
    }
}
