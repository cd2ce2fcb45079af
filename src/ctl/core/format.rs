//! The output formats: `-o`, `--json`, `--fields` and `-q`. Commands print replies for programs as JSON, one value per
//! line. At the end that JSON is converted to the other formats.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::text;
use crate::closed_set::closed_set;

closed_set! {
    /// The values of `-o`.
    pub enum Format {
        Table "table" "columns for people, as many as fit";
        Wide "wide" "all columns, uncut";
        Json "json" "the reply on one line";
        Yaml "yaml" "the reply as YAML";
        Jsonl "jsonl" "one row of the reply a line";
        Name "name" "only the names, one a line";
    }
}

/// The line of YAML between two documents.
pub const NEXT_DOCUMENT: &str = "---\n";

/// The choices of the command line. A process runs one command.
static CHOSEN: OnceLock<Chosen> = OnceLock::new();

struct Chosen {
    format: Format,
    quiet: bool,
    fields: Vec<String>,
}

impl Format {
    /// True if the format is for programs.
    pub const fn is_machine(self) -> bool {
        matches!(self, Self::Json | Self::Yaml | Self::Jsonl)
    }

    /// The chosen format; a table before the choice.
    pub fn chosen() -> Self {
        CHOSEN.get().map_or(Self::Table, |chosen| chosen.format)
    }

    /// Stores the choices, once. `word` is the value of `-o`; `fields` are the fields to print of each row, empty for
    /// all.
    pub fn choose(word: Option<&str>, json: bool, quiet: bool, fields: Vec<String>) -> Self {
        let given = word.and_then(|word| Self::from_str(word).ok());
        let format = match given {
            Some(format) => format,
            None if json || !fields.is_empty() => Self::Json,
            None if quiet => Self::Name,
            None => Self::Table,
        };
        CHOSEN.get_or_init(|| Chosen { format, quiet, fields }).format
    }

    /// Converts JSON with one value per line. A line that is not JSON stays as it is. `field` names the rows of an object.
    pub fn of_json_lines(self, lines: &str, field: Option<&str>) -> String {
        let each = |make: &dyn Fn(&Value, &mut String)| {
            let mut out = String::new();
            for line in lines.lines() {
                match serde_json::from_str::<Value>(line) {
                    Ok(value) => make(&value, &mut out),
                    Err(_) => {
                        let _ = writeln!(out, "{line}");
                    }
                }
            }
            out
        };
        match self {
            Self::Yaml => each(&|value, out| {
                // Each value is a document of its own.
                out.push_str(if out.is_empty() { "" } else { NEXT_DOCUMENT });
                yaml(value, 0, out);
            }),
            Self::Jsonl => each(&|value, out| match rows(value, field) {
                Some(rows) => rows.iter().for_each(|row| {
                    let _ = writeln!(out, "{}", text::json_line(row));
                }),
                None => {
                    let _ = writeln!(out, "{}", text::json_line(value));
                }
            }),
            _ => lines.to_owned(),
        }
    }
}

/// True if notes, warnings and progress are not printed.
pub fn is_quiet() -> bool {
    CHOSEN.get().is_some_and(|chosen| chosen.quiet)
}

/// Narrows JSON with one value per line to the chosen fields. Also returns the fields that no row has. `field` names the
/// rows of an object.
pub fn chosen_fields<'a>(lines: &'a str, field: Option<&str>) -> (Cow<'a, str>, Vec<&'static str>) {
    let fields = CHOSEN.get().map_or(&[][..], |chosen| &chosen.fields);
    if fields.is_empty() { (Cow::Borrowed(lines), Vec::new()) } else { narrowed_lines(lines, fields, field) }
}

