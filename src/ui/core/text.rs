//! Encodes texts for addresses, and shortens texts.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters that need no encoding in a segment of a path or a value of a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The text as a segment of a path, or as a value of a query.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// Shortens a text to so many characters, and adds an ellipsis.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}\u{2026}", text[..at].trim_end()),
        None => text.to_owned(),
    }
}

/// The part of a text that [`cut`] leaves out.
pub(crate) fn rest(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or("", |(at, _)| &text[at..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_is_lost_between_the_parts(text in "[aé€ ]{0,20}", most in 0_usize..20) {
            let begun = cut(&text, most);
            let (begun, rest) = (begun.trim_end_matches('\u{2026}').trim_end(), rest(&text, most));
            prop_assert!(text.starts_with(begun) && text.ends_with(rest));
            prop_assert_eq!(text[begun.len()..text.len() - rest.len()].trim(), "");
        }

        #[test]
        fn a_segment_is_one(text in any::<String>()) {
            prop_assert!(!encoded(&text).contains(['/', '?', '#', '&', '=', ' ', '"', '<']));
        }
    }
}
