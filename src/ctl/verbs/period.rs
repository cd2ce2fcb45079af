//! `--since` and `--until`: the rows of a list within a period of time.

use clap::{Arg, ArgMatches};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::api::ApiRoute;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::when;
use crate::ctl::show::table::Column;

/// The fields with the time at which a row was created, in the order to look for them.
const FIELDS: [&str; 4] = ["at", "created_at", "granted_at", "archived_at"];

/// A period of time, which may have no beginning or no end.
#[derive(Debug, Default, Clone, Copy)]
pub struct Period {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// True if rows with these columns have a time.
pub fn has_time(columns: &[Column]) -> bool {
    columns.iter().any(|column| FIELDS.contains(&column.1))
}

/// `--since` and `--until`.
pub fn args() -> [Arg; 2] {
    let arg = |name: &'static str, help: &'static str| Arg::new(name).long(name).value_name("TIME").help(help);
    [
        arg("since", "Only rows from this time on: 2h, 3d, today, yesterday, 2026-01-31 or a full time"),
        arg("until", "Only rows up to this time, written in the same ways"),
    ]
}

impl Period {
    /// Reads the flags.
    ///
    /// # Errors
    /// [`Failure::Usage`] if a value is not a time.
    pub fn asked(matches: &ArgMatches) -> Result<Self, Failure> {
        let now = Timestamp::now();
        let read = |name: &str| {
            let Some(text) = matches.try_get_one::<String>(name).ok().flatten() else { return Ok(None) };
            let wrong =
                || Failure::usage(format!("--{name} {text} is not a time."), "Write 2h, 3d, today or 2026-01-31.");
            when::parse(text, now).map(Some).ok_or_else(wrong)
        };
        Ok(Self { since: read("since")?, until: read("until")? })
    }

    /// True if the period is unbounded.
    pub fn is_always(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    /// Adds the period to the query, if the route has such parameters.
    pub fn ask(&self, route: &ApiRoute, query: &mut Map<String, Value>) {
        for (name, at) in [("since", self.since), ("until", self.until)] {
            if let Some(at) = at.filter(|_| route.query.iter().any(|field| field.name == name)) {
                query.insert(name.to_owned(), Value::from(at.to_string()));
            }
        }
    }

    /// True if a row is within the period.
    pub fn holds(&self, row: &Value) -> bool {
        self.is_always()
            || time(row).is_some_and(|at| self.since.is_none_or(|s| at >= s) && self.until.is_none_or(|u| at <= u))
    }

    /// True if the rows are sorted from new to old and the last is too old. Then no later row is within the period.
    pub fn is_past(&self, rows: &[Value]) -> bool {
        let (Some(since), [first, .., last]) = (self.since, rows) else { return false };
        matches!((time(first), time(last)), (Some(first), Some(last)) if first > last && last < since)
    }
}

fn time(row: &Value) -> Option<Timestamp> {
    FIELDS.iter().find_map(|field| when::of(&row[*field]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_rows_of_the_time_stay_and_old_pages_are_not_asked_for() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let row = |second| json!({"at": at(second).to_string()});
        let period = Period { since: Some(at(10)), until: Some(at(20)) };
        assert_eq!([9, 10, 20, 21].map(|second| period.holds(&row(second))), [false, true, true, false]);
        assert!(!period.holds(&json!({"at": "soon"})));
        assert!(period.is_past(&[row(12), row(9)]) && !period.is_past(&[row(9), row(12)]));
        assert!(!period.is_past(&[row(12), row(11)]));
    }
}