fn narrowed_lines<'a>(lines: &str, fields: &'a [String], of: Option<&str>) -> (Cow<'static, str>, Vec<&'a str>) {
    let (mut out, mut had, mut rows) = (String::new(), vec![false; fields.len()], 0);
    for line in lines.lines() {
        match serde_json::from_str::<Value>(line) {
            Ok(mut value) => {
                each_row(&mut value, of, &mut |row| {
                    rows += 1;
                    let kept = fields.iter().enumerate().filter_map(|(at, field)| {
                        let value = row.get_mut(field)?.take();
                        had[at] = true;
                        Some((field.clone(), value))
                    });
                    *row = kept.collect();
                });
                let _ = writeln!(out, "{}", text::json_line(&value));
            }
            Err(_) => {
                let _ = writeln!(out, "{line}");
            }
        }
    }
    let missing = fields.iter().zip(had).filter(|(_, had)| !had && rows > 0).map(|(field, _)| field.as_str());
    (Cow::Owned(out), missing.collect())
}

/// Calls `then` for each row of a reply: the rows of its list, or the object itself.
fn each_row(value: &mut Value, field: Option<&str>, then: &mut impl FnMut(&mut Map<String, Value>)) {
    let is_list = rows(value, field).is_some();
    match value {
        Value::Array(rows) => rows.iter_mut().filter_map(Value::as_object_mut).for_each(then),
        Value::Object(object) if is_list => {
            let named = field.filter(|field| object.get(*field).is_some_and(Value::is_array));
            let lists = object.iter_mut().filter(|(name, value)| value.is_array() && named.is_none_or(|n| n == *name));
            lists.for_each(|(_, list)| each_row(list, None, then));
        }
        Value::Object(row) => then(row),
        _ => {}
    }
}

/// The rows of a list: a bare array, the array in this field of an object, or else the only array in it.
fn rows<'a>(value: &'a Value, field: Option<&str>) -> Option<&'a Vec<Value>> {
    match value {
        Value::Array(rows) => Some(rows),
        Value::Object(object) => {
            if let Some(Value::Array(rows)) = field.and_then(|field| object.get(field)) {
                return Some(rows);
            }
            let mut lists = object.values().filter_map(Value::as_array);
            let list = lists.next().filter(|list| list.iter().all(Value::is_object) && !list.is_empty())?;
            // An object with more fields than a list and its page information is one row itself.
            (lists.next().is_none() && object.len() <= 4).then_some(list)
        }
        _ => None,
    }
}

/// The field of a row that names it.
pub fn name_of(row: &Value) -> Option<String> {
    let fields = [
        "credential_id",
        "attachment_id",
        "username",
        "slug",
        "archived_slug",
        "name",
        "key",
        "file",
        "id",
        "source_id",
        "seq",
    ];
    fields.iter().map(|field| &row[*field]).find(|value| value.is_string() || value.is_number()).map(text::plain)
}

/// Writes a value as YAML. A text is in double quotes, unless YAML can read it only as a text.
fn yaml(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (name, value) in object {
                let _ = write!(out, "{pad}{}:", scalar(&Value::from(name.as_str())));
                below(value, indent + 2, out);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for value in list {
                let _ = write!(out, "{pad}-");
                match value {
                    // The first field is on the same line as the dash.
                    Value::Object(object) if !object.is_empty() => {
                        let mut inner = String::new();
                        yaml(value, indent + 2, &mut inner);
                        let _ = write!(out, " {}", inner.trim_start_matches(' '));
                    }
                    value => below(value, indent + 2, out),
                }
            }
        }
        value => {
            let _ = writeln!(out, "{pad}{}", scalar(value));
        }
    }
}

fn below(value: &Value, indent: usize, out: &mut String) {
    let holds = value.as_object().is_some_and(|o| !o.is_empty()) || value.as_array().is_some_and(|l| !l.is_empty());
    if holds {
        out.push('\n');
        yaml(value, indent, out);
    } else {
        let _ = writeln!(out, " {}", scalar(value));
    }
}

