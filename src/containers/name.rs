//! Names that are safe by construction: each may be part of a path, a URL and an argument list.

use std::fmt;

/// The longest name a container may have: it is a host name too (RFC 1123).
const MAX_NAME: usize = 63;
const AGENT_PREFIX: &str = "taos-agent-";
const ARCHIVED_PREFIX: &str = "taos-archived-";
/// How many characters of an archive's id the name of its container has.
const ARCHIVE_ID_CHARS: usize = 12;

/// A text that is not a valid name. The error does not repeat the text, which may be hostile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct InvalidName(pub &'static str);

/// The name of a container: 1 to 63 of `[a-z0-9-]`, a letter first, no `-` last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerName(String);

impl ContainerName {
    /// Checks the text and keeps it unchanged.
    ///
    /// # Errors
    /// [`InvalidName`] for anything outside the rule above.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let bytes = text.as_bytes();
        let fits = (1..=MAX_NAME).contains(&bytes.len())
            && bytes[0].is_ascii_lowercase()
            && bytes[bytes.len() - 1] != b'-'
            && bytes.iter().all(|&b| inner(b));
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidName("container name")) }
    }

    /// The container of a live agent: `taos-agent-<slug>` with `_` written as `-`.
    ///
    /// # Errors
    /// [`InvalidName`] if the slug does not make a valid name.
    pub fn for_agent(slug: &str) -> Result<Self, InvalidName> {
        Self::with_prefix(AGENT_PREFIX, slug)
    }

    /// The container of an archived agent: `taos-archived-` and the last 12 letters or digits of the archive's id, in
    /// lower case. It uses the last ones because ids that begin with a time share their first ones. The prefixes
    /// differ, so the name never equals a live agent's.
    ///
    /// # Errors
    /// [`InvalidName`] for an id with fewer than 12 such characters, or with others than `[A-Za-z0-9_-]`.
    pub fn archived(id: &str) -> Result<Self, InvalidName> {
        if !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err(InvalidName("archive id"));
        }
        let kept: Vec<char> = id.chars().filter(char::is_ascii_alphanumeric).collect();
        let from = kept.len().checked_sub(ARCHIVE_ID_CHARS).ok_or(InvalidName("archive id"))?;
        let tail: String = kept[from..].iter().map(char::to_ascii_lowercase).collect();
        Self::with_prefix(ARCHIVED_PREFIX, &tail)
    }

    fn with_prefix(prefix: &str, rest: &str) -> Result<Self, InvalidName> {
        if rest.is_empty() || rest.starts_with(['-', '_']) {
            return Err(InvalidName("container name"));
        }
        Self::parse(&format!("{prefix}{}", rest.replace('_', "-")))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a name that this daemon gives, for a live agent's container or an archived one's.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.0.starts_with(AGENT_PREFIX) || self.0.starts_with(ARCHIVED_PREFIX)
    }
}

impl fmt::Display for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a snapshot. The rule is that of [`ContainerName`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotName(ContainerName);

impl SnapshotName {
    /// Checks the text and keeps it unchanged.
    ///
    /// # Errors
    /// [`InvalidName`] for anything outside the rule above.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        ContainerName::parse(text).map(Self).map_err(|_| InvalidName("snapshot name"))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// An image as an alias or a fingerprint: 1 to 128 of `[A-Za-z0-9._:/-]`, a letter or digit first, no `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName(String);

impl ImageName {
    /// Checks the text and keeps it unchanged.
    ///
    /// # Errors
    /// [`InvalidName`] for anything outside the rule above.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let bytes = text.as_bytes();
        let fits = (1..=128).contains(&bytes.len())
            && bytes[0].is_ascii_alphanumeric()
            && bytes.iter().all(|&b| b.is_ascii_alphanumeric() || b"._:/-".contains(&b))
            && !text.split('/').any(|part| part.is_empty() || part == "." || part == "..");
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidName("image name")) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it could be a fingerprint: 12 to 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn may_be_fingerprint(&self) -> bool {
        (12..=64).contains(&self.0.len()) && self.0.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hostile_slug_never_becomes_a_name() {
        for slug in ["", "-", "_x", "a/b", "../x", "a b", "a\n", "a;b", "a%2f", "ü", "A", "a.b", "a-", "a_", "--help"]
        {
            assert!(ContainerName::for_agent(slug).is_err(), "{slug:?}");
        }
        assert!(ContainerName::for_agent(&"a".repeat(52)).is_ok());
        assert!(ContainerName::for_agent(&"a".repeat(53)).is_err());
    }

    #[test]
    fn a_name_begins_with_a_letter_and_does_not_end_in_a_dash() {
        for text in ["1a", "-a", "a-", "", &"a".repeat(64)] {
            assert!(ContainerName::parse(text).is_err(), "{text:?}");
        }
        assert!(ContainerName::parse("a").is_ok());
    }

    #[test]
    fn an_underscore_becomes_a_dash() {
        assert_eq!(ContainerName::for_agent("a_b").unwrap().as_str(), "taos-agent-a-b");
    }

    #[test]
    fn an_archive_is_named_by_the_random_end_of_its_id() {
        let name = ContainerName::archived("019A2B3C-4D5E-7F80-8123-456789ABCDEF").unwrap();
        assert_eq!(name.as_str(), "taos-archived-456789abcdef");
        assert!(ContainerName::archived("short").is_err());
        assert!(ContainerName::archived("../../../etc/passwd").is_err());
    }

    #[test]
    fn an_image_name_never_climbs() {
        for text in ["../x", "a/../b", "/a", "a//b", "a/", "", "-a", "a b"] {
            assert!(ImageName::parse(text).is_err(), "{text:?}");
        }
        assert!(ImageName::parse("debian/12").is_ok());
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_safe_in_a_path(text in ".{0,70}") {
            if let Ok(name) = ContainerName::parse(&text) {
                prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
                prop_assert!(name.as_str().len() <= 63);
            }
        }

        #[test]
        fn a_live_agent_and_an_archive_never_share_a_name(slug in "[a-z0-9][a-z0-9_-]{0,50}", id in "[a-z0-9-]{12,40}") {
            if let (Ok(live), Ok(archived)) = (ContainerName::for_agent(&slug), ContainerName::archived(&id)) {
                prop_assert_ne!(live, archived);
            }
        }
    }
}
