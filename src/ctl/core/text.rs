//! Makes text from outside safe for a terminal. Text from a server is never printed as it is: an escape sequence in an
//! agent's name must not move the cursor, and a bidirectional override must not change the order of what a person
//! reads.

use std::fmt::Write as _;

use serde_json::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::rest::text::is_hidden;

/// True for control characters, which a terminal may obey, and for characters that a reader cannot see.
fn is_unsafe(c: char) -> bool {
    c.is_control() || is_hidden(c)
}

/// The text on one line, with unsafe characters written as `\u{...}`.
pub fn clean(text: &str) -> String {
    clean_but(text, &[])
}

/// Like [`clean`], but keeps line ends and tabs.
pub fn clean_lines(text: &str) -> String {
    clean_but(text, &['\n', '\t'])
}

fn clean_but(text: &str, keep: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if keep.contains(&c) || !is_unsafe(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            c => out.extend(c.escape_unicode()),
        }
    }
    out
}

/// A JSON value as text for people, not yet cleaned.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.iter().all(|entry| !entry.is_object() && !entry.is_array()) => {
            if list.is_empty() {
                "-".to_owned()
            } else {
                list.iter().map(plain).collect::<Vec<_>>().join(", ")
            }
        }
        other => other.to_string(),
    }
}

/// JSON on one line. Unsafe characters are escaped inside their strings, which does not change the value.
pub fn json_line(value: &Value) -> String {
    escape(&value.to_string())
}

/// JSON on several lines, with the same escapes.
pub fn json_pretty(value: &Value) -> String {
    escape(&format!("{value:#}"))
}

fn escape(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        // Outside of strings JSON is ASCII only, and serde_json escapes control characters.
        if c != '\n' && is_unsafe(c) {
            // A character beyond the basic plane becomes two escapes (RFC 8259, section 7).
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// The columns of a cleaned text on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The columns of a character on a terminal.
pub fn char_width(c: char) -> usize {
    c.width().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        assert_eq!(clean("a\u{1b}[31mb\u{9b}2J\u{202e}c\r\n"), "a\\u{1b}[31mb\\u{9b}2J\\u{202e}c\\u{d}\\n");
        assert_eq!(clean_lines("a\n\tb\u{7}"), "a\n\tb\\u{7}");
        for c in ['\u{ad}', '\u{61c}', '\u{180e}', '\u{2066}', '\u{3164}', '\u{e0041}', '\u{e01ef}'] {
            assert_eq!(clean(&c.to_string()), format!("\\u{{{:x}}}", u32::from(c)));
            let value = json!(c.to_string());
            assert!(json_line(&value).is_ascii());
            assert_eq!(serde_json::from_str::<Value>(&json_line(&value)).unwrap(), value);
        }
        assert_eq!(clean("日本 é ✔\u{fe0f}"), "日本 é ✔\u{fe0f}");
    }

    proptest! {
        #[test]
        fn json_keeps_its_value_and_holds_nothing_unsafe(text in any::<String>()) {
            let value = json!({"a": text});
            let line = json_line(&value);
            prop_assert!(!line.contains(is_unsafe));
            prop_assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
        }

        #[test]
        fn cleaned_text_is_one_safe_line(text in any::<String>()) {
            prop_assert!(!clean(&text).contains(is_unsafe));
        }
    }
}
