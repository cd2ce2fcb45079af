//! Tables and records for people.

use serde_json::{Map, Value};

use super::asked::asked;
use super::look::Look;
use super::texts::wrap;
use crate::ctl::core::format::{self, Format};
use crate::ctl::core::text::{char_width, clean, clean_lines, plain, width};
use crate::store::is_id;

/// The most columns of a terminal for a cell of a list. A longer text is cut; `-o wide` and `-o json` show more.
const CELL: usize = 60;
/// The least width to which a text is cut to make room for other columns.
const LEAST: usize = 16;
/// The least width to which a word without blanks is cut.
const LEAST_WORD: usize = 24;
/// The most columns of a list; `-o wide` shows all.
const COLUMNS: usize = 8;
/// The blanks between two columns.
const GAP: usize = 2;
/// The fields that people use as the name of a row.
const NAMES: [&str; 4] = ["archived_slug", "name", "original_filename", "title"];

/// A column: its heading and its field. The first column names the row. If there is no room, the last columns are left
/// out first.
pub struct Column(pub &'static str, pub &'static str);

/// A column with its layout.
struct Laid<'a> {
    heading: String,
    field: &'a str,
    cells: Vec<String>,
    width: usize,
}

impl Laid<'_> {
    /// The least width of the column. Texts with blanks may be cut most, other long texts less, an id never.
    fn least(&self) -> usize {
        let long = || self.cells.iter().filter(|cell| width(cell) > LEAST);
        let least = match () {
            () if long().next().is_none() || long().any(|cell| is_id(cell)) => self.width,
            () if long().any(|cell| cell.contains(' ')) => LEAST,
            () => LEAST_WORD,
        };
        self.width.min(least.max(width(&self.heading)))
    }
}

/// A list as an aligned table with its heading.
pub fn table(columns: &[Column], rows: &[Value]) -> String {
    lay_out(columns, rows, &Look::of_stdout())
}

/// A list as a table for this [`Look`].
pub fn lay_out(columns: &[Column], rows: &[Value], look: &Look) -> String {
    if look.format == Format::Name {
        return rows.iter().map(|row| format!("{}\n", clean(&name(columns, row)))).collect();
    }
    let mut laid = laid(columns, rows, look);
    if look.format != Format::Wide
        && let Some(most) = look.width
    {
        fit(&mut laid, most);
    }
    let mut out = String::new();
    if !(look.is_person && rows.is_empty()) {
        let heading = line(&laid, |column| (column.heading.clone(), column.heading.clone()));
        out.push_str(&look.strong(&heading));
        out.push('\n');
    }
    for (at, row) in rows.iter().enumerate() {
        out.push_str(&line(&laid, |column| {
            let cut = cut(&column.cells[at], column.width);
            let shown = look.coloured(column.field, &state(row, column.field), &cut);
            (cut, shown)
        }));
        out.push('\n');
    }
    out
}

/// The name of a row.
fn name(columns: &[Column], row: &Value) -> String {
    match columns.first() {
        // A position in a list or a time does not name a row.
        Some(Column(_, field)) if !["seq", "at"].contains(field) && !row[*field].is_null() => plain(&row[*field]),
        _ => format::name_of(row).unwrap_or_else(|| plain(row)),
    }
}

/// The columns with their cells: the first few. For `wide` all of them, and every other simple field.
fn laid<'a>(columns: &'a [Column], rows: &'a [Value], look: &Look) -> Vec<Laid<'a>> {
    let is_wide = look.format == Format::Wide;
    let shown = columns.iter().take(if is_wide { usize::MAX } else { COLUMNS });
    let mut all: Vec<(String, &str)> = shown.map(|column| (column.0.to_owned(), column.1)).collect();
    if is_wide {
        for (field, value) in rows.iter().filter_map(Value::as_object).flatten() {
            let is_simple = !value.is_object() && !value.is_null() && value.as_str() != Some("");
            if is_simple && all.iter().all(|(_, known)| known != field) {
                all.push((clean(&field.replace('_', " ").to_uppercase()), field));
            }
        }
    }
    let most = if is_wide { 10 * CELL } else { CELL };
    let lay = |(heading, field): (String, &'a str)| {
        let cells: Vec<String> = rows.iter().map(|row| cell(&look.cell(field, &state(row, field)), most)).collect();
        let widest = cells.iter().map(|cell| width(cell)).max().unwrap_or(0);
        Laid { width: widest.max(width(&heading)), heading, field, cells }
    };
    all.into_iter().map(lay).collect()
}

/// The value of a field as shown. A frozen agent has the status `frozen`, a paused one `paused`, whatever the state of
/// its container. What a request asks for is shown in words.
fn state(row: &Value, field: &str) -> Value {
    match field {
        "status" if row["frozen"] == true => Value::from("frozen"),
        "status" if row["paused"] == true => Value::from("paused"),
        "asked" => asked(row).map_or_else(|| row[field].clone(), Value::from),
        _ => row[field].clone(),
    }
}

