//! Users and grants on the command line.

use crate::run::{Ctl, field};
use crate::support::Daemon;

#[test]
fn a_user_is_made_changed_and_deleted() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    assert_eq!(field(&ctl.ok(&["users", "create", "--username", "ann", "--display-name", "Ann"]), "role"), "member");
    assert_eq!(field(&ctl.ok(&["users", "create", "--name", "bob", "--role", "admin"]), "role"), "admin");
    assert_eq!(ctl.ok(&["users", "list"]).lines().count(), 4);
    assert_eq!(field(&ctl.ok(&["users", "get", "ann"]), "display_name"), "Ann");
    assert_eq!(field(&ctl.ok(&["users", "update", "ann", "--disabled"]), "disabled"), "yes");
    assert_eq!(field(&ctl.ok(&["users", "update", "ann", "--no-disabled"]), "disabled"), "no");
    assert_eq!(ctl.ok(&["users", "delete", "ann", "--yes"]), "deleted: ann\n");
    ctl.run(&["users", "get", "ann"]).expect_error(1, "user_not_found");
    ctl.run(&["users", "delete", "operator", "--yes"]).expect_error(1, "cannot_delete_self");
}

#[test]
fn a_grant_is_given_seen_from_the_agent_and_taken_back() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    ctl.ok(&["users", "create", "--username", "ann"]);
    let id = ctl.json(&["agents", "create", "--name", "Atlas"])["id"].as_str().unwrap().to_owned();
    let resource = format!("agent:{id}");
    let args = ["grants", "create", "--principal", "user:ann", "--resource", &resource, "--role", "viewer"];
    let grant = ctl.json(&args)["id"].as_str().unwrap().to_owned();
    assert!(ctl.ok(&["agents", "grants", "atlas"]).contains(&grant));
    assert!(ctl.ok(&["grants", "list", "--principal", "user:ann"]).contains(&grant));
    assert_eq!(ctl.ok(&["grants", "delete", &grant, "--yes"]), format!("deleted: {grant}\n"));
    assert!(!ctl.ok(&["agents", "grants", "atlas"]).contains(&grant));
    ctl.run(&["agents", "grants", "nobody"]).expect_error(1, "agent_not_found");
}