fn scalar(value: &Value) -> String {
    let Value::String(text) = value else { return value.to_string() };
    let mut chars = text.chars();
    let is_word = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'));
    // YAML 1.1 or 1.2 reads these words as something else.
    let lower = text.to_ascii_lowercase();
    let means_more = matches!(lower.as_str(), "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null");
    if is_word && !means_more { text.clone() } else { text::json_line(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn yaml_is_nested_by_two_and_quotes_what_it_must() {
        let value = json!({"name": "atlas", "on": "yes", "at": "2026-01-01", "list": [{"a": 1, "b": []}, "x y"], "o": {},
            "n": null});
        let text = Format::Yaml.of_json_lines(&value.to_string(), None);
        let wanted = "name: atlas\n\"on\": \"yes\"\nat: \"2026-01-01\"\nlist:\n  - a: 1\n    b: []\n  - \"x y\"\no: {}\n\"n\": null\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn several_values_are_documents_of_yaml() {
        assert_eq!(Format::Yaml.of_json_lines("{\"a\":1}\n{\"a\":2}\n", None), "a: 1\n---\na: 2\n");
    }

    #[test]
    fn fields_are_taken_of_each_row_in_the_order_asked_for() {
        let fields = ["b".to_owned(), "a".to_owned(), "z".to_owned()];
        for (given, wanted) in [
            ("[{\"a\":1,\"b\":2,\"c\":3},{\"a\":4}]", "[{\"b\":2,\"a\":1},{\"a\":4}]"),
            ("{\"a\":1,\"b\":[],\"c\":3,\"d\":4,\"e\":5}", "{\"b\":[],\"a\":1}"),
            ("{\"items\":[{\"c\":1,\"a\":null}],\"next\":\"n\"}", "{\"items\":[{\"a\":null}],\"next\":\"n\"}"),
        ] {
            assert_eq!(narrowed_lines(given, &fields, None).0, format!("{wanted}\n"));
        }
        assert_eq!(narrowed_lines("{\"a\":1}\n{\"b\":1}", &fields, None).1, ["z"]);
        assert!(narrowed_lines("[]", &fields, None).1.is_empty(), "of nothing nothing is known");
    }

    #[test]
    fn jsonl_is_a_row_a_line() {
        assert_eq!(Format::Jsonl.of_json_lines("[{\"a\":1},{\"a\":2}]\n", None), "{\"a\":1}\n{\"a\":2}\n");
        assert_eq!(Format::Jsonl.of_json_lines("{\"tasks\":[{\"a\":1}]}\n", None), "{\"a\":1}\n");
        assert_eq!(
            Format::Jsonl.of_json_lines("{\"name\":\"a\",\"scope\":[\"x\"]}", None),
            "{\"name\":\"a\",\"scope\":[\"x\"]}\n"
        );
    }

    #[test]
    fn a_list_in_a_named_field_is_one_even_if_empty() {
        assert_eq!(Format::Jsonl.of_json_lines("{\"tasks\":[]}\n", Some("tasks")), "");
        let reply = "{\"messages\":[{\"id\":1,\"b\":2}],\"others\":[{\"b\":2}],\"c\":1,\"d\":1,\"e\":1}";
        assert_eq!(Format::Jsonl.of_json_lines(reply, Some("messages")), "{\"id\":1,\"b\":2}\n");
        let narrowed = "{\"messages\":[{\"id\":1}],\"others\":[{\"b\":2}],\"c\":1,\"d\":1,\"e\":1}\n";
        assert_eq!(narrowed_lines(reply, &["id".to_owned()], Some("messages")).0, narrowed);
    }

    #[test]
    fn one_object_goes_by_its_name() {
        assert_eq!(name_of(&json!({"id": "1", "name": "atlas"})).as_deref(), Some("atlas"));
        assert_eq!(name_of(&json!({"seq": 7})).as_deref(), Some("7"));
        assert_eq!(name_of(&json!({"title": "x"})), None);
    }

    proptest! {
        #[test]
        fn any_text_is_one_line_of_yaml(text in any::<String>()) {
            let line = Format::Yaml.of_json_lines(&json!({"a": text}).to_string(), None);
            prop_assert_eq!(line.lines().count(), 1);
            let value = line.trim_end().strip_prefix("a: ").unwrap();
            if value.starts_with('"') {
                prop_assert_eq!(serde_json::from_str::<String>(value).unwrap(), text);
            } else {
                prop_assert_eq!(value, text);
            }
        }
    }
}
