//! Personal access tokens: `axp_u_KEYID.SECRET` of users, `axp_a_KEYID.SECRET` of agents and enrollments.
//!
//! KEYID is 10 and SECRET 49 characters of base62. The last 6 are the CRC-32 of everything before them, so that a typo
//! is refused without a database query (aX contract, section 2).

use super::opaque::{self, KEY_ID};
use super::{Issued, Malformed, SecretHash};

const RANDOM: usize = 43;
const CHECKSUM: usize = 6;

/// A user's PAT.
pub struct UserPat;

/// An agent's PAT, or an enrollment token before it is bound to an agent.
pub struct AgentPat;

impl UserPat {
    /// The prefix of every user's PAT.
    pub const PREFIX: &'static str = "axp_u_";

    /// A fresh PAT.
    pub fn generate() -> Issued {
        generate(Self::PREFIX)
    }

    /// The hash of a well-formed user's PAT.
    ///
    /// # Errors
    /// [`Malformed`] for any other text.
    pub fn parse(text: &str) -> Result<SecretHash, Malformed> {
        parse(Self::PREFIX, text)
    }
}

impl AgentPat {
    /// The prefix of every agent's PAT and every enrollment token.
    pub const PREFIX: &'static str = "axp_a_";

    /// A fresh PAT.
    pub fn generate() -> Issued {
        generate(Self::PREFIX)
    }

    /// The hash of a well-formed agent's PAT.
    ///
    /// # Errors
    /// [`Malformed`] for any other text.
    pub fn parse(text: &str) -> Result<SecretHash, Malformed> {
        parse(Self::PREFIX, text)
    }
}

fn generate(prefix: &str) -> Issued {
    let key_id = opaque::random_base62(KEY_ID);
    let mut text = format!("{prefix}{key_id}.{}", opaque::random_base62(RANDOM));
    text.push_str(&checksum(&text));
    Issued::of(text, key_id)
}

fn checksum(text: &str) -> String {
    opaque::base62(crc32fast::hash(text.as_bytes()), CHECKSUM)
}

fn parse(prefix: &str, text: &str) -> Result<SecretHash, Malformed> {
    let (key_id, secret) = text.strip_prefix(prefix).and_then(|rest| rest.split_once('.')).ok_or(Malformed)?;
    let base62 = |part: &str, len| part.len() == len && part.bytes().all(|b| b.is_ascii_alphanumeric());
    if !base62(key_id, KEY_ID) || !base62(secret, RANDOM + CHECKSUM) {
        return Err(Malformed);
    }
    let (body, tail) = text.split_at(text.len() - CHECKSUM);
    if checksum(body) == tail { Ok(SecretHash::of(text)) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_fresh_pat_parses_as_its_own_kind_only() {
        let user = UserPat::generate();
        assert_eq!(UserPat::parse(user.plaintext.reveal()), Ok(user.hash));
        assert_eq!(AgentPat::parse(user.plaintext.reveal()), Err(Malformed));
        assert_eq!(user.plaintext.reveal().len(), 6 + 10 + 1 + 49);
        assert!(user.plaintext.reveal().contains(&user.key_id));
    }

    #[test]
    fn the_checksum_is_crc_32_in_base62() {
        // CRC-32 (IEEE) of "123456789" is the well-known check value 0xCBF43926.
        assert_eq!(checksum("123456789"), opaque::base62(0xCBF4_3926, 6));
    }

    proptest! {
        #[test]
        fn one_changed_character_is_always_caught(at in 6usize..66, by in 1u8..62) {
            let pat = AgentPat::generate();
            let mut bytes = pat.plaintext.reveal().as_bytes().to_vec();
            prop_assume!(bytes[at] != b'.');
            let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
            let place = alphabet.iter().position(|c| *c == bytes[at]).unwrap();
            bytes[at] = alphabet[(place + usize::from(by)) % 62];
            prop_assert_eq!(AgentPat::parse(std::str::from_utf8(&bytes).unwrap()), Err(Malformed));
        }

        #[test]
        fn any_text_is_parsed_without_panic(text in "(axp_[ua]_)?.{0,80}") {
            let _ = (UserPat::parse(&text), AgentPat::parse(&text));
        }
    }
}
