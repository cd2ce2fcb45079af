//! Small TOML files of texts: a project's `.taos/config.toml` and profiles.

use std::collections::BTreeMap;

/// What such a file says.
pub type Texts = BTreeMap<String, String>;

/// Reads one; `None` for anything but a table of texts without control characters.
pub fn parse(bytes: &[u8]) -> Option<Texts> {
    let table: toml::Table = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    let text = |(name, value): (String, toml::Value)| match value {
        toml::Value::String(text) if !text.contains(char::is_control) => Some((name, text)),
        _ => None,
    };
    table.into_iter().map(text).collect()
}

/// Writes one; what has no value is left out.
pub fn render(pairs: &[(&str, Option<&str>)]) -> String {
    let given = pairs.iter().filter_map(|(name, text)| text.map(|text| ((*name).to_owned(), text)));
    given.map(|(name, text)| format!("{name} = {}\n", toml::Value::from(text))).collect()
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
