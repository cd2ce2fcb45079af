//! The plaintext of a secret, in a type that cannot be printed by accident.

use std::fmt;

use zeroize::Zeroizing;

/// A secret in plaintext. `Debug` prints no secret, there is no `Display` and no `Serialize`, and the memory is wiped
/// on drop.
pub struct Plaintext(Zeroizing<String>);

impl Plaintext {
    /// Wraps a secret.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself: for the reply that shows it once, or the container it is delivered to.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plaintext(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_does_not_contain_the_secret() {
        let secret = Plaintext::new("taos_agent_hunter2".into());
        assert_eq!(format!("{secret:?}"), "Plaintext(redacted)");
        assert_eq!(secret.reveal(), "taos_agent_hunter2");
    }
}
