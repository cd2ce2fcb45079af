//! Secrets: the kinds the box issues, their text formats, generation and hashing (DESIGN D5).
//! A plaintext exists only as a [`Plaintext`] on its way to the client that requested it. All other
//! code uses a [`SecretHash`]. This module does not decide who may use a secret or where it is stored.

mod hash;
mod kind;
mod opaque;
mod opaque_kinds;
mod pat;
mod plaintext;
mod redact;
mod refresh_token;
mod user_code;

pub use hash::{SecretHash, token_mark};
pub use kind::{Kind, recognise};
pub use opaque_kinds::{
    AgentKey, AgentToken, AuthorizationCode, ClientSecret, ConsentId, DeviceCode, LoginLink, SessionSecret, UserToken,
};
pub use pat::{AgentPat, UserPat};
pub use plaintext::Plaintext;
pub use redact::{PREFIXES, has_own_secret, redacted};
pub use refresh_token::{PresentedRefresh, RefreshToken};
pub use user_code::UserCode;

/// A secret as made for a new credential: shown once, stored as its hash.
#[derive(Debug)]
pub struct Issued {
    /// The secret itself, which is shown once.
    pub plaintext: Plaintext,
    /// The public name of the secret: 10 characters of `[A-Za-z0-9]`.
    pub key_id: String,
    /// The hash, which is stored.
    pub hash: SecretHash,
}

impl Issued {
    fn of(text: String, key_id: String) -> Self {
        let hash = SecretHash::of(&text);
        Self { plaintext: Plaintext::new(text), key_id, hash }
    }
}

/// The text is not a secret of this kind: wrong prefix, length, alphabet or checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed secret of this kind")]
pub struct Malformed;