/// Leaves out the last columns until the others fit, then cuts the widest texts. A first column of ids is left out
/// first if there is a column with names: every command also accepts a name.
fn fit(columns: &mut Vec<Laid<'_>>, most: usize) {
    let gaps = |n: usize| GAP * n.saturating_sub(1);
    let is_wide = |columns: &[Laid<'_>]| columns.iter().map(Laid::least).sum::<usize>() + gaps(columns.len()) > most;
    let has_ids = columns.first().is_some_and(|first| first.cells.iter().any(|cell| is_id(cell)));
    if has_ids && is_wide(columns) && columns.iter().skip(1).any(|column| NAMES.contains(&column.field)) {
        columns.remove(0);
    }
    while columns.len() > 1 && is_wide(columns) {
        columns.pop();
    }
    let room = most.saturating_sub(gaps(columns.len()));
    loop {
        let over = columns.iter().map(|column| column.width).sum::<usize>().saturating_sub(room);
        let widest = columns.iter_mut().filter(|column| column.width > column.least()).max_by_key(|c| c.width);
        match widest {
            Some(column) if over > 0 => column.width = column.width.saturating_sub(over).max(column.least()),
            _ => break,
        }
    }
    // A single column may still be wider than the terminal.
    if let [only] = columns.as_mut_slice() {
        only.width = only.width.min(most);
    }
}

/// A line of the table. `text` returns the plain text of a cell, and the text as shown.
fn line(columns: &[Laid<'_>], text: impl Fn(&Laid<'_>) -> (String, String)) -> String {
    let mut out = String::new();
    let mut blanks = 0;
    for column in columns {
        let (plain, shown) = text(column);
        out.extend(std::iter::repeat_n(' ', blanks));
        out.push_str(&shown);
        blanks = column.width.saturating_sub(width(&plain)) + GAP;
    }
    out
}

/// One object, one line per field. An object inside it has lines of its own, and long texts continue below their
/// beginning.
pub fn record(object: &Map<String, Value>) -> String {
    record_for(object, &Look::of_stdout())
}

/// One object, for this [`Look`].
pub fn record_for(object: &Map<String, Value>, look: &Look) -> String {
    let whole = Value::Object(object.clone());
    if look.format == Format::Name
        && let Some(name) = format::name_of(&whole)
    {
        return format!("{}\n", clean(&name));
    }
    let mut lines = Vec::new();
    flatten("", object, look, &mut lines);
    if look.is_person && look.format != Format::Wide {
        // Empty values are of no use to people.
        lines.retain(|(_, value, _)| !matches!(value.as_str(), "" | "-"));
    }
    let widest = lines.iter().map(|(name, ..)| width(name)).max().unwrap_or(0);
    let room = look.width.filter(|_| look.format != Format::Wide).map(|most| most.saturating_sub(widest + GAP));
    let mut out = String::new();
    for (name, value, shown) in lines {
        let mut text = String::new();
        text.push_str(&name);
        text.extend(std::iter::repeat_n(' ', widest.saturating_sub(width(&name)) + GAP));
        let below = format!("\n{}", " ".repeat(widest + GAP));
        let shown = match room {
            _ if value.contains('\n') => value.replace('\n', &below),
            Some(room) if width(&value) > room => wrap(&value, room).join(&below),
            _ => shown,
        };
        text.push_str(&shown);
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

fn flatten(prefix: &str, object: &Map<String, Value>, look: &Look, lines: &mut Vec<(String, String, String)>) {
    let whole = Value::Object(object.clone());
    for (field, value) in object {
        let name = format!("{prefix}{}", clean(field));
        match value {
            Value::Object(inner) => flatten(&format!("{name}."), inner, look, lines),
            _ => {
                let value = state(&whole, field);
                let text = clean_lines(look.line(field, &value).trim_end());
                let shown = look.coloured(field, &value, &text);
                lines.push((name, text, shown));
            }
        }
    }
}

fn cell(text: &str, most: usize) -> String {
    // Cleaning much more than fits would be a waste of time.
    let text = clean(&text.chars().take(most * 2).collect::<String>());
    if text.is_empty() { "-".to_owned() } else { cut(&text, most) }
}

/// A cleaned text, cut to at most so many columns.
fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(1);
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

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;
    use serde_json::json;

    fn look(width: Option<usize>) -> Look {
        Look { format: Format::Table, width, is_person: false, colour: false, now: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn columns_line_up_whatever_is_in_them() {
        let rows = [json!({"a": "x", "b": true}), json!({"a": "字字", "b": null}), json!({"b": ["p", "q"]}), json!(3)];
        let text = lay_out(&[Column("A", "a"), Column("B", "b")], &rows, &look(None));
        assert_eq!(text, "A     B\nx     yes\n字字  -\n-     p, q\n-     -\n");
    }

    #[test]
    fn a_long_or_hostile_cell_stays_one_short_line() {
        let rows = [json!({"a": "y".repeat(100_000)}), json!({"a": "\u{1b}[2J\n\n"})];
        let text = lay_out(&[Column("A", "a")], &rows, &look(None));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(width(lines[1]), CELL);
        assert_eq!(lines[2], "\\u{1b}[2J\\n\\n");
    }

    #[test]
    fn the_least_important_is_left_out_and_long_texts_are_cut() {
        let id = "0198c9a0-0000-7000-8000-000000000000";
        let rows =
            [json!({"id": id, "kind": "deploy", "step": "copying the image of the box", "at": "2026-11-28T10:00"})];
        let columns = [Column("ID", "id"), Column("KIND", "kind"), Column("STEP", "step"), Column("AT", "at")];
        let at = |width| lay_out(&columns, &rows, &look(Some(width)));
        assert!(at(100).contains("copying the image of the box  2026-11-28T10:00"), "{}", at(100));
        assert!(at(80).contains("copying the ima…  2026-11-28T10:00"), "{}", at(80));
        assert!(!at(70).contains("AT") && at(70).contains("copying the image"), "{}", at(70));
        assert_eq!(at(50).lines().next(), Some("ID                                    KIND"));
    }

    #[test]
    fn where_rows_have_names_their_ids_are_left_out_first() {
        let rows =
            [json!({"id": "0198c9a0-0000-7000-8000-000000000000", "title": "Sweep the floor", "status": "done"})];
        let columns = [Column("ID", "id"), Column("TITLE", "title"), Column("STATUS", "status")];
        let at = |width| lay_out(&columns, &rows, &look(Some(width)));
        assert!(at(80).starts_with("ID "), "{}", at(80));
        assert_eq!(at(40), "TITLE            STATUS\nSweep the floor  done\n");
        assert_eq!(lay_out(&columns, &rows, &Look { format: Format::Name, ..look(Some(40)) }).trim(), rows[0]["id"]);
    }

    #[test]
    fn a_person_reads_a_record_without_what_is_not_there_and_no_wider_than_the_terminal() {
        let Value::Object(object) =
            json!({"name": "a", "host": "", "model": null, "scope": ["agents.read", "ui.notify"]})
        else {
            unreachable!()
        };
        let person = Look { is_person: true, ..look(Some(20)) };
        assert_eq!(record_for(&object, &person), "name   a\nscope  agents.read,\n       ui.notify\n");
        assert_eq!(record_for(&object, &Look { format: Format::Wide, ..person }).lines().count(), 4);
    }

    #[test]
    fn wide_has_every_simple_field_and_name_only_the_first() {
        let rows = [json!({"name": "a", "host": "h", "container": {"name": "x"}, "nothing": null})];
        let columns = [Column("NAME", "name")];
        let wide = Look { format: Format::Wide, ..look(Some(20)) };
        assert_eq!(lay_out(&columns, &rows, &wide), "NAME  HOST\na     h\n");
        assert_eq!(lay_out(&columns, &rows, &Look { format: Format::Name, ..look(None) }), "a\n");
    }

    #[test]
    fn who_is_paused_or_frozen_reads_so() {
        let rows = [
            json!({"name": "a", "status": "running", "paused": true, "frozen": false}),
            json!({"name": "b", "status": "running", "paused": true, "frozen": true}),
        ];
        let text = lay_out(&[Column("NAME", "name"), Column("STATUS", "status")], &rows, &look(None));
        assert_eq!(text, "NAME  STATUS\na     paused\nb     frozen\n");
    }

    #[test]
    fn a_record_shows_every_field_and_goes_on_under_itself() {
        let Value::Object(object) = json!({"name": "a", "c": {"d": 1}, "soul_md": "# x\ny\n"}) else { unreachable!() };
        assert_eq!(record_for(&object, &look(None)), "name     a\nc.d      1\nsoul_md  # x\n         y\n");
    }

    proptest! {
        #[test]
        fn any_rows_make_as_many_lines_and_none_is_too_long(
            texts in proptest::collection::vec((any::<String>(), any::<String>()), 0..5),
            most in 20_usize..200,
        ) {
            let rows: Vec<Value> = texts.iter().map(|(a, b)| json!({"a": a, "status": b})).collect();
            let text = lay_out(&[Column("A", "a"), Column("B", "status")], &rows, &look(Some(most)));
            prop_assert_eq!(text.lines().count(), rows.len() + 1);
            prop_assert!(text.lines().all(|line| width(line) <= most), "{text}");
        }
    }
}
