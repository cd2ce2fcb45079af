//! Reads lists page by page with the `Link` header, up to `--limit` rows or to the end.

use std::collections::HashSet;

use clap::{Arg, ArgMatches, value_parser};
use serde_json::{Map, Value};

use super::period::Period;
use crate::api::ApiRoute;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::{path, text};
use crate::ctl::login::session::{self, ANSWER_BYTES, Session};
use crate::limits::PAGE_MAX;

/// The bytes that a page counts in addition to its body.
const PAGE_COST: usize = 1024;

/// How much of a list is read; by default all of it.
#[derive(Debug, Default, Clone, Copy)]
pub struct Reach<'a> {
    /// The most rows.
    pub limit: Option<usize>,
    /// Only rows in this period.
    pub period: Period,
    /// Stop after the page with one of these rows, identified by their [`key`].
    pub known: Option<&'a HashSet<String>>,
}

/// The key of a row: its `seq`, or else its id.
pub fn key(row: &Value) -> String {
    if row["seq"].is_null() { text::plain(&row["id"]) } else { text::plain(&row["seq"]) }
}

/// The rows of a list, at most `limit`.
///
/// # Errors
/// A page is refused or is not a list, or the list does not end.
pub fn rows(
    session: &Session<'_>,
    route: &ApiRoute,
    parameters: &[&str],
    query: Map<String, Value>,
    limit: Option<usize>,
) -> Result<Vec<Value>, Failure> {
    rows_of(session, route, parameters, query, Reach { limit, ..Reach::default() })
}

/// The rows of a list within `reach`.
///
/// # Errors
/// The same as for [`rows`].
pub fn rows_of(
    session: &Session<'_>,
    route: &ApiRoute,
    parameters: &[&str],
    mut query: Map<String, Value>,
    reach: Reach<'_>,
) -> Result<Vec<Value>, Failure> {
    let Reach { limit, period, known } = reach;
    if let Some(limit) = limit.filter(|_| period.is_always()) {
        query.insert("limit".to_owned(), Value::from(PAGE_MAX.min(limit as u64)));
    }
    period.ask(route, &mut query);
    let first = path::target(route, parameters, &query);
    let own_path = first.split('?').next().unwrap_or(&first).to_owned();
    let (mut rows, mut bytes, mut next) = (Vec::new(), 0, Some(first));
    while let Some(target) = next.take() {
        let reply = session.send(route, &target, None)?;
        // Each page counts more than its body, so that an endless list of empty pages also ends.
        bytes += reply.body.len() + PAGE_COST;
        let Value::Array(page) = session::json(&reply)? else {
            return Err(Failure::Unexpected("The answer is not a list.".to_owned()));
        };
        let link = reply.header("link").and_then(next_link).filter(|_| !page.is_empty());
        let is_known = known.is_some_and(|known| page.iter().any(|row| known.contains(&key(row))));
        let is_past = period.is_past(&page);
        rows.extend(page.into_iter().filter(|row| period.holds(row)));
        if is_past || is_known || limit.is_some_and(|limit| rows.len() >= limit) {
            break;
        }
        next = link.map(|link| same_list(link, &own_path, &target)).transpose()?;
        if next.is_some() && bytes > ANSWER_BYTES {
            return Err(Failure::Unexpected("The list does not end; --limit makes it shorter.".to_owned()));
        }
    }
    rows.truncate(limit.unwrap_or(usize::MAX));
    Ok(rows)
}

/// `--limit`.
pub fn limit() -> Arg {
    let arg = Arg::new("limit").long("limit").value_name("N").value_parser(value_parser!(u64).range(1..));
    arg.help("Rows to show; all if absent")
}

/// The value of `--limit`.
pub fn rows_wanted(matches: &ArgMatches) -> Option<usize> {
    // A list without pages does not have this flag.
    let limit = matches.try_get_one::<u64>("limit").ok().flatten();
    limit.map(|n| usize::try_from(*n).unwrap_or(usize::MAX))
}

/// The target of `rel="next"` (RFC 8288).
fn next_link(header: &str) -> Option<&str> {
    let (target, parameters) = header.strip_prefix('<')?.split_once('>')?;
    parameters.contains("rel=\"next\"").then_some(target)
}

/// Refuses a link that is not the next page of the same list, because the token is sent with it.
fn same_list(link: &str, path: &str, here: &str) -> Result<String, Failure> {
    let leads_on = link.strip_prefix(path).is_some_and(|rest| rest.starts_with('?')) && link != here;
    if leads_on && link.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(link.to_owned());
    }
    Err(Failure::Unexpected("The answer's link to the next page leads elsewhere.".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_link_onwards_in_the_same_list_is_followed() {
        assert_eq!(next_link("</api/agents?cursor=x>; rel=\"next\""), Some("/api/agents?cursor=x"));
        assert_eq!(next_link("</api/agents?cursor=x>; rel=\"prev\""), None);
        assert!(same_list("/api/agents?cursor=x", "/api/agents", "/api/agents").is_ok());
        for bad in ["http://evil/api/agents?c", "//evil/?c", "/api/agents", "/api/agentsx?c", "/api/agents?c d"] {
            assert!(same_list(bad, "/api/agents", "/api/agents").is_err(), "{bad}");
        }
        assert!(same_list("/api/agents?c", "/api/agents", "/api/agents?c").is_err());
    }
}
