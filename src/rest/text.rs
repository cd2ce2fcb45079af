//! Small rules for texts from outside: byte order marks, texts that are quoted back, and names.

/// The UTF-8 byte order mark, which some editors put at the start of a text.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Removes a byte order mark from the start.
pub fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BOM).unwrap_or(bytes)
}

/// Prepares a name from outside for a reply: its first 64 characters, without control characters.
pub fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// Says in words why a name cannot be part of a path; `None` if it can. The edge treats such a path as an attack.
pub fn segment_problem(name: &str) -> Option<&'static str> {
    line_problem(name).or_else(|| match name {
        "" => Some("must not be empty"),
        "." | ".." => Some("must not be . or .., which no path can hold"),
        _ if name.contains(['/', '\\']) => Some("must not contain a slash or backslash, which no path can hold"),
        _ => None,
    })
}

/// Says in words why a text is not one line; `None` if it is.
pub fn line_problem(text: &str) -> Option<&'static str> {
    text.contains(char::is_control).then_some("must not contain control characters")
}

/// Says in words why a name for people is not a line with a visible character; `None` if it is.
pub fn visible_problem(text: &str) -> Option<&'static str> {
    line_problem(text).or_else(|| text.trim().is_empty().then_some("must have a visible character"))
}

/// True for a character that a reader cannot see, or that changes the order of others: Unicode's format characters,
/// joiners included, fillers, line separators, variation selectors beyond the common ones, and tags.
pub fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Removes a byte order mark from the start of a text.
pub fn without_bom_str(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The pattern of [`segment_problem`], for JSON Schema.
pub const SEGMENT_PATTERN: &str = concat!(
    r"^([^./\\\u0000-\u001f\u007f-\u009f]|\.[^./\\\u0000-\u001f\u007f-\u009f]|\.\.[^/\\\u0000-\u001f\u007f-\u009f])",
    r"[^/\\\u0000-\u001f\u007f-\u009f]*$"
);
/// The pattern of any text, for JSON Schema.
pub const TEXT_PATTERN: &str = r"^[^\u0000]*$";
/// The pattern of [`visible_problem`], for JSON Schema.
pub const VISIBLE_PATTERN: &str =
    r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";
/// The pattern of [`line_problem`], for JSON Schema.
pub const LINE_PATTERN: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_path_can_hold_is_refused() {
        for bad in ["", ".", "..", "a/b", "a\\b", "a\nb", "a\u{85}"] {
            assert!(segment_problem(bad).is_some(), "{bad:?}");
        }
        for good in ["a", "a b", ".a", "a..", "%2f", "日本", "a?b#c"] {
            assert_eq!(segment_problem(good), None, "{good:?}");
        }
    }
}
