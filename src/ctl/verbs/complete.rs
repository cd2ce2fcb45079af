//! The names that a shell suggests: those that the daemon has now. The daemon has little time to reply; without a reply
//! there are no suggestions.

use std::ffi::OsStr;
use std::time::Duration;

use clap_complete::{ArgValueCompleter, CompletionCandidate};
use serde_json::{Map, Value};

use crate::ctl::core::path;
use crate::ctl::core::text;
use crate::ctl::login::context::Context;
use crate::limits::PAGE_MAX;

/// How long a shell waits for the names.
const PATIENCE: Duration = Duration::from_millis(800);

/// The completer for a path parameter.
pub fn of(path: &str, parameter: &str) -> Option<ArgValueCompleter> {
    match parameter {
        "id" if path.starts_with("/api/agents/archived/") => Some(ArgValueCompleter::new(archived)),
        "name" | "agent" if path.starts_with("/api/agents/") || path.starts_with("/api/v1/agents/") => Some(agents()),
        "id" if path.starts_with("/api/operations/") => Some(ArgValueCompleter::new(operations)),
        "space" => Some(ArgValueCompleter::new(spaces)),
        "username" => Some(ArgValueCompleter::new(users)),
        _ => None,
    }
}

/// The completer for an agent's name.
pub fn agents() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| names("agents_list", "", "name", "status", typed))
}

fn archived(typed: &OsStr) -> Vec<CompletionCandidate> {
    names("agents_archived_list", "", "archived_slug", "archived_at", typed)
}

fn operations(typed: &OsStr) -> Vec<CompletionCandidate> {
    names("operations_list", "", "id", "kind", typed)
}

fn spaces(typed: &OsStr) -> Vec<CompletionCandidate> {
    names("spaces_list", "spaces", "slug", "name", typed)
}

fn users(typed: &OsStr) -> Vec<CompletionCandidate> {
    names("users_list", "", "username", "role", typed)
}

/// The names in a list that begin with the typed text.
fn names(route: &str, rows: &str, name: &str, about: &str, typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let listed = list(route, rows).unwrap_or_default();
    let candidate = |row: &Value| {
        let name = row[name].as_str().filter(|name| name.starts_with(&*typed))?;
        // A name with other characters could be harmful in a shell.
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'));
        let help = text::clean(&text::plain(&row[about]));
        is_plain.then(|| CompletionCandidate::new(name).help(Some(help.into())))
    };
    listed.iter().filter_map(candidate).collect()
}

fn list(route: &str, rows: &str) -> Option<Vec<Value>> {
    let context = Context::without_flags(PATIENCE);
    let session = context.session().ok()?;
    let route = path::route(route);
    let takes_limit = route.query.iter().any(|field| field.name == "limit");
    let query: Map<String, Value> =
        takes_limit.then(|| ("limit".to_owned(), Value::from(PAGE_MAX))).into_iter().collect();
    let mut reply = session.send_for_json(route, &path::target(route, &[], &query), None).ok()?;
    let list = if rows.is_empty() { reply } else { reply[rows].take() };
    list.as_array().cloned()
}
