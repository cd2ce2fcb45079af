//! Small rules for texts from outside: byte order marks, what may be told back, and what a name may be.

/// What editors of some systems put before a text.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The bytes without a byte order mark before them.
pub fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BOM).unwrap_or(bytes)
}

/// A name from outside, cut and without control characters, to be told back.
pub fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// What a name must not be if it is to stand in a path: the edge takes such a path for an attack. The problem, in
/// words.
pub fn segment_problem(name: &str) -> Option<&'static str> {
    line_problem(name).or_else(|| match name {
        "" => Some("must not be empty"),
        "." | ".." => Some("must not be . or .., which no path can hold"),
        _ if name.contains(['/', '\\']) => Some("must not contain a slash or backslash, which no path can hold"),
        _ => None,
    })
}

/// What a text of one line must not hold. The problem, in words.
pub fn line_problem(text: &str) -> Option<&'static str> {
    text.contains(char::is_control).then_some("must not contain control characters")
}

/// What a name for people must be: a line with something to be seen. The problem, in words.
pub fn visible_problem(text: &str) -> Option<&'static str> {
    line_problem(text).or_else(|| text.trim().is_empty().then_some("must have a visible character"))
}

/// True for a character that a reader cannot see, or that changes the order of what is seen: Unicode's format
/// characters, fillers, separators of lines, variation selectors beyond the common ones, and tags. Joiners are among them.
pub fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// The text without a byte order mark before it.
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
