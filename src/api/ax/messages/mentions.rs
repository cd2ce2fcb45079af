//! Mentions: the names after `@` in a text (aX contract, section 9).

use crate::limits::{MENTION_NAMES, NAME_CHARS};

/// True for a character that a name may contain.
fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// True for a character before an `@` that makes it part of an address, such as `a@b.example`, and not a mention.
fn is_of_an_address(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '%' | '@')
}

/// Returns the different names after an `@`, in their order, ignoring case; at most as many as are looked up.
pub fn names(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (at, _) in text.match_indices('@') {
        if text[..at].chars().next_back().is_some_and(is_of_an_address) {
            continue;
        }
        let rest = &text[at + 1..];
        let name = &rest[..rest.find(|c| !is_of_a_name(c)).unwrap_or(rest.len())];
        let starts_well = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if !starts_well || name.len() > NAME_CHARS || !seen.insert(name.to_ascii_lowercase()) {
            continue;
        }
        found.push(name);
        if found.len() == MENTION_NAMES {
            break;
        }
    }
    found
}

/// Returns a name without the dashes at its end, which may belong to the sentence; `None` if it has none.
pub fn without_dashes(name: &str) -> Option<&str> {
    let bare = name.trim_end_matches(['-', '_']);
    (bare.len() < name.len()).then_some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_after_an_at_is_a_mention_and_an_address_is_none() {
        assert_eq!(names("@bob, ask @Ann! (@x-1) Done.@y"), ["bob", "Ann", "x-1", "y"]);
        assert_eq!(names("mail a@b.example, é@c, a_@d, @@e, @, @-f, @ g"), Vec::<&str>::new());
        assert_eq!(names("@bob @BOB @bob"), ["bob"]);
        assert_eq!(names(&format!("@{}", "a".repeat(65))), Vec::<&str>::new());
        assert_eq!(without_dashes("bob-_"), Some("bob"));
        assert_eq!(without_dashes("bob"), None);
    }

    #[test]
    fn of_thousands_only_so_many_are_looked_up() {
        let text: String = (0..5000).map(|n| format!("@n{n} ")).collect();
        assert_eq!(names(&text).len(), MENTION_NAMES);
    }

    proptest! {
        #[test]
        fn any_text_gives_different_names_that_stand_in_it(text in "(@?[a-cA-C é._-]{0,4}){0,40}") {
            let found = names(&text);
            let mut lower: Vec<String> = found.iter().map(|name| name.to_ascii_lowercase()).collect();
            lower.sort();
            lower.dedup();
            prop_assert_eq!(lower.len(), found.len());
            for name in found {
                let mention = format!("@{name}");
                prop_assert!(text.contains(&mention));
                prop_assert!(name.chars().all(is_of_a_name));
            }
        }
    }
}
