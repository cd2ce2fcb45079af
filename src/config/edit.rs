//! Adds a table to the text of `taosd.toml`, or removes one. All other lines stay as a person wrote them.

use toml::Table;
use toml::de::DeTable;

/// The text with the table `[outer.name]` added at its end.
///
/// # Errors
/// A sentence for a person: the text is not TOML, has that table already, or cannot be extended line by line.
pub fn with_table(text: &str, outer: &str, name: &str, entries: &[(&str, &str)]) -> Result<String, String> {
    let mut wanted = values(text)?;
    if inner(&wanted, outer, name).is_some() {
        return Err(format!("[{outer}.{name}] is there already"));
    }
    let table: Table = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
    let gap = if text.is_empty() || text.ends_with("\n\n") { "" } else { "\n" };
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let changed = format!("{text}{end}{gap}{}", table_text(outer, name, entries));
    let outer_table = wanted.entry(outer).or_insert_with(|| Table::new().into());
    if let Some(all) = outer_table.as_table_mut() {
        all.insert(name.to_owned(), table.into());
    }
    checked(changed, &wanted)
}

/// The text of the table `[outer.name]` alone.
pub fn table_text(outer: &str, name: &str, entries: &[(&str, &str)]) -> String {
    let line = |(key, value): &(&str, &str)| format!("{key} = {}\n", toml::Value::from(*value));
    format!("[{outer}.{name}]\n{}", entries.iter().map(line).collect::<String>())
}

/// The text without the table `[outer.name]`.
///
/// # Errors
/// A sentence for a person: the text is not TOML, has no such table, or writes it in a way that cannot be removed line
/// by line.
pub fn without_table(text: &str, outer: &str, name: &str) -> Result<String, String> {
    let mut wanted = values(text)?;
    if inner(&wanted, outer, name).is_none() {
        return Err(format!("there is no [{outer}.{name}]"));
    }
    if let Some(all) = wanted.get_mut(outer).and_then(toml::Value::as_table_mut) {
        all.remove(name);
        if all.is_empty() {
            wanted.remove(outer);
        }
    }
    let start = line_of_table(text, outer, name).ok_or_else(by_hand)?;
    let (before, from) = text.split_at(start);
    let header = from.find('\n').map_or(from.len(), |at| at + 1);
    let after = from.get(header + lines_of_keys(&from[header..])..).unwrap_or_default();
    if after.trim_end().is_empty() {
        let before = before.trim_end_matches('\n');
        return checked(if before.is_empty() { String::new() } else { format!("{before}\n") }, &wanted);
    }
    // The blank lines before and after the table become those before it.
    let is_parted = before.is_empty() || before.ends_with("\n\n");
    let after = if is_parted { after.trim_start_matches('\n') } else { after };
    checked(format!("{before}{after}"), &wanted)
}

/// The bytes from the start to the end of the last key before the next table. Comments and blank lines behind that key
/// do not belong to the table: they may describe what follows, such as a setting that is commented out.
fn lines_of_keys(text: &str) -> usize {
    let (mut at, mut end) = (0, 0);
    for line in text.split_inclusive('\n') {
        let start = line.trim_start();
        if start.starts_with('[') {
            break;
        }
        at += line.len();
        if !start.is_empty() && !start.starts_with('#') {
            end = at;
        }
    }
    end
}

fn by_hand() -> String {
    "the file writes it in a way that only a person can change".to_owned()
}

fn values(text: &str) -> Result<Table, String> {
    text.parse().map_err(|error: toml::de::Error| format!("it is not TOML: {}", error.message()))
}

fn inner<'a>(all: &'a Table, outer: &str, name: &str) -> Option<&'a toml::Value> {
    all.get(outer)?.as_table()?.get(name)
}

/// The byte position of the line with the table's header. `None` if the table has no header line of its own.
fn line_of_table(text: &str, outer: &str, name: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let tables = document.get_ref().get(outer)?.get_ref().as_table()?;
    let at = tables.iter().find(|(key, _)| key.get_ref() == name)?.0.span().start;
    let start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    text.get(start..at)?.trim_start().starts_with('[').then_some(start)
}

