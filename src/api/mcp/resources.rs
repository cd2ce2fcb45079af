//! The resources: pages of the documentation, items of knowledge, and the messages, tasks and context of the caller's
//! spaces (MCP contract, section 5). The route of each reads it, with the route's own checks; no URL is ever fetched.

use data_encoding::BASE64URL_NOPAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::access::{Action, Caller, space_role_on};
use crate::docs;
use crate::store::spaces::Space;
use crate::store::{self, context, knowledge, spaces};
use crate::time::Micros;

const SCHEME: &str = "taos://";
/// The maximum resources on a page of the list.
const PAGE: usize = 100;
/// The maximum characters of a name that comes from stored data.
const NAME_CHARS: usize = 120;
/// The maximum bytes of a URI.
const URI_CHARS: usize = 4096;
/// The characters of a key that a URI must escape: all but letters, digits and `-_.~`.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A resource, named by a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A page of the documentation, by its path.
    Doc(String),
    /// An item of knowledge, by its id.
    Knowledge(String),
    /// The newest messages of a space.
    Messages(String),
    /// The newest tasks of a space.
    Tasks(String),
    /// A value of a space's context.
    Context {
        /// The space's id.
        space_id: String,
        /// The key.
        key: String,
    },
}

impl Resource {
    /// Returns the resource that this URI names; `None` if it names none.
    pub fn named(uri: &str) -> Option<Self> {
        if uri.len() > URI_CHARS {
            return None;
        }
        let (kind, rest) = uri.strip_prefix(SCHEME)?.split_once('/')?;
        let is_id = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        match kind {
            "docs" => docs::page(rest).map(|_| Self::Doc(rest.to_owned())),
            "knowledge" => is_id(rest).then(|| Self::Knowledge(rest.to_owned())),
            "spaces" => {
                let (space, rest) = rest.split_once('/').filter(|(space, _)| is_id(space))?;
                let space_id = space.to_owned();
                match rest.split_once('/') {
                    None if rest == "messages" => Some(Self::Messages(space_id)),
                    None if rest == "tasks" => Some(Self::Tasks(space_id)),
                    Some(("context", key)) if !key.is_empty() && !key.contains('/') => {
                        let key = percent_decode_str(key).decode_utf8().ok()?.into_owned();
                        Some(Self::Context { space_id, key })
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Returns the URI, spelled as in the lists.
    pub fn uri(&self) -> String {
        match self {
            Self::Doc(path) => format!("{SCHEME}docs/{path}"),
            Self::Knowledge(id) => format!("{SCHEME}knowledge/{id}"),
            Self::Messages(space_id) => format!("{SCHEME}spaces/{space_id}/messages"),
            Self::Tasks(space_id) => format!("{SCHEME}spaces/{space_id}/tasks"),
            Self::Context { space_id, key } => {
                format!("{SCHEME}spaces/{space_id}/context/{}", utf8_percent_encode(key, KEY))
            }
        }
    }

    /// Returns the id of the space that it belongs to.
    pub fn space(&self) -> Option<String> {
        match self {
            Self::Doc(_) | Self::Knowledge(_) => None,
            Self::Messages(space_id) | Self::Tasks(space_id) | Self::Context { space_id, .. } => Some(space_id.clone()),
        }
    }

    /// True if the caller may read it, now or once it is created, provided that its credential covers the action.
    ///
    /// # Errors
    /// Any `StoreError`.
    pub fn is_there_for(&self, conn: &Connection, caller: &Caller) -> store::Result<bool> {
        Ok(match self {
            Self::Doc(path) => docs::page(path).is_some(),
            Self::Knowledge(id) => knowledge::updated_at(conn, id)?.is_some(),
            Self::Messages(space_id) | Self::Tasks(space_id) | Self::Context { space_id, .. } => {
                space_role_on(conn, caller, space_id, Micros::now())?.is_some()
            }
        })
    }

    /// Returns the action that reading it needs; `None` if anybody may.
    pub fn action(&self) -> Option<Action> {
        match self {
            Self::Doc(_) => None,
            Self::Knowledge(_) => Some(Action::KnowledgeRead),
            Self::Messages(_) => Some(Action::MessagesList),
            Self::Tasks(_) => Some(Action::TasksList),
            Self::Context { .. } => Some(Action::ContextRead),
        }
    }
}

/// Returns the URI templates of the resources.
pub fn templates() -> Value {
    let template = |uri: &str, name: &str, title: &str, about: &str, kind: &str| json!({"uriTemplate": uri, "name": name, "title": title, "description": about, "mimeType": kind});
    json!([
        template(
            "taos://docs/{+path}",
            "docs",
            "Documentation",
            "A page of the daemon's documentation.",
            "text/markdown"
        ),
        template(
            "taos://knowledge/{id}",
            "knowledge",
            "Knowledge",
            "The text of an item of knowledge.",
            "text/markdown"
        ),
        template(
            "taos://spaces/{space_id}/messages",
            "messages",
            "Messages",
            "The newest 50 messages of a space, as messages_list gives them.",
            "application/json",
        ),
        template(
            "taos://spaces/{space_id}/tasks",
            "tasks",
            "Tasks",
            "The newest 50 tasks of a space, as tasks_list gives them.",
            "application/json",
        ),
        template(
            "taos://spaces/{space_id}/context/{key}",
            "context",
            "Context",
            "A value of a space's context. The key is in percent-encoding, slashes too.",
            "text/plain",
        ),
    ])
}

/// Returns the spaces of a caller, sorted by id.
///
/// # Errors
/// Any `StoreError`.
pub fn spaces_of(conn: &Connection, caller: &Caller) -> store::Result<Vec<Space>> {
    let now = Micros::now();
    let mut own = Vec::new();
    for space in spaces::all_of(conn, &caller.grantee(), now)? {
        if space_role_on(conn, caller, &space.id, now)?.is_some() {
            own.push(space);
        }
    }
    own.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(own)
}

/// The position after which a page of the list begins.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ListPlace {
    /// After this many pages of the documentation.
    Docs(usize),
    /// After a space's messages and tasks, and after its keys up to this one.
    Space(String, Option<String>),
}

impl ListPlace {
    fn cursor(&self) -> String {
        let text = match self {
            Self::Docs(count) => format!("docs:{count}"),
            Self::Space(id, key) => format!("space:{id}:{}", key.as_deref().unwrap_or("")),
        };
        BASE64URL_NOPAD.encode(text.as_bytes())
    }

    fn of(cursor: &str) -> Option<Self> {
        let text = String::from_utf8(BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?).ok()?;
        match text.split_once(':')? {
            ("docs", count) => count.parse().ok().filter(|count| *count <= docs::PAGES.len()).map(Self::Docs),
            ("space", rest) => {
                let (id, key) = rest.split_once(':')?;
                Some(Self::Space(id.to_owned(), (!key.is_empty()).then(|| key.to_owned())))
            }
            _ => None,
        }
    }
}

/// A page of the list of resources that the caller may read.
pub struct ResourcePage {
    /// The resources.
    pub resources: Vec<Value>,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<String>,
}

/// Returns the page that a cursor names; `None` for an invalid cursor. `may`: whether the caller's credential covers an
/// action.
///
/// # Errors
/// Any `StoreError`.
pub fn page(
    conn: &Connection,
    caller: &Caller,
    cursor: Option<&str>,
    may: impl Fn(Action) -> bool,
) -> store::Result<Option<ResourcePage>> {
    let place = match cursor.map(ListPlace::of) {
        None => ListPlace::Docs(0),
        Some(Some(place)) => place,
        Some(None) => return Ok(None),
    };
    let mut list = ResourceListing { resources: Vec::new(), last: place.clone() };
    if let ListPlace::Docs(from) = place {
        for (at, (path, text)) in docs::PAGES.iter().enumerate().skip(from) {
            if !list.push(doc(path, text), ListPlace::Docs(at + 1)) {
                return Ok(Some(list.cut()));
            }
        }
    }
    let behind = match &place {
        ListPlace::Docs(_) => None,
        ListPlace::Space(id, key) => Some((id.as_str(), key.as_deref())),
    };
    for space in spaces_of(conn, caller)?.iter().filter(|space| behind.is_none_or(|(id, _)| space.id.as_str() >= id)) {
        let begun = behind.filter(|(id, _)| *id == space.id);
        if begun.is_none() && !list.push_space(space, &may) {
            return Ok(Some(list.cut()));
        }
        if !may(Action::ContextRead) || !may(Action::ContextList) {
            continue;
        }
        let after = begun.and_then(|(_, key)| key).unwrap_or("");
        let room = (PAGE + 1).saturating_sub(list.resources.len());
        for key in context::keys(conn, &space.id, after, room as u64, Micros::now())? {
            if !list.push(value(space, &key), ListPlace::Space(space.id.clone(), Some(key))) {
                return Ok(Some(list.cut()));
            }
        }
    }
    Ok(Some(ResourcePage { resources: list.resources, next: None }))
}

/// A page that is being filled.
struct ResourceListing {
    resources: Vec<Value>,
    last: ListPlace,
}

impl ResourceListing {
    /// Adds a resource; false if the page is full.
    fn push(&mut self, resource: Value, place: ListPlace) -> bool {
        if self.resources.len() >= PAGE {
            return false;
        }
        self.resources.push(resource);
        self.last = place;
        true
    }

    /// Adds a space's messages and tasks, which stay together on one page; false if the page is full.
    fn push_space(&mut self, space: &Space, may: impl Fn(Action) -> bool) -> bool {
        if self.resources.len() + 2 > PAGE {
            return false;
        }
        let name = line(&space.name);
        for (resource, title) in [
            (Resource::Messages(space.id.clone()), format!("Messages in {name}")),
            (Resource::Tasks(space.id.clone()), format!("Tasks in {name}")),
        ] {
            if resource.action().is_none_or(&may) {
                let shown = json!({
                    "uri": resource.uri(), "name": line(&title), "title": line(&title), "mimeType": "application/json",
                });
                self.push(shown, ListPlace::Space(space.id.clone(), None));
            }
        }
        self.last = ListPlace::Space(space.id.clone(), None);
        true
    }

    fn cut(self) -> ResourcePage {
        ResourcePage { next: Some(self.last.cursor()), resources: self.resources }
    }
}

fn doc(path: &str, text: &str) -> Value {
    let title = docs::first_heading(text).unwrap_or_else(|| path.to_owned());
    json!({
        "uri": Resource::Doc(path.to_owned()).uri(),
        "name": path,
        "title": title,
        "mimeType": "text/markdown",
        "size": text.len(),
    })
}

fn value(space: &Space, key: &str) -> Value {
    let resource = Resource::Context { space_id: space.id.clone(), key: key.to_owned() };
    let title = format!("{} in {}", line(key), line(&space.name));
    json!({"uri": resource.uri(), "name": line(key), "title": line(&title), "mimeType": "text/plain"})
}

/// Turns stored data into a name: one short line.
fn line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect()
}

/// Returns the result of reading a resource.
pub fn contents(uri: &str, kind: &str, text: &str) -> Value {
    json!({"contents": [{"uri": uri, "mimeType": kind, "text": text}]})
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_uri_names_what_is_here_and_nothing_else() {
        let named = |uri: &str| Resource::named(uri);
        assert_eq!(named("taos://docs/agents/README"), Some(Resource::Doc("agents/README".into())));
        assert_eq!(named("taos://spaces/a-1/tasks"), Some(Resource::Tasks("a-1".into())));
        assert_eq!(
            named("taos://spaces/a/context/spec%2Fa%20b"),
            Some(Resource::Context { space_id: "a".into(), key: "spec/a b".into() })
        );
        for nothing in [
            "",
            "taos://",
            "taos://docs/",
            "taos://docs/../schema.sql",
            "taos://docs/agents/../agents/README",
            "file:///etc/passwd",
            "http://127.0.0.1/docs",
            "TAOS://docs/agents/README",
            "taos://knowledge/",
            "taos://knowledge/a/b",
            "taos://spaces/a",
            "taos://spaces//tasks",
            "taos://spaces/a/tasks/",
            "taos://spaces/a/uploads",
            "taos://spaces/a/context/",
            "taos://spaces/a/context/a/b",
            "taos://spaces/a/context/%ff",
        ] {
            assert_eq!(named(nothing), None, "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn a_listed_uri_reads_back(key in "\\PC{1,60}", space_id in "[0-9a-f-]{1,36}") {
            let resource = Resource::Context { space_id, key };
            prop_assert_eq!(Resource::named(&resource.uri()), Some(resource));
        }

        #[test]
        fn any_uri_is_read_without_panic(uri in "(taos://)?\\PC{0,80}") {
            let _ = Resource::named(&uri);
        }

        #[test]
        fn a_cursor_reads_back(id in "[0-9a-f-]{1,36}", key in prop::option::of("\\PC{1,40}")) {
            let place = ListPlace::Space(id, key);
            prop_assert_eq!(ListPlace::of(&place.cursor()), Some(place));
        }
    }
}
