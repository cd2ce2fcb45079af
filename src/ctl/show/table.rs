//! Tables and records for people.

use serde_json::{Map, Value};

use crate::ctl::core::text::{char_width, clean, clean_lines, plain, width};

/// Columns a cell of a list may take; what is longer is cut, `--json` has it whole.
const CELL: usize = 60;

/// A column: its heading and the field it shows.
pub struct Column(pub &'static str, pub &'static str);

/// A list as an aligned table, its heading first.
pub fn table(columns: &[Column], rows: &[Value]) -> String {
    let heading = columns.iter().map(|column| column.0.to_owned()).collect();
    let cells = |row: &Value| columns.iter().map(|c| cell(row.get(c.1).unwrap_or(&Value::Null))).collect();
    let lines: Vec<Vec<String>> = std::iter::once(heading).chain(rows.iter().map(cells)).collect();
    let widths: Vec<usize> =
        (0..columns.len()).map(|at| lines.iter().map(|line| width(&line[at])).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for line in &lines {
        let mut text = String::new();
        for (cell, wanted) in line.iter().zip(&widths) {
            pad(&mut text, cell, *wanted);
            text.push_str("  ");
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

/// One object, a line a field; an object inside it has lines of its own, longer texts go on under themselves.
pub fn record(object: &Map<String, Value>) -> String {
    let mut lines = Vec::new();
    flatten("", object, &mut lines);
    let widest = lines.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let mut out = String::new();
    for (name, value) in lines {
        let mut text = String::new();
        pad(&mut text, &name, widest);
        text.push_str("  ");
        text.push_str(&value.replace('\n', &format!("\n{}", " ".repeat(widest + 2))));
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

fn flatten(prefix: &str, object: &Map<String, Value>, lines: &mut Vec<(String, String)>) {
    for (name, value) in object {
        let name = format!("{prefix}{}", clean(name));
        match value {
            Value::Object(inner) => flatten(&format!("{name}."), inner, lines),
            other => lines.push((name, clean_lines(plain(other).trim_end()))),
        }
    }
}

fn cell(value: &Value) -> String {
    let text = plain(value);
    // Far more than fits is not worth cleaning.
    let text = clean(&text.chars().take(CELL * 2).collect::<String>());
    if width(&text) <= CELL {
        return if text.is_empty() { "-".to_owned() } else { text };
    }
    let mut left = CELL - 1;
    let mut cut: String = text
        .chars()
        .take_while(|c| {
            let fits = char_width(*c) <= left;
            left -= char_width(*c).min(left);
            fits
        })
        .collect();
    cut.push('…');
    cut
}

fn pad(out: &mut String, text: &str, wanted: usize) {
    out.push_str(text);
    out.extend(std::iter::repeat_n(' ', wanted.saturating_sub(width(text))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn columns_line_up_whatever_is_in_them() {
        let rows = [json!({"a": "x", "b": true}), json!({"a": "字字", "b": null}), json!({"b": ["p", "q"]}), json!(3)];
        let text = table(&[Column("A", "a"), Column("B", "b")], &rows);
        assert_eq!(text, "A     B\nx     yes\n字字  -\n-     p, q\n-     -\n");
    }

    #[test]
    fn a_long_or_hostile_cell_stays_one_short_line() {
        let rows = [json!({"a": "y".repeat(100_000)}), json!({"a": "\u{1b}[2J\n\n"})];
        let text = table(&[Column("A", "a")], &rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(width(lines[1]), CELL);
        assert_eq!(lines[2], "\\u{1b}[2J\\n\\n");
    }

    #[test]
    fn a_record_shows_every_field_and_goes_on_under_itself() {
        let Value::Object(object) = json!({"name": "a", "c": {"d": 1}, "soul_md": "# x\ny\n"}) else { unreachable!() };
        assert_eq!(record(&object), "name     a\nc.d      1\nsoul_md  # x\n         y\n");
    }

    proptest! {
        #[test]
        fn any_rows_make_as_many_lines(texts in proptest::collection::vec(any::<String>(), 0..5)) {
            let rows: Vec<Value> = texts.iter().map(|t| json!({"a": t})).collect();
            prop_assert_eq!(table(&[Column("A", "a")], &rows).lines().count(), rows.len() + 1);
        }
    }
}