/// Returns the text if it means exactly what is wanted.
fn checked(text: String, wanted: &Table) -> Result<String, String> {
    if values(&text).as_ref() == Ok(wanted) { Ok(text) } else { Err(by_hand()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ENTRIES: &[(&str, &str)] = &[("url", "https://shed.lan"), ("token", "a\"b")];

    #[test]
    fn a_table_comes_to_the_end_and_goes_again_and_comments_stay() {
        let text = "# mine\nlisten = [\"127.0.0.1:1\"] # why\n\n[nodes.barn] # the old one\nurl = \"x\"\n";
        let with = with_table(text, "nodes", "shed", ENTRIES).unwrap();
        assert_eq!(with, format!("{text}\n[nodes.shed]\nurl = \"https://shed.lan\"\ntoken = 'a\"b'\n"));
        assert_eq!(without_table(&with, "nodes", "shed").unwrap(), text);
        let left = without_table(&with, "nodes", "barn").unwrap();
        assert!(
            left.starts_with("# mine\nlisten") && left.contains("[nodes.shed]") && !left.contains("barn"),
            "{left}"
        );
        assert_eq!(with_table("", "nodes", "a", &[("url", "x")]).unwrap(), "[nodes.a]\nurl = \"x\"\n");
        assert_eq!(without_table("[nodes.a]\nurl = \"x\"", "nodes", "a").unwrap(), "");
    }

    #[test]
    fn comments_behind_the_last_key_stay() {
        let packaged = include_str!("../../packaging/taosd.toml");
        let table = "[nodes.shed]\nurl = \"x\"\n# its token\ntoken = \"t\"\n";
        // Before each of its settings, which are commented out.
        let places = packaged.match_indices("\n\n").map(|(at, _)| at + 2);
        for at in places.filter(|at| !packaged[*at..].trim().is_empty()) {
            let (before, after) = packaged.split_at(at);
            assert_eq!(without_table(&format!("{before}{table}\n{after}"), "nodes", "shed").unwrap(), packaged);
        }
        let text = "[nodes.a]\nurl = \"x\" # y\n# about b\n[nodes.b]\nurl = \"z\"\n";
        assert_eq!(without_table(text, "nodes", "a").unwrap(), "# about b\n[nodes.b]\nurl = \"z\"\n");
        let text = "a = 1\n[nodes.a]\nurl = \"\"\"x\n# y\n\n\"\"\"\n#b = 2\n";
        assert_eq!(without_table(text, "nodes", "a").unwrap(), "a = 1\n#b = 2\n");
    }

    #[test]
    fn what_cannot_be_changed_line_by_line_is_left_to_a_person() {
        for text in ["nodes = {shed = {url = \"x\"}}\n", "nodes.shed.url = \"x\"\n", "[nodes]\nshed = {url = \"x\"}\n"]
        {
            assert_eq!(without_table(text, "nodes", "shed").unwrap_err(), by_hand(), "{text}");
            assert!(with_table(text, "nodes", "shed", ENTRIES).unwrap_err().contains("already"));
        }
        assert_eq!(with_table("nodes = {}\n", "nodes", "shed", ENTRIES).unwrap_err(), by_hand());
        assert!(with_table("a = ", "nodes", "shed", ENTRIES).unwrap_err().contains("not TOML"));
        assert!(without_table("a = 1\n", "nodes", "shed").unwrap_err().contains("there is no"));
        // A multi-line string that contains a line like a table header.
        let tricky = "[nodes.shed]\nurl = \"\"\"\n[x]\n\"\"\"\n";
        assert_eq!(without_table(tricky, "nodes", "shed").unwrap_err(), by_hand());
    }

    proptest! {
        #[test]
        fn only_the_lines_of_the_table_go(
            before in "(# [a-z]{0,5}\n|\n){0,4}",
            comments in "(# [a-z]{0,5}\n|\n){0,3}",
            after in "(# [a-z]{0,5}\n|\n){0,4}(\\[t\\]\na = 1\n)?(#b = 2\n){0,2}",
        ) {
            let text = format!("{before}[nodes.n]\n{comments}url = \"x\"\n{after}");
            let left = without_table(&text, "nodes", "n").unwrap();
            let lines = |text: &str| text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(lines(&left), lines(&format!("{before}{after}")));
        }

        #[test]
        fn what_was_added_is_read_back_and_goes_again(
            text in "(# [a-z]{0,5}\n|[a-c] = [0-9]\n|\n|\\[t[a-c]\\]\n){0,6}",
            value in ".{0,20}",
        ) {
            if let Ok(before) = values(&text) {
                let with = with_table(&text, "nodes", "n", &[("url", &value)]).unwrap();
                let read = values(&with).unwrap();
                prop_assert_eq!(inner(&read, "nodes", "n").unwrap()["url"].as_str(), Some(value.as_str()));
                prop_assert_eq!(values(&without_table(&with, "nodes", "n").unwrap()).unwrap(), before);
            }
        }
    }
}
