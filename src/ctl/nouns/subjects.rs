//! Names instead of ids: rows that name agents, users or spaces by id get their names.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::ctl::core::path;
use crate::ctl::login::session::Session;
use crate::ctl::verbs::paging;

/// The routes that list agents, with the fields of id and name.
const LISTS: [(&str, &str, &str); 2] = [("agents_list", "id", "name"), ("agents_archived_list", "id", "archived_slug")];

/// Replaces the ids in `agent:ID` and `space:ID`, and in fields with an agent's id, by names.
pub(super) fn named(session: &Session<'_>, rows: &mut [Value]) {
    let names = known(session);
    for row in rows.iter_mut().filter_map(Value::as_object_mut) {
        for field in ["resource", "actor", "holder", "bound_agent_id"] {
            let Some(text) = row.get(field).and_then(Value::as_str) else { continue };
            let (kind, id) = text.split_once(':').map_or(("", text), |(kind, id)| (kind, id));
            let (id, rest) = id.split_at(id.find('/').unwrap_or(id.len()));
            if let Some(name) = names.get(id) {
                let told = if kind.is_empty() { name.clone() } else { format!("{kind}:{name}{rest}") };
                row.insert(field.to_owned(), Value::from(told));
            }
        }
    }
}

/// Replaces ids by the names in the audit rows themselves: `user:ann`, `agent:atlas`.
pub(super) fn called(_: &Session<'_>, rows: &mut [Value]) {
    for row in rows.iter_mut().filter_map(Value::as_object_mut) {
        for (field, called) in [("resource", "resource_name"), ("actor", "actor_name")] {
            let text = |name: &str| row.get(name).and_then(Value::as_str);
            let (Some(subject), Some(name)) = (text(field), text(called)) else { continue };
            let Some((kind, rest)) = subject.split_once(':') else { continue };
            let rest = rest.find('/').map_or("", |at| &rest[at..]);
            let told = format!("{kind}:{name}{rest}");
            row.insert(field.to_owned(), Value::from(told));
        }
    }
}

/// The names by id. A caller who may not list them sees ids.
fn known(session: &Session<'_>) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    let mut add = |rows: Vec<Value>, id: &str, name: &str| {
        for row in rows {
            if let (Some(id), Some(name)) = (row[id].as_str(), row[name].as_str()) {
                names.insert(id.to_owned(), name.to_owned());
            }
        }
    };
    for (list, id, name) in LISTS {
        add(paging::rows(session, path::route(list), &[], Map::new(), None).unwrap_or_default(), id, name);
    }
    let spaces = path::route("spaces_list");
    if let Ok(mut reply) = session.send_for_json(spaces, spaces.path, None)
        && let Value::Array(rows) = reply["spaces"].take()
    {
        add(rows, "id", "slug");
    }
    names
}
