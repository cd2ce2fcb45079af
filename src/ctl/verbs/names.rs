//! Accepts names where a route takes an id. A text in the form of an id is used as it is; other texts are looked up in
//! a list.

use serde_json::{Map, Value};

use super::paging;
use crate::api::ApiRoute;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::path;
use crate::ctl::core::text;
use crate::ctl::login::session::Session;
use crate::limits::PAGE_MAX;
use crate::rest::field::Field;
use crate::store::is_id;

/// The field that names a space.
const SPACE: &str = "space_id";

/// How to find the last parameter of a path by name.
struct Names {
    /// The path, up to and including the parameter.
    path: &'static str,
    /// The id of the route that lists the candidates.
    list: &'static str,
    /// The field of the reply with the list; empty if the reply is the list.
    rows: &'static str,
    /// The field with the id.
    id: &'static str,
    /// The fields that can contain the name.
    by: &'static [&'static str],
    /// If several rows match, the first is used: the list is newest first.
    newest: bool,
}

impl Names {
    const fn new(path: &'static str, list: &'static str, id: &'static str, by: &'static [&'static str]) -> Self {
        Self { path, list, rows: "", id, by, newest: false }
    }

    const fn in_field(mut self, rows: &'static str) -> Self {
        self.rows = rows;
        self
    }

    const fn newest(mut self) -> Self {
        self.newest = true;
        self
    }
}

/// All path parameters that can be names. Agents and users are missing here because the daemon accepts their names
/// itself.
const NAMES: &[Names] = &[
    Names::new("/api/agents/archived/{id}", "agents_archived_list", "id", &["archived_slug"]),
    Names::new("/api/operations/{id}", "operations_list", "id", &["agent_name"]).newest(),
    Names::new("/api/users/{username}/tokens/{id}", "users_token_list", "id", &["label"]),
    Names::new("/api/knowledge/items/{id}", "knowledge_list", "id", &["title", "source_url"]),
    Names::new("/api/v1/spaces/{space}", "spaces_list", "id", &["slug", "name"]).in_field("spaces"),
    Names::new("/api/v1/spaces/{space}/members/{id}", "spaces_members", "id", &["username", "name"])
        .in_field("members"),
    Names::new("/api/v1/keys/{credential}", "keys_list", "credential_id", &["name"]),
    Names::new("/credentials/{credential}", "credentials_list", "credential_id", &["name"]),
    Names::new("/api/v1/tasks/{task}", "tasks_list", "id", &["title"]).in_field("tasks"),
    Names::new("/api/v1/messages/{id}", "messages_list", "id", &["seq"]).in_field("messages"),
    Names::new("/api/notifications/{id}", "notifications_list", "id", &["title"]).newest(),
    Names::new("/api/grants/{id}", "grants_list", "id", &["principal"]),
    Names::new("/api/v1/uploads/files/{file}", "uploads_list", "attachment_id", &["original_filename"]).newest(),
];

/// Returns the parameters of a path, with names replaced by ids.
///
/// # Errors
/// Several rows have the name, or the server does not reply.
pub fn resolve(session: &Session<'_>, route_path: &str, given: &[&str]) -> Result<Vec<String>, Failure> {
    let mut found: Vec<String> = Vec::new();
    let mut prefix = String::new();
    let mut values = given.iter();
    for segment in route_path.split('/').skip(1) {
        prefix.push('/');
        prefix.push_str(segment);
        if segment.starts_with('{')
            && let Some(value) = values.next()
        {
            let id = match NAMES.iter().find(|names| names.path == prefix) {
                Some(names) if !is_id(value) => {
                    // If several archived agents have the name, `restore` uses the newest. A purge must name
                    // the id.
                    let newest = names.newest || route_path.ends_with("/restore");
                    find(session, names, newest, &found, value)?
                }
                _ => (*value).to_owned(),
            };
            found.push(id);
        }
    }
    Ok(found)
}

/// The id for a name. Returns the text itself if nothing matches, so that the daemon refuses it in its own words.
fn find(session: &Session<'_>, names: &Names, newest: bool, above: &[String], given: &str) -> Result<String, Failure> {
    let rows = match rows(session, names, above) {
        Err(Failure::Refused(_) | Failure::Unexpected(_)) => return Ok(given.to_owned()),
        rows => rows?,
    };
    let id = |row: &Value| row[names.id].as_str().map(str::to_owned);
    if rows.iter().any(|row| row[names.id] == given) {
        return Ok(given.to_owned());
    }
    let is = |row: &&Value| names.by.iter().any(|field| !row[*field].is_null() && text::plain(&row[*field]) == given);
    let mut ids: Vec<String> = rows.iter().filter(is).filter_map(id).collect();
    ids.dedup();
    match ids.as_slice() {
        [] => Ok(given.to_owned()),
        [only] => Ok(only.clone()),
        [first, ..] if newest => Ok(first.clone()),
        several => {
            let detail = format!("{given} is the name of {}: {}.", several.len(), several.join(", "));
            Err(Failure::usage(detail, "Give the id of one of them."))
        }
    }
}

/// Replaces names by ids in the fields of a body or a query.
///
/// # Errors
/// Several rows have the name, or the server does not reply.
fn resolve_fields(session: &Session<'_>, fields: &mut Map<String, Value>) -> Result<(), Failure> {
    for (name, value) in fields.iter_mut() {
        if let ("allowed_agent_ids", Value::Array(given)) = (name.as_str(), &mut *value) {
            for one in given.iter_mut() {
                if let Some(named) = one.as_str().filter(|text| !text.is_empty() && !is_id(text)) {
                    *one = Value::from(agent(session, named)?);
                }
            }
        }
        let Some(given) = value.as_str().filter(|given| !given.is_empty() && !is_id(given)) else { continue };
        let resolved = match name.as_str() {
            SPACE => space(session, given)?,
            "assignee_id" | "bound_agent_id" => agent(session, given)?,
            "actor" if given != "system" && !given.contains(':') => format!("user:{given}"),
            "actor" => match given.split_once(':') {
                Some(("agent", name)) if !is_id(name) => format!("agent:{}", agent(session, name)?),
                _ => continue,
            },
            // `grants create ann atlas viewer`: a user, and an agent.
            "principal" if !given.contains(':') => format!("user:{given}"),
            "resource" if !given.contains(':') => format!("agent:{}", agent(session, given)?),
            "resource" => match given.split_once(':') {
                Some(("agent", agent_name)) if agent_name != "*" && !is_id(agent_name) => {
                    format!("agent:{}", agent(session, agent_name)?)
                }
                Some(("user", username)) if username != "*" && !is_id(username) => {
                    format!("user:{}", user(session, username)?)
                }
                _ => continue,
            },
            _ => continue,
        };
        *value = Value::from(resolved);
    }
    Ok(())
}

/// The beginnings of the paths whose routes use the caller's default space if none is named.
const IN_A_SPACE: &[&str] =
    &["/api/v1/context", "/api/v1/messages", "/api/v1/search", "/api/v1/tasks", "/api/v1/uploads"];

/// Adds the space of the login to the fields of a body or a query, if the route works in a space and none is given. Then
/// replaces names by ids.
///
/// # Errors
/// The same as for [`resolve_fields`].
pub fn complete_fields(
    session: &Session<'_>,
    route: &ApiRoute,
    known: &[Field],
    fields: &mut Map<String, Value>,
) -> Result<(), Failure> {
    if let Some(own) = &session.connection.space_id
        && IN_A_SPACE.iter().any(|path| route.path.starts_with(path))
        && known.iter().any(|field| field.name == SPACE)
        && !fields.contains_key(SPACE)
    {
        fields.insert(SPACE.to_owned(), Value::from(own.as_str()));
    }
    resolve_fields(session, fields)
}

/// The name of the user who runs the command.
///
/// # Errors
/// [`Failure::Usage`] if the credential is an agent's; otherwise any failure of the request.
pub fn own(session: &Session<'_>) -> Result<String, Failure> {
    let route = path::route("auth_whoami");
    let me = session.send_for_json(route, route.path, None)?;
    let name = me["username"].as_str().filter(|_| me["principal"] == "user").map(str::to_owned);
    name.ok_or_else(|| Failure::usage("You are an agent, so this needs the name of a user.", "Name a user."))
}

/// The id of the space to use: the given one (by id, slug or name), otherwise the one of the login.
///
/// # Errors
/// The same as for [`complete_fields`].
pub fn space_or_own(session: &Session<'_>, given: Option<&str>) -> Result<Option<String>, Failure> {
    let meant = given.or(session.connection.space_id.as_deref());
    meant.map(|meant| space(session, meant)).transpose()
}

/// The id of a space given by id, slug or name.
///
/// # Errors
/// The same as for [`complete_fields`].
pub fn space(session: &Session<'_>, given: &str) -> Result<String, Failure> {
    let ids = resolve(session, "/api/v1/spaces/{space}", &[given])?;
    Ok(ids.into_iter().next().unwrap_or_else(|| given.to_owned()))
}

/// The id of an agent given by name. Returns the text itself if there is no such agent.
fn agent(session: &Session<'_>, given: &str) -> Result<String, Failure> {
    id_of(session, "agents_get", given)
}

/// The id of a user given by name. Returns the text itself if there is no such user, or the caller may not see it.
fn user(session: &Session<'_>, given: &str) -> Result<String, Failure> {
    id_of(session, "users_get", given)
}

fn id_of(session: &Session<'_>, route: &str, given: &str) -> Result<String, Failure> {
    let route = path::route(route);
    match session.send_for_json(route, &path::target(route, &[given], &Map::new()), None) {
        Ok(agent) => Ok(agent["id"].as_str().unwrap_or(given).to_owned()),
        Err(Failure::Refused(_)) => Ok(given.to_owned()),
        Err(failure) => Err(failure),
    }
}

fn rows(session: &Session<'_>, names: &Names, above: &[String]) -> Result<Vec<Value>, Failure> {
    let route = path::route(names.list);
    let above: Vec<&str> = above.iter().map(String::as_str).collect();
    let mut query = Map::new();
    complete_fields(session, route, route.query, &mut query)?;
    if names.rows.is_empty() {
        return paging::rows(session, route, &above, query, None);
    }
    if route.query.iter().any(|field| field.name == "limit") {
        query.insert("limit".to_owned(), Value::from(PAGE_MAX));
    }
    match session.send_for_json(route, &path::target(route, &above, &query), None)?[names.rows].take() {
        Value::Array(rows) => Ok(rows),
        _ => Err(Failure::Unexpected("The answer is not a list.".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::routes;

    #[test]
    fn every_place_and_list_is_in_the_table_of_routes() {
        for names in NAMES {
            assert_eq!(path::route(names.list).id, names.list);
            let all = routes().iter().flat_map(|table| table.iter());
            assert!(all.into_iter().any(|route| route.path.starts_with(names.path)), "{}", names.path);
        }
    }
}
