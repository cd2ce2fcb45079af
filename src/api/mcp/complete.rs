//! Suggested values for the arguments of prompts and templates, as far as the caller may see them (MCP contract,
//! section 3).

use rusqlite::Connection;
use serde_json::{Value, json};

use super::prompts;
use super::resources;
use super::result_body::ResultBody;
use super::server::{Completed, Completion};
use crate::access::{Caller, space_role_on};
use crate::docs;
use crate::store::{self, context};
use crate::time::Micros;

/// The maximum values of one answer.
pub const VALUES: usize = 100;

/// The kind of values that an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentKind {
    /// Paths of pages of the documentation.
    Pages,
    /// Ids of the caller's spaces.
    Spaces,
    /// Keys of a space's context.
    Keys,
    /// Sources of knowledge.
    Sources,
    /// Free input: there are no values to list.
    Free,
}

/// Returns the kind of an argument; `None` if there is no such argument.
pub fn kind(asked: &Completion<'_>) -> Option<ArgumentKind> {
    let Completed::Template(uri) = asked.of else {
        let Completed::Prompt(name) = asked.of else { return None };
        return match (name, asked.argument) {
            (prompts::SYSTEM, "max_bytes") => Some(ArgumentKind::Free),
            (prompts::SYSTEM, "source_id") => Some(ArgumentKind::Sources),
            (prompts::CATCH_UP, "space_id") => Some(ArgumentKind::Spaces),
            _ => None,
        };
    };
    let all = resources::templates();
    all.as_array()?.iter().find(|template| template["uriTemplate"] == uri)?;
    let has = |name: &str| uri.contains(&format!("{{{name}}}")) || uri.contains(&format!("{{+{name}}}"));
    match asked.argument {
        name if !has(name) => None,
        "path" => Some(ArgumentKind::Pages),
        "space_id" => Some(ArgumentKind::Spaces),
        "key" => Some(ArgumentKind::Keys),
        _ => Some(ArgumentKind::Free),
    }
}

/// Returns the values that begin with the typed text, at most [`VALUES`].
pub fn told(values: impl IntoIterator<Item = String>, begun: &str) -> ResultBody {
    let mut fitting = values.into_iter().filter(|value| value.starts_with(begun));
    let values: Vec<String> = fitting.by_ref().take(VALUES).collect();
    ResultBody::object(&json!({"completion": {"values": values, "hasMore": fitting.next().is_some()}}))
}

/// Returns the paths of all pages of the documentation.
pub fn pages() -> impl Iterator<Item = String> {
    docs::PAGES.iter().map(|(path, _)| (*path).to_owned())
}

/// Returns the ids of the caller's spaces.
///
/// # Errors
/// Any `StoreError`.
pub fn spaces(conn: &Connection, caller: &Caller) -> store::Result<Vec<String>> {
    Ok(resources::spaces_of(conn, caller)?.into_iter().map(|space| space.id).collect())
}

/// Returns the context keys of one of the caller's spaces that begin with the typed text: at most [`VALUES`] and one
/// more, which shows that there are more.
///
/// # Errors
/// Any `StoreError`.
pub fn keys(conn: &Connection, caller: &Caller, space_id: &str, begun: &str) -> store::Result<Vec<String>> {
    let now = Micros::now();
    if space_role_on(conn, caller, space_id, now)?.is_none() {
        return Ok(Vec::new());
    }
    context::keys_from(conn, space_id, begun, VALUES as u64 + 1, now)
}

/// Returns the ids of the sources in a reply of `knowledge_sources`.
pub fn sources(list: &Value) -> Vec<String> {
    let rows = list.as_array().into_iter().flatten();
    rows.filter_map(|row| row["source_id"].as_str().map(str::to_owned)).collect()
}
