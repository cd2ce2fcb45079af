//! Names of agents: the display name, the slug made from it, and the reserved slugs (taOS contract, section 2).

use rusqlite::Connection;

use crate::containers::{ContainerName, ContainerPlace, NodeName};
use crate::limits::{NAME_CHARS, SLUG_BYTES};
use crate::rest::codes;
use crate::rest::error::ApiError;
use crate::store::agents::{container_is_taken, name_is_taken};
use crate::store::is_id;

/// Words that paths have in the place of a slug.
const RESERVED: &[&str] =
    &["archived", "containers", "bulk", "deploy", "import", "export", "system-prompt", "self", "me"];
/// Words that the paths of the aX dialect have in the place of a name.
const RESERVED_GIVEN: &[&str] =
    &["manage", "list", "create", "presence", "availability", "heartbeat", "processing-status"];
/// The largest number that is appended to a taken slug.
const LAST_SUFFIX: u32 = 9999;

/// Checks a display name, at most [`NAME_CHARS`] characters, and returns it trimmed.
///
/// # Errors
/// `invalid_agent_name`.
pub fn display_name(text: &str) -> Result<String, ApiError> {
    let name = text.trim();
    let slug = slug_of(name);
    let problem = match name {
        "" => "The name is empty.".to_owned(),
        _ if name.chars().count() > NAME_CHARS => format!("The name is longer than {NAME_CHARS} characters."),
        _ if name.contains(char::is_control) => "The name has a control character.".to_owned(),
        _ if slug.is_empty() => "The name contains no letter a-z or digit, so it cannot become a slug.".to_owned(),
        _ if is_id(&slug) => "The name looks like an id, and an id is never a name.".to_owned(),
        _ => return Ok(name.to_owned()),
    };
    Err(ApiError::new(codes::INVALID_AGENT_NAME).detail(problem))
}

/// Returns the slug of a name, at most [`SLUG_BYTES`] bytes: a-z and 0-9, with one dash for each run of other
/// characters.
pub fn slug_of(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for c in name.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    cut(&slug, SLUG_BYTES).to_owned()
}

/// Returns true for a slug as [`slug_of`] makes it, neither reserved nor in the form of an id.
pub fn is_slug(text: &str) -> bool {
    !text.is_empty() && slug_of(text) == text && !RESERVED.contains(&text) && !is_id(text)
}

/// Checks a name of the aX dialect. It is used unchanged in file names and configuration.
///
/// # Errors
/// `validation_error`.
pub fn given_name(text: &str) -> Result<&str, ApiError> {
    let mut bytes = text.bytes();
    let well_formed = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && text.len() <= NAME_CHARS
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let lower = text.to_ascii_lowercase();
    if !well_formed {
        return Err(ApiError::field("name", "must be 1 to 64 of A-Z a-z 0-9 _ -, a letter or digit first"));
    }
    if RESERVED.iter().chain(RESERVED_GIVEN).any(|word| *word == lower) {
        return Err(ApiError::field("name", "is reserved"));
    }
    if is_id(&slug_of(text)) {
        return Err(ApiError::field("name", "must not have the form of an id"));
    }
    Ok(text)
}

fn cut(slug: &str, bytes: usize) -> &str {
    slug.get(..bytes).unwrap_or(slug).trim_end_matches('-')
}

/// Returns the slug itself if it is free, else the slug with the smallest free suffix from `-2` to `-9999`.
///
/// # Errors
/// `slug_collision_unresolvable`, or a `StoreError`.
pub fn free_slug(conn: &Connection, base: &str) -> Result<String, ApiError> {
    first_free(base, |slug| is_free(conn, slug))
}

/// As [`free_slug`], for an agent whose container gets the slug's name on `node`: the name of another agent's container
/// there is not free either. A container keeps its name if its agent is renamed, or archived without it.
///
/// # Errors
/// Those of [`free_slug`].
pub fn free_slug_with_container(
    conn: &Connection,
    base: &str,
    agent_id: &str,
    node: Option<&NodeName>,
) -> Result<String, ApiError> {
    first_free(base, |slug| {
        let container = ContainerName::for_agent(slug)
            .map_err(|why| ApiError { cause: Some(why.to_string()), ..codes::INTERNAL.into() })?;
        let stored = ContainerPlace { node: node.cloned(), container }.to_string();
        Ok(is_free(conn, slug)? && !container_is_taken(conn, &stored, agent_id)?)
    })
}

fn is_free(conn: &Connection, slug: &str) -> Result<bool, ApiError> {
    Ok(!RESERVED.contains(&slug) && !name_is_taken(conn, slug)?)
}

fn first_free(base: &str, is_free: impl Fn(&str) -> Result<bool, ApiError>) -> Result<String, ApiError> {
    if is_free(base)? {
        return Ok(base.to_owned());
    }
    for number in 2..=LAST_SUFFIX {
        let suffix = format!("-{number}");
        let slug = format!("{}{suffix}", cut(base, SLUG_BYTES - suffix.len()));
        if is_free(&slug)? {
            return Ok(slug);
        }
    }
    Err(codes::SLUG_COLLISION_UNRESOLVABLE.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn slugs_are_made_as_the_contract_says() {
        for (name, slug) in [
            ("Atlas", "atlas"),
            ("Ünïcode", "n-code"),
            ("  A -- b__c ", "a-b-c"),
            ("7 of 9", "7-of-9"),
            ("../../etc/passwd", "etc-passwd"),
            ("日本", ""),
        ] {
            assert_eq!(slug_of(name), slug, "{name}");
        }
        assert_eq!(slug_of(&format!("{}-x", "a".repeat(51))), "a".repeat(51));
        assert_eq!(slug_of(&"b".repeat(60)).len(), 52);
    }

    #[test]
    fn no_name_has_the_form_of_an_id() {
        let id = "0192f3c4-5d6e-7f80-9a1b-2c3d4e5f6071";
        assert!(given_name(id).is_err() && given_name(&id.to_uppercase()).is_err() && !is_slug(id));
        for name in [id, "{0192F3C4-5d6e-7f80-9a1b-2c3d4e5f6071}", " 0192f3c4 5d6e 7f80 9a1b 2c3d4e5f6071."] {
            assert!(display_name(name).is_err(), "{name}");
        }
        assert!(display_name("0192f3c4-5d6e").is_ok());
    }

    #[test]
    fn display_names_are_stripped_and_bounded() {
        assert_eq!(display_name("  Atlas \n").unwrap(), "Atlas");
        for bad in ["", "   ", "日本", "a\u{7}b", &"a".repeat(65)] {
            assert!(display_name(bad).is_err(), "{bad:?}");
        }
        assert!(display_name(&"a".repeat(64)).is_ok());
    }

    #[test]
    fn given_names_are_safe_as_file_names() {
        for good in ["a", "Atlas", "my_agent-7", "7", &"a".repeat(64)] {
            assert_eq!(given_name(good).unwrap(), good);
        }
        for bad in ["", "-a", "_a", "a b", "a/b", "a.b", "ü", "a\n", &"a".repeat(65), "manage", "LIST", "self"] {
            assert!(given_name(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_slug_is_its_own_slug_and_fits_a_container_name(name in ".{0,80}") {
            let slug = slug_of(&name);
            prop_assert_eq!(slug_of(&slug), slug.clone());
            prop_assert!("taos-agent-".len() + slug.len() <= 63);
            prop_assert!(slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert!(!slug.starts_with('-') && !slug.ends_with('-') && !slug.contains("--"));
        }
    }
}
