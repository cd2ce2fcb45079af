//! Reads `taosd.toml`: at most 256 KiB of a regular file, with the line number of each key.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The most bytes of the file.
const FILE_BYTES: u64 = 256 * 1024;

/// The value of a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Switch(bool),
    List(Vec<Value>),
    Table(Table),
    /// A value that no key accepts: a float, a date, a number beyond 64 bits.
    Other,
}

/// A value and the line number of its key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

/// A table, by key.
pub(super) type Table = BTreeMap<String, Node>;

/// Takes a text out of a table; `None` if the key is missing.
///
/// # Errors
/// A text for people if the value is no text, or an empty one.
pub(super) fn take_text(table: &mut Table, key: &str) -> Result<Option<String>, String> {
    match table.remove(key).map(|node| node.value) {
        None => Ok(None),
        Some(Value::Text(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(format!("{key} must be a text in quotes")),
    }
}

/// Reads the text of a file.
///
/// # Errors
/// A text why the file cannot be read, without the file's name.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let told = |error: std::io::Error| error.to_string();
    // Checked before opening: opening a pipe would wait for a writer.
    if !std::fs::metadata(path).map_err(told)?.is_file() {
        return Err("is not a regular file".into());
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(told)?.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(told)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(format!("is larger than {FILE_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        format!("is not UTF-8 from line {} on", good.iter().filter(|byte| **byte == b'\n').count() + 1)
    })
}

/// Parses as much of a text as possible. Returns the table, and the syntax errors by line. Only the first error of a
/// line is returned, because it causes the others.
pub(super) fn parse(text: &str) -> (Table, BTreeMap<usize, String>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    let lines = LineStarts::of(text);
    let mut wrong = BTreeMap::new();
    for error in errors {
        let line = error.span().map_or(1, |span| lines.at(span.start));
        wrong.entry(line).or_insert_with(|| error.message().to_owned());
    }
    (table(document.get_ref(), &lines), wrong)
}

/// The byte positions at which lines begin.
struct LineStarts(Vec<usize>);

impl LineStarts {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// The line number of a byte, from 1.
    fn at(&self, byte: usize) -> usize {
        self.0.partition_point(|start| *start <= byte)
    }
}

fn table(from: &DeTable<'_>, lines: &LineStarts) -> Table {
    let node = |key: &Spanned<_>, value: &Spanned<DeValue<'_>>| Node {
        line: lines.at(key.span().start),
        value: self::value(value.get_ref(), lines),
    };
    from.iter().map(|(key, value)| (key.get_ref().to_string(), node(key, value))).collect()
}

fn value(from: &DeValue<'_>, lines: &LineStarts) -> Value {
    match from {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Other, Value::Number)
        }
        DeValue::Array(list) => Value::List(list.iter().map(|item| value(item.get_ref(), lines)).collect()),
        DeValue::Table(inner) => Value::Table(table(inner, lines)),
        DeValue::Boolean(on) => Value::Switch(*on),
        DeValue::Float(_) | DeValue::Datetime(_) => Value::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_know_their_lines_and_all_errors_are_told() {
        let (table, wrong) = parse("\na = 1\n[b]\n\nc = ['x', 'y'] # no\nd = 0x_\ne = 'z'\n[b]\na = 1\na = 2\n");
        assert_eq!(table["a"], Node { line: 2, value: Value::Number(1) });
        let Value::Table(b) = &table["b"].value else { panic!("{table:?}") };
        assert_eq!((b["c"].line, b["e"].line), (5, 7));
        assert_eq!(wrong.keys().copied().collect::<Vec<_>>(), [6, 8, 10], "{wrong:?}");
        assert!(wrong[&10].contains("duplicate"), "{wrong:?}");
    }

    #[test]
    fn hostile_nesting_is_an_error_and_no_crash() {
        for text in ["[".repeat(100_000), format!("a = {}", "[".repeat(100_000)), "a.".repeat(100_000)] {
            assert!(!parse(&text).1.is_empty());
        }
        let deep = format!("a = {}1{}", "{b=".repeat(50_000), "}".repeat(50_000));
        assert!(!parse(&deep).1.is_empty());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]{}=\"'\\\\.,#a-c0-9_\\n\\x00é -]{0,200}") {
            let (_, wrong) = parse(&text);
            prop_assert!(wrong.keys().all(|line| *line >= 1 && *line <= text.matches('\n').count() + 1));
            prop_assert_eq!(wrong.is_empty(), text.parse::<toml::Table>().is_ok());
        }
    }
}
