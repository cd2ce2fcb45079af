//! A program's refresh token: `taos_refresh_HANDLE.SECRET`, 22 and 43 characters of base64url. All refresh tokens of a
//! grant have the same handle, so a token that was replaced long ago is still recognised.

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::opaque::{self, KEY_ID};
use super::{Issued, Malformed, SecretHash};

/// Characters of 16 bytes in unpadded base64url.
const HANDLE: usize = 22;

/// A refresh token.
pub struct RefreshToken;

/// A refresh token as presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresentedRefresh {
    /// The hash of the grant's handle.
    pub handle: SecretHash,
    /// The hash of the whole token.
    pub whole: SecretHash,
}

impl RefreshToken {
    /// The prefix of every refresh token.
    pub const PREFIX: &'static str = "taos_refresh_";

    /// Makes the first token of a grant. Returns it with the hash of its handle.
    pub fn generate() -> (Issued, SecretHash) {
        let bytes = opaque::random::<16>();
        let handle = Zeroizing::new(BASE64URL_NOPAD.encode(bytes.as_slice()));
        (Self::with(&handle), SecretHash::of(&handle))
    }

    /// Makes the next token of a grant: a new secret with the same handle.
    ///
    /// # Errors
    /// [`Malformed`] if the text is not a refresh token.
    pub fn successor(text: &str) -> Result<Issued, Malformed> {
        Ok(Self::with(parts(text)?.0))
    }

    fn with(handle: &str) -> Issued {
        let secret = Zeroizing::new(BASE64URL_NOPAD.encode(opaque::random::<32>().as_slice()));
        Issued::of(format!("{}{handle}.{}", Self::PREFIX, secret.as_str()), opaque::random_base62(KEY_ID))
    }

    /// Returns the hashes of a well-formed token.
    ///
    /// # Errors
    /// [`Malformed`] for any other text.
    pub fn parse(text: &str) -> Result<PresentedRefresh, Malformed> {
        let (handle, _) = parts(text)?;
        Ok(PresentedRefresh { handle: SecretHash::of(handle), whole: SecretHash::of(text) })
    }
}

fn parts(text: &str) -> Result<(&str, &str), Malformed> {
    let rest = text.strip_prefix(RefreshToken::PREFIX).ok_or(Malformed)?;
    let (handle, secret) = rest.split_once('.').ok_or(Malformed)?;
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if handle.len() == HANDLE && secret.len() == 43 && plain(handle) && plain(secret) {
        Ok((handle, secret))
    } else {
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_successor_has_the_handle_and_another_secret() {
        let (first, handle) = RefreshToken::generate();
        let second = RefreshToken::successor(first.plaintext.reveal()).unwrap();
        let (a, b) = (
            RefreshToken::parse(first.plaintext.reveal()).unwrap(),
            RefreshToken::parse(second.plaintext.reveal()).unwrap(),
        );
        assert_eq!((a.handle, b.handle), (handle, handle));
        assert_eq!((a.whole, b.whole), (first.hash, second.hash));
        assert_ne!(a.whole, b.whole);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(taos_refresh_)?[A-Za-z0-9_.-]{0,80}") {
            let _ = (RefreshToken::parse(&text), RefreshToken::successor(&text));
        }
    }
}
