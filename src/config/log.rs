//! The log filter: levels, and `target=level` pairs. `env_filter` accepts any word as a target, so the typing error
//! `inof` would silence everything. Here only targets that write lines are accepted.

use super::source::Sources;
use super::source::{Origin, shown};

/// The default filter.
const DEFAULT: &str = "info";
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
/// The targets that must not be silenced completely: the two programs and their modules.
const OWN: [&str; 2] = ["taosd", "taosctl"];
/// The other targets that write lines: the access log, and libraries.
const OTHERS: [&str; 8] = ["access", "hyper", "mio", "r2d2", "rusqlite", "rustls", "tokio", "want"];

/// Returns the error of a filter, if it has one.
fn problem(text: &str) -> Option<String> {
    if let Err(error) = env_filter::Builder::new().try_parse(text) {
        return Some(error.to_string());
    }
    let parts =
        directives(text).map(|part| part.split_once('=').map_or((part, None), |(name, level)| (name, Some(level))));
    let mut own = false;
    for (name, level) in parts {
        let root = name.split("::").next().unwrap_or(name);
        own |= is_level(name) && level.is_none() || OWN.contains(&root);
        if level.is_none() && is_level(name) || OWN.contains(&root) || OTHERS.contains(&root) {
            continue;
        }
        let levels = LEVELS.join(", ");
        return Some(match level {
            None => format!("{} is not a level; the levels are {levels}", shown(name)),
            Some(_) => {
                format!("nothing called {} writes lines; a target is taosd, a part of it, or access", shown(name))
            }
        });
    }
    (!own)
        .then(|| "no line of taosd's own would be written, not even an error; begin with a level, such as info".into())
}

/// The directives between the commas, without the regular expression that may follow a slash.
fn directives(text: &str) -> impl Iterator<Item = &str> {
    text.split('/').next().unwrap_or(text).split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn is_level(word: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
}

/// The log filter from `RUST_LOG`. Other programs read this variable too. If none of its directives is valid here,
/// `info` applies to everything that it does not name.
pub fn filter(rust_log: Option<&str>) -> String {
    match rust_log {
        None | Some("") => DEFAULT.to_owned(),
        Some(text) if directives(text).any(|part| problem(part).is_none()) => text.to_owned(),
        Some(text) => format!("{DEFAULT},{text}"),
    }
}

/// Reads the setting. `RUST_LOG` comes after `TAOSD_LOG` and before the file, because it existed first.
pub(super) fn from_sources(sources: &mut Sources) -> String {
    let set = sources.text(&["log"], "TAOSD_LOG");
    if let Some((text, origin)) = &set
        && let Some(why) = problem(text)
    {
        sources.wrong(origin, format_args!("log: {why}"));
    }
    match (set, sources.var("RUST_LOG")) {
        (Some((text, Origin::Variable(_))), _) => text,
        (_, Some(text)) => {
            sources.origins.insert("log".to_owned(), Origin::Variable("RUST_LOG".to_owned()));
            filter(Some(&text))
        }
        (set, None) => set.map_or_else(|| DEFAULT.to_owned(), |(text, _)| text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_filter_names_levels_and_what_writes_lines() {
        for good in
            ["info", "OFF", "warn,access=off", "taosd=debug", "taosd::store=trace,error", "info/needle", "taosd"]
        {
            assert_eq!(problem(good), None, "{good}");
        }
        for bad in [
            "inof",
            "verbose",
            "all",
            "none",
            "info;debug",
            "info debug",
            "taosd=loud",
            "access=info",
            "hyper=debug",
            "taos=info",
            "info,acess=off",
            ",",
            "",
        ] {
            assert!(problem(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn the_variable_of_other_programs_never_silences_ours() {
        for (set, holds) in [
            ("", "info"),
            ("debug", "debug"),
            ("warn,other=trace", "warn,other=trace"),
            ("taosd=debug", "taosd=debug"),
            ("other=trace", "info,other=trace"),
            ("inof", "info,inof"),
            ("warn,inof", "warn,inof"),
        ] {
            assert_eq!(filter(Some(set)), holds, "{set}");
        }
        assert_eq!(filter(None), "info");
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_panic(text in "[a-z:=,/ ;]{0,30}|\\PC{0,30}") {
            let _ = (problem(&text), filter(Some(&text)));
        }
    }
}
