//! The secrets of the form `PREFIX` + 43 characters of base64url: 32 random bytes after a prefix that names the kind.
//! Secrets without a prefix occur only in a cookie, a link or a form.

use super::{Issued, Malformed, SecretHash, opaque};

macro_rules! opaque_secrets {
    ($( $(#[doc = $about:literal])+ $name:ident $prefix:literal; )*) => { $(
        $(#[doc = $about])+
        pub struct $name;

        impl $name {
            /// The prefix of every secret of this kind.
            pub const PREFIX: &'static str = $prefix;

            /// A fresh secret: 32 random bytes.
            pub fn generate() -> Issued {
                opaque::generate(Self::PREFIX)
            }

            /// Returns the hash of a well-formed secret of this kind.
            ///
            /// # Errors
            /// [`Malformed`] for any other text.
            pub fn parse(text: &str) -> Result<SecretHash, Malformed> {
                opaque::parse(Self::PREFIX, text)
            }
        }
    )* };
}

opaque_secrets! {
    /// The credential that an agent's container gets as `TAOS_TOKEN`.
    AgentToken "taos_agent_";
    /// The credential of people and scripts.
    UserToken "taos_user_";
    /// The credential that Agentex clients send as `x-agent-api-key`.
    AgentKey "taos_key_";
    /// The secret with which a registered program authenticates itself.
    ClientSecret "taos_client_";
    /// The value of the session cookie.
    SessionSecret "";
    // The daemon keeps these in memory only, for minutes.
    /// The secret of a one-time login link.
    LoginLink "";
    /// The id of a program's request to log in, while a person decides. It grants nothing by itself.
    ConsentId "";
    /// The code that a program exchanges for its tokens after a person has consented.
    AuthorizationCode "taos_code_";
    /// The code with which a program without a browser polls for a person's decision.
    DeviceCode "taos_device_";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_secret_parses_to_its_own_hash_and_no_two_are_alike() {
        type Kind = (&'static str, fn() -> Issued, fn(&str) -> Result<SecretHash, Malformed>);
        let kinds: [Kind; 5] = [
            (AgentToken::PREFIX, AgentToken::generate, AgentToken::parse),
            (UserToken::PREFIX, UserToken::generate, UserToken::parse),
            (AgentKey::PREFIX, AgentKey::generate, AgentKey::parse),
            (ClientSecret::PREFIX, ClientSecret::generate, ClientSecret::parse),
            (SessionSecret::PREFIX, SessionSecret::generate, SessionSecret::parse),
        ];
        for (prefix, generate, parse) in kinds {
            let (a, b) = (generate(), generate());
            assert_eq!(parse(a.plaintext.reveal()), Ok(a.hash));
            assert_eq!(a.plaintext.reveal().len(), prefix.len() + 43);
            assert_ne!(a.hash, b.hash);
            assert_ne!(a.key_id, b.key_id);
        }
    }

    #[test]
    fn a_secret_with_a_prefix_is_cut_from_texts() {
        let issued = ClientSecret::generate();
        assert_eq!(super::super::redacted(&format!("secret={}", issued.plaintext.reveal())), "secret=[cut]");
    }
}
