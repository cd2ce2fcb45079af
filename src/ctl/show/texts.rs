//! Small TOML files of strings, such as a project's `.taos/config.toml`; and breaking long texts into lines.

use std::collections::BTreeMap;

use crate::ctl::core::text::width;

/// The strings of such a file, by key.
pub type Texts = BTreeMap<String, String>;

/// Parses a file. `None` for anything but a table of strings without control characters.
pub fn parse(bytes: &[u8]) -> Option<Texts> {
    let table: toml::Table = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    let text = |(name, value): (String, toml::Value)| match value {
        toml::Value::String(text) if !text.contains(char::is_control) => Some((name, text)),
        _ => None,
    };
    table.into_iter().map(text).collect()
}

/// Writes a file. A key without a value is left out.
pub fn render(pairs: &[(&str, Option<&str>)]) -> String {
    let given = pairs.iter().filter_map(|(name, text)| text.map(|text| ((*name).to_owned(), text)));
    given.map(|(name, text)| format!("{name} = {}\n", toml::Value::from(text))).collect()
}

/// Breaks a text between words into lines of at most so many columns. A single longer word is not broken.
pub fn wrap(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_a_table_of_texts_is_one() {
        assert_eq!(parse(b"url = \"http://a:1\" # x\n").unwrap()["url"], "http://a:1");
        for bad in ["url = 1", "url = [\"a\"]", "[url]\na = \"b\"", "url", "url = \"a\\nb\"", "a = \"x\"\na = \"y\""] {
            assert!(parse(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(parse(&[0xff]).is_none());
    }

    #[test]
    fn a_long_text_is_broken_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("", 8), Vec::<String>::new());
        assert_eq!(wrap("verylongword x", 4), ["verylongword", "x"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_was_written_comes_back(a in "\\PC{0,40}", b in "[ -~]{0,40}") {
            prop_assume!(!a.contains(char::is_control));
            let text = render(&[("a", Some(&a)), ("none", None), ("b_c", Some(&b))]);
            let expected = Texts::from([("a".to_owned(), a), ("b_c".to_owned(), b)]);
            prop_assert_eq!(parse(text.as_bytes()), Some(expected));
        }
    }
}
