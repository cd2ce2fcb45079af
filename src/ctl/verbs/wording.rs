//! The texts of routes and their fields as the command line says them. The route table writes them for HTTP.

use clap::Arg;
use hyper::http::Method;

use crate::api::ApiRoute;

/// Words of sentences about what only a request over HTTP can ask for. The help leaves such a sentence out.
const HTTP_ONLY: &[&str] = &["HX-Request", "With wait, "];
/// Query parameters in texts, each with its flag.
const FLAGS: &[(&str, &str)] = &[("all=true", "--all")];
/// The routes that keep what a request leaves out, besides those with PATCH.
const KEEPING: &[&str] = &["agents_permissions", "agents_update"];
/// The end of the sentence about a field's default.
const ABSENT: &str = " if absent";

/// What the help says about a route.
pub fn about(route: &ApiRoute) -> String {
    let is_ours = |sentence: &&str| HTTP_ONLY.iter().all(|words| !sentence.contains(words));
    let kept: String = route.about.split_inclusive(". ").filter(is_ours).collect();
    FLAGS.iter().fold(kept.trim_end().to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
}

/// The flag of a field. A change keeps the fields that are absent, so that the default for a new object is not said.
pub fn flag(route: &ApiRoute, arg: Arg) -> Arg {
    let keeps = route.method == Method::PATCH || KEEPING.contains(&route.id);
    match arg.get_help().filter(|_| keeps).and_then(|help| unchanged(&help.to_string())) {
        Some(help) => arg.help(help),
        None => arg,
    }
}

/// The text with another default. `None` if it has none.
fn unchanged(help: &str) -> Option<String> {
    let (before, after) = help.split_once(ABSENT)?;
    let (about, default) = before.rsplit_once("; ")?;
    Some(match after.strip_prefix(" or empty") {
        Some(after) => format!("{about}; unchanged if absent, {default} if empty{after}"),
        None => format!("{about}; unchanged if absent{after}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::core::path;

    #[test]
    fn a_change_keeps_what_is_absent() {
        let said = |text| unchanged(text).unwrap_or_default();
        assert_eq!(said("The colour, #rrggbb; #888888 if absent."), "The colour, #rrggbb; unchanged if absent.");
        assert_eq!(
            said("All; none if absent or empty. Repeatable"),
            "All; unchanged if absent, none if empty. Repeatable"
        );
        assert_eq!(unchanged("The name."), None);
    }

    #[test]
    fn the_help_says_nothing_about_http() {
        assert_eq!(about(path::route("notifications_count")), "");
        assert!(about(path::route("notifications_list")).ends_with("an agent those that it sent."));
        assert_eq!(about(path::route("operations_get")), "");
        assert!(about(path::route("agents_token_revoke")).ends_with("; --all ends them too."));
        for route in crate::api::routes().iter().flat_map(|table| table.iter()) {
            assert!(!about(route).contains("=true"), "{}", route.id);
        }
        for id in KEEPING {
            path::route(id);
        }
    }
}
