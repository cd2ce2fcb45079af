//! Names of files: a client's name without dangerous parts, and its form in a header.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::limits::FILE_NAME_CHARS;

/// The name of a file if nothing is left of the client's name.
const UNNAMED: &str = "file";

/// The characters to escape in an extended value: all but `attr-char` (RFC 8187).
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Returns the last component of a path, without control characters and characters that change the writing direction,
/// cut to 255 bytes.
pub fn safe(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or("");
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain: String = last.chars().filter(|c| !c.is_control() && !turns(*c)).collect();
    let plain = cut(plain.trim());
    if plain.is_empty() || plain.chars().all(|c| c == '.') { UNNAMED.to_owned() } else { plain.to_owned() }
}

fn cut(name: &str) -> &str {
    let mut end = name.len().min(FILE_NAME_CHARS);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].trim_end()
}

/// Returns the value of `Content-Disposition` for a file with this name.
pub(super) fn disposition(name: &str) -> String {
    let plain = |c: char| if c.is_ascii() && !matches!(c, '"' | '\\' | '%') && !c.is_ascii_control() { c } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{}", utf8_percent_encode(name, ATTRIBUTE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_leaves_its_last_component() {
        for (given, left) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\x\\plan.md", "plan.md"),
            ("a/b/", "file"),
            ("..", "file"),
            (".", "file"),
            ("", "file"),
            ("  \u{0} \r\n", "file"),
            ("ok\u{202e}gpj.exe", "okgpj.exe"),
            (".profile", ".profile"),
        ] {
            assert_eq!(safe(given), left, "{given:?}");
        }
        assert_eq!(
            disposition("naïve \"x\".md"),
            "attachment; filename=\"na_ve _x_.md\"; filename*=UTF-8''na%C3%AFve%20%22x%22.md"
        );
    }

    proptest! {
        #[test]
        fn any_name_becomes_one_component_that_may_be_sent(name in any::<String>()) {
            let safe = safe(&name);
            prop_assert!((1..=FILE_NAME_CHARS).contains(&safe.len()) && safe != "." && safe != "..");
            prop_assert!(!safe.contains(['/', '\\', '\0', '\r', '\n']));
            prop_assert_eq!(super::safe(&safe), safe.clone());
            prop_assert!(disposition(&safe).bytes().all(|b| (0x20..0x7f).contains(&b)));
        }
    }
}
