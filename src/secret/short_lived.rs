//! Secrets that live in memory alone, for minutes: 43 characters of base64url, some behind a prefix by which logs and
//! audit cut them.

use super::{Issued, Malformed, SecretHash, opaque};

macro_rules! short_lived {
    ($( #[doc = $about:literal] $name:ident $prefix:literal; )*) => { $(
        #[doc = $about]
        pub struct $name;

        impl $name {
            /// A fresh secret: 32 random bytes.
            pub fn generate() -> Issued {
                opaque::generate($prefix)
            }

            /// The hash of a well-formed secret of this kind.
            ///
            /// # Errors
            /// [`Malformed`] for any other text.
            pub fn parse(text: &str) -> Result<SecretHash, Malformed> {
                opaque::parse($prefix, text)
            }
        }
    )* };
}

short_lived! {
    /// A one-time login link's secret.
    LoginLink "";
    /// The name of a program's request to log in, while a person decides. It gives nothing by itself.
    ConsentId "";
    /// What a program exchanges for its tokens after a person's click.
    AuthorizationCode "taos_code_";
    /// What a program without a browser asks with whether a person has decided.
    DeviceCode "taos_device_";
}
