//! Change notices: a stream that says which resources have changed, at most once a second each (MCP contract, section 6).
//! Nothing is replayed, and nothing is told of a space that the caller has left.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::era::Era;
use super::resources::Resource;
use super::told::Told;
use crate::access::{Caller, space_role_on};
use crate::jobs::events::streams::{self, Feed};
use crate::store;
use crate::store::messages::{find, reading};
use crate::time::Micros;

/// Resources of one stream.
pub const URIS: usize = 64;
/// The least time between two notices of one resource.
const PAUSE: Duration = Duration::from_secs(1);
/// Messages looked at in one go.
const BATCH: u64 = 200;
const ID_KEY: &str = "io.modelcontextprotocol/subscriptionId";

/// What is told, and what is still to be told.
pub struct Notices {
    id: Value,
    caller: Caller,
    watched: Vec<Watched>,
    /// The list of resources, where its changes are wanted.
    list: Option<Mark>,
}

/// A resource that is watched.
struct Watched {
    uri: String,
    resource: Resource,
    space_id: String,
    /// The last place of its messages that is known.
    seen: i64,
    told: Mark,
}

/// When something was told last, and whether there is news since.
#[derive(Default)]
struct Mark {
    at: Option<Instant>,
    dirty: bool,
}

impl Mark {
    fn due(&self) -> Option<Instant> {
        self.dirty.then(|| self.at.map_or_else(Instant::now, |at| at + PAUSE))
    }

    /// True, and told now, if there is something to tell and the pause is over.
    fn take(&mut self, now: Instant) -> bool {
        let is_due = self.dirty && self.at.is_none_or(|at| now >= at + PAUSE);
        if is_due {
            self.dirty = false;
            self.at = Some(now);
        }
        is_due
    }
}

impl Notices {
    /// Notices for the request of this id. `uris`: what the caller may read now, each with its space.
    ///
    /// # Errors
    /// The store's.
    pub fn new(
        conn: &Connection,
        id: Value,
        caller: &Caller,
        uris: Vec<(String, Resource, String)>,
        list: bool,
    ) -> store::Result<Self> {
        let mut watched = Vec::new();
        for (uri, resource, space_id) in uris {
            let seen = reading::counts(conn, &space_id)?.0;
            watched.push(Watched { uri, resource, space_id, seen, told: Mark::default() });
        }
        Ok(Self { id, caller: caller.clone(), watched, list: list.then(Mark::default) })
    }

    fn notice(&self, method: &str, mut params: Value) -> String {
        params["_meta"] = json!({ID_KEY: self.id});
        let notice = json!({"jsonrpc": "2.0", "method": format!("notifications/{method}"), "params": params});
        format!("event: message\ndata: {notice}\n\n")
    }

    fn is_member(&self, conn: &Connection, space_id: &str) -> store::Result<bool> {
        Ok(space_role_on(conn, &self.caller, space_id, Micros::now())?.is_some())
    }

    /// Whether a space has a message that the caller may read behind this place; and the last place there is.
    fn newer(&self, conn: &Connection, space_id: &str, seen: i64) -> store::Result<(bool, i64)> {
        let me = self.caller.principal_key();
        let found = find::after(conn, space_id, &me, seen, BATCH)?;
        let last = found.last().map_or(seen, |(_, seq)| *seq);
        Ok((!found.is_empty(), last))
    }
}

impl Feed for Notices {
    fn next(&mut self, conn: &Connection) -> store::Result<Option<String>> {
        let now = Instant::now();
        for at in 0..self.watched.len() {
            let one = &self.watched[at];
            if matches!(one.resource, Resource::Messages(_)) {
                let (has_news, seen) = self.newer(conn, &one.space_id, one.seen)?;
                self.watched[at].seen = seen;
                self.watched[at].told.dirty |= has_news;
            }
            if self.watched[at].told.take(now) && self.is_member(conn, &self.watched[at].space_id)? {
                let params = json!({"uri": self.watched[at].uri});
                return Ok(Some(self.notice("resources/updated", params)));
            }
        }
        if self.list.as_mut().is_some_and(|list| list.take(now)) {
            return Ok(Some(self.notice("resources/list_changed", json!({}))));
        }
        Ok(None)
    }

    fn tells_events(&self) -> bool {
        false
    }

    fn hears(&mut self, topic: &str, event: Option<&str>) {
        for one in &mut self.watched {
            one.told.dirty |= match &one.resource {
                Resource::Tasks(space) => event == Some("task") && topic == streams::space(space),
                // A new message wakes without an event; whether it is one for the caller is looked up.
                Resource::Messages(space) => {
                    topic == streams::space(space)
                        && event.is_some_and(|name| name.starts_with("message") || name == "reaction")
                }
                Resource::Context { space_id, key } => {
                    event == Some(key.as_str()) && topic == streams::context(space_id)
                }
                Resource::Doc(_) | Resource::Knowledge(_) => false,
            };
        }
        if topic.starts_with("context:")
            && let Some(list) = &mut self.list
        {
            list.dirty = true;
        }
    }

    fn due(&self) -> Option<Instant> {
        self.watched.iter().map(|one| &one.told).chain(&self.list).filter_map(Mark::due).min()
    }

    fn hello(&self) -> String {
        let mut honoured = json!({});
        if self.list.is_some() {
            honoured["resourcesListChanged"] = json!(true);
        }
        let uris: Vec<&str> = self.watched.iter().map(|one| one.uri.as_str()).collect();
        if !uris.is_empty() {
            honoured["resourceSubscriptions"] = json!(uris);
        }
        self.notice("subscriptions/acknowledged", json!({"notifications": honoured}))
    }

    fn heartbeat(&self) -> String {
        ": \n\n".to_owned()
    }

    fn farewell(&self) -> Option<String> {
        let result = Told::default().with_meta(ID_KEY, self.id.clone()).result(Era::Modern);
        Some(format!("event: message\ndata: {{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{result}}}\n\n", self.id))
    }
}
