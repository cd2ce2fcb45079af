//! The tables of `docs/security.md` are made from the table of routes and the limits: how much one principal can add to
//! the data that the box keeps, and what bounds it.

use taosd::api::engine::growth::{self, BOUNDS, Growth};
use taosd::api::{ApiRoute, routes};
use taosd::limits::{
    AGGREGATES_PER_HOUR, DAY_HOURS, HOUSEHOLD_SHARES, Limits, USER_SHARES, WORDS_FACTOR, WRITE_ROW_BYTES,
};

use crate::generated::{row, section};

const FILE: &str = "docs/security.md";

fn all() -> impl Iterator<Item = &'static ApiRoute> {
    routes().iter().flat_map(|table| table.iter())
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes / 1024 / 1024)
}

#[test]
fn the_allowances_are_those_in_the_code() {
    let limits = Limits::default();
    let (rows, bytes) = limits.write_share();
    let mut table = row(&["Principal", "Rows an hour", "Rows a day", "Bytes an hour", "Bytes a day"])
        + &row(&["---", "---", "---", "---", "---"]);
    for (who, shares) in [
        ("An agent", 1),
        ("All agents of one owner together", HOUSEHOLD_SHARES),
        ("A user, its own sessions and keys included", USER_SHARES),
    ] {
        table += &row(&[
            who,
            &(rows * shares).to_string(),
            &(rows * shares * DAY_HOURS).to_string(),
            &mebibytes(bytes * shares),
            &mebibytes(bytes * shares * DAY_HOURS),
        ]);
    }
    table += &row(&["A peer without a credential", "denials alone", "", "", ""]);
    table += &row(&["The operator's Unix socket", "not bounded", "", "", ""]);
    table += &format!(
        "\nThe charge is {WRITE_ROW_BYTES} bytes for a changed row, the length of the body, {WORDS_FACTOR} times the length of indexed text, \
        and the length of a reply that is stored for an `Idempotency-Key`.\n"
    );
    section(FILE, "allowances", &table);
}

#[test]
fn the_audit_is_bounded_as_the_limits_say() {
    let limits = Limits::default();
    section(
        FILE,
        "audit",
        &format!(
            "The audit keeps rows for {} days (`audit_retention_days`) and at most {} of rows (`audit_max_bytes`). The denials \
            of one principal make at most {AGGREGATES_PER_HOUR} separate rows per hour, and after that one row per minute. The same \
            applies to its repeated actions that the audit counts.",
            limits.audit_retention_days,
            mebibytes(limits.audit_max_bytes)
        ),
    );
}

#[test]
fn the_table_of_writing_routes_is_the_one_in_the_code() {
    let mut table =
        row(&["Route", "What it adds", "What bounds it beside the allowance"]) + &row(&["---", "---", "---"]);
    let mut frees = Vec::new();
    for route in all() {
        let path = format!("`{} {}`", route.method, route.path);
        match growth::of(route) {
            Growth::Reads => {}
            Growth::Frees => frees.push(path),
            Growth::Adds | Growth::AddsWords => {
                let Some(bound) = growth::bound(route.id) else {
                    panic!("{}: name what bounds what it adds, in src/api/engine/growth.rs", route.id)
                };
                table += &row(&[&path, bound.adds, &(bound.most)()]);
            }
        }
    }
    table += "\nThe following routes only delete or mark records, and still work when the allowance is used up: ";
    section(FILE, "routes", &format!("{table}{}.", frees.join(", ")));
}

#[test]
fn every_bound_is_about_a_route_that_adds_and_no_route_has_two() {
    for bound in BOUNDS {
        for id in bound.routes {
            let route = all().find(|route| route.id == *id).unwrap_or_else(|| panic!("{id} is no route"));
            assert!(matches!(growth::of(route), Growth::Adds | Growth::AddsWords), "{id} adds nothing");
            let named = BOUNDS.iter().flat_map(|bound| bound.routes).filter(|other| *other == id).count();
            assert_eq!(named, 1, "{id} stands twice");
        }
    }
}

/// Each row of the threat model names the tests of the defence, or says that there is none.
#[test]
fn every_threat_names_tests_that_are_there_or_is_not_defended() {
    let page = std::fs::read_to_string(crate::pages::root().join(FILE)).expect("the page");
    let model = page.split("## Dependencies").next().unwrap_or_default();
    let rows = model.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| --- "));
    let mut shown = 0;
    for row in rows.filter(|row| !row.ends_with("| Shown by |")) {
        let tests: Vec<&str> = row.split('`').filter(|part| part.starts_with("tests/")).collect();
        for test in &tests {
            assert!(crate::pages::root().join(test).exists(), "{test} is not there: {row}");
        }
        assert!(!tests.is_empty() || row.contains("**not defended**"), "nothing shows it: {row}");
        shown += tests.len();
    }
    assert!(shown > 40, "{shown} tests are named");
}
