//! The official conformance suite: against the daemon, with the scenarios that need none of the suite's own tools; and
//! against these tools behind the daemon's protocol layer.

use std::process::Command;

use super::{door, packages, run, stand, with_robot};
use crate::support::TempDir;

/// Runs the scenarios that a revision requires. Fails on a failure that is not in the list of expected failures, and on
/// an entry of the list that passes.
fn conforms(url: &str, revision: &str, expected: Option<&str>) {
    let (packages, results) = (packages("suite"), TempDir::new());
    let bin = packages.join("node_modules/.bin");
    let mut suite = Command::new(bin.join("conformance"));
    // The suite needs a newer Node than Debian's; the packages contain one.
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("PATH"));
    suite.env("PATH", path).args(["server", "--url", url, "--requirements", revision, "-o"]).arg(results.path());
    if let Some(expected) = expected {
        let list = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mcp_clients/suite/");
        suite.args(["--expected-failures", &format!("{list}{expected}")]);
    }
    let told = run(&mut suite);
    let total = told.lines().find(|line| line.starts_with("Total:")).unwrap_or_else(|| panic!("no total: {told}"));
    // The suite also runs and counts extensions, and scenarios that no revision requires yet.
    let not_scored = told.lines().find(|line| line.starts_with("Not scored")).unwrap_or_default();
    println!("{url} {revision}: {total} {not_scored}");
}

#[test]
#[ignore = "needs Node, and its package index"]
fn the_daemon_conforms_where_no_tool_of_the_suites_is_needed() {
    let (daemon, robot) = with_robot();
    let door = format!("http://{}/mcp", door::before(&daemon.address, robot.token()));
    conforms(&door, "2026-07-28", Some("box-2026-07-28.yml"));
    conforms(&door, "2025-11-25", Some("box-2025-11-25.yml"));
}

#[test]
#[ignore = "needs Node, and its package index"]
fn the_protocol_layer_conforms_with_the_suites_own_tools_behind_it() {
    let url = stand::open();
    conforms(&url, "2026-07-28", None);
    conforms(&url, "2025-11-25", Some("layer-2025-11-25.yml"));
}
