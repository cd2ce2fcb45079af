//! The tables of `docs/agents/concepts/permissions.md` are made from the list of actions and the table of routes.

use std::collections::BTreeSet;

use taosd::access::{Action, Scopes};
use taosd::api::{ApiRoute, routes};
use taosd::rest::route::Repeat;

use crate::generated::{plain, row, section};

const FILE: &str = "docs/agents/concepts/permissions.md";

fn all() -> impl Iterator<Item = &'static ApiRoute> {
    routes().iter().flat_map(|table| table.iter())
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

#[test]
fn the_table_of_actions_is_the_list_in_the_code() {
    let used: BTreeSet<&str> = all().filter_map(|route| route.action()).map(Action::slug).collect();
    let mut table = row(&["Action", "What it allows", "Role admin"]) + &row(&["---", "---", "---"]);
    for action in Action::ALL.iter().filter(|action| used.contains(action.slug())) {
        table += &row(&[&code(action.slug()), &plain(action.about()), if action.is_admin() { "needed" } else { "" }]);
    }
    let unused: Vec<String> = Action::ALL.iter().filter(|a| !used.contains(a.slug())).map(|a| code(a.slug())).collect();
    table += "\nThese may stand in scopes too; no route of this version needs them: ";
    section(FILE, "actions", &format!("{table}{}.", unused.join(", ")));
}

#[test]
fn the_default_scope_of_agents_is_the_list_in_the_code() {
    let scopes: Vec<String> = Scopes::agent_default().texts().iter().map(|scope| code(scope)).collect();
    section(FILE, "agent-default", &scopes.join(", "));
}

#[test]
fn the_table_of_routes_is_the_table_in_the_code() {
    let mut table = row(&["Route", "Action", "What it does", "Repeating it"]) + &row(&["---", "---", "---", "---"]);
    for route in all() {
        let path = code(&format!("{} {}", route.method, route.path));
        let action = route.action().map_or("public".to_owned(), |action| code(action.slug()));
        let (name, anchor) = route.doc.split_once('#').unwrap_or((route.doc, ""));
        let hash = if anchor.is_empty() { "" } else { "#" };
        let title = format!("[{}](/docs/agents/{name}.md{hash}{anchor})", plain(route.title));
        let repeat = match route.repeat {
            Repeat::Safe => "safe",
            Repeat::Key => "with `Idempotency-Key`",
            Repeat::Secret => "makes another secret",
        };
        table += &row(&[&path, &action, &title, repeat]);
    }
    section(FILE, "routes", &table);
}
