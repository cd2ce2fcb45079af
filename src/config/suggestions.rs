//! "Did you mean ...?" for an unknown key or variable.

use super::keys::{FILE_VARIABLE, KEYS, PREFIX, tables, variable};
use crate::limits::Limits;

/// The suggestion for an unknown variable; empty if no name is similar.
pub(super) fn for_variable(name: &str) -> String {
    let limits = Limits::KEYS.iter().map(|key| variable(key.name));
    let others = KEYS.iter().map(|key| key.env.to_owned()).filter(|env| !env.is_empty());
    let all: Vec<String> = limits.chain(others).chain([FILE_VARIABLE.to_owned()]).collect();
    // All names begin with the prefix, so it does not count as similarity.
    let ends = all.iter().filter_map(|known| known.strip_prefix(PREFIX));
    let near = nearest(name.strip_prefix(PREFIX).unwrap_or(name), ends);
    did_you_mean(near.map(|end| format!("{PREFIX}{end}")))
}

/// The keys of a table.
fn names_in(table: &str) -> impl Iterator<Item = &'static str> {
    let limits = Limits::KEYS.iter().filter(move |_| table.is_empty()).map(|key| key.name);
    KEYS.iter().filter(move |key| key.table == table && key.name != "NAME").map(|key| key.name).chain(limits)
}

/// The suggestion for an unknown key of a table; empty if no name is similar. At the top of the file the names of
/// tables count as keys.
pub(super) fn for_key(table: &str, key: &str) -> String {
    let own = names_in(table).chain(if table.is_empty() { tables() } else { Vec::new() });
    if let Some(near) = nearest(key, own) {
        return did_you_mean(Some(if table.is_empty() && tables().contains(&near) {
            format!("[{near}]")
        } else {
            near.into()
        }));
    }
    // A key below a table header belongs to that table. A person easily overlooks this.
    if let Some(near) = nearest(key, names_in("").filter(|_| !table.is_empty())) {
        return format!("; {near} belongs to the top of the file, before the first [table]");
    }
    match KEYS.iter().find(|known| known.table != table && known.name == key) {
        Some(known) => format!("; {key} belongs to [{}]", known.table),
        None => String::new(),
    }
}

fn did_you_mean(near: Option<String>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

/// The most similar name, if one is similar enough.
fn nearest<'a>(name: &str, all: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // The cost of the comparison is the product of the lengths, and no known name is longer than this.
    if name.len() > 64 {
        return None;
    }
    let plain = name.to_lowercase().replace('-', "_");
    let plain = if name.chars().any(char::is_lowercase) { plain } else { plain.to_uppercase() };
    let distances = all.map(|known| (strsim::osa_distance(&plain, known), known));
    distances.min().filter(|(distance, known)| *distance <= known.len() / 4 + 1).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_told_the_right_one_and_its_place() {
        for (table, key, meant_is) in [
            ("", "lisen", "; did you mean listen?"),
            ("", "allowed-hosts", "; did you mean allowed_hosts?"),
            ("", "head_timout", "; did you mean head_timeout?"),
            ("", "contaners", "; did you mean [containers]?"),
            ("", "Models", "; did you mean [models]?"),
            ("", "max_agent_pats", "; max_agent_pats belongs to [ax]"),
            ("ax", "fingerprint_polcy", "; did you mean fingerprint_policy?"),
            ("containers", "listen", "; listen belongs to the top of the file, before the first [table]"),
            ("webhook", "wokers", "; workers belongs to the top of the file, before the first [table]"),
            ("containers", "secret_file", "; secret_file belongs to [webhook]"),
            ("", "entirely_else", ""),
        ] {
            assert_eq!(for_key(table, key), meant_is, "[{table}] {key}");
        }
        assert_eq!(for_key("", &"x".repeat(100_000)), "");
        assert_eq!(for_variable("TAOSD_LISTN"), "; did you mean TAOSD_LISTEN?");
        assert_eq!(for_variable("TAOSD_PORT"), "");
    }
}
