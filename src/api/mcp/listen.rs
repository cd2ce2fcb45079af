//! Change notices: a stream that names the resources that have changed, each at most once a second (MCP contract,
//! section 6). Nothing is replayed, and there are no notices about a space that the caller has left.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::era::Era;
use super::resources::{self, Resource};
use super::result_body::ResultBody;
use crate::access::{self, Caller, space_role_on};
use crate::jobs::events::feed::Feed;
use crate::jobs::events::streams;
use crate::store;
use crate::store::knowledge;
use crate::store::messages::{find, reading};
use crate::time::Micros;

/// The maximum resources of one stream.
pub const URIS: usize = 64;
/// The minimum time between two notices of one resource.
const PAUSE: Duration = Duration::from_secs(1);
/// The messages read in one query.
const BATCH: u64 = 200;
const ID_KEY: &str = "io.modelcontextprotocol/subscriptionId";

/// The state of a stream of notices: the watched resources, and the notices that are due.
pub struct Notices {
    id: Value,
    caller: Caller,
    watched: Vec<WatchedResource>,
    /// The list of resources, if the client wants its changes.
    list: Option<ResourceList>,
    /// When to read what has no topic of its own: items of knowledge, and the caller's spaces.
    look: Mark,
    has_moved: bool,
}

/// A watched resource.
struct WatchedResource {
    uri: String,
    resource: Resource,
    /// The last known state: the last position of messages, or the time when an item of knowledge was written.
    seen: i64,
    /// Whether the messages must be read.
    is_woken: bool,
    told: Mark,
}

/// The list of resources.
struct ResourceList {
    /// The ids and names of the caller's spaces, which appear in the list.
    spaces: Vec<(String, String)>,
    told: Mark,
}

/// The time of the last notice or read, and whether there is news since then.
#[derive(Default)]
struct Mark {
    at: Option<Instant>,
    dirty: bool,
}

impl Mark {
    fn due(&self) -> Option<Instant> {
        self.dirty.then(|| self.at.map_or_else(Instant::now, |at| at + PAUSE))
    }

    /// True if there is news and the pause is over; then the news counts as handled.
    fn take(&mut self, now: Instant) -> bool {
        let is_due = self.dirty && self.at.is_none_or(|at| now >= at + PAUSE);
        if is_due {
            self.dirty = false;
            self.at = Some(now);
        }
        is_due
    }

    /// Returns the result of what the news led to. If it failed, the news is still there, and due after the pause.
    fn kept<T>(&mut self, result: store::Result<T>) -> store::Result<T> {
        self.dirty |= result.is_err();
        result
    }
}

impl WatchedResource {
    fn new(conn: &Connection, uri: String, resource: Resource) -> store::Result<Self> {
        let seen = match &resource {
            Resource::Messages(space_id) => reading::counts(conn, space_id)?.0,
            Resource::Knowledge(id) => written(conn, id)?,
            Resource::Doc(_) | Resource::Tasks(_) | Resource::Context { .. } => 0,
        };
        Ok(Self { uri, resource, seen, is_woken: true, told: Mark::default() })
    }

    /// True if an event on a topic is a change of this resource.
    fn is_changed_by(&self, topic: &str, event: Option<&str>) -> bool {
        match &self.resource {
            Resource::Tasks(space) => event == Some("task") && topic == streams::space(space),
            // A new message wakes the stream without an event; a query then finds whether the caller may see it.
            Resource::Messages(space) => {
                topic == streams::space(space)
                    && event.is_some_and(|name| name.starts_with("message") || name == "reaction")
            }
            Resource::Context { space_id, key } => event == Some(key.as_str()) && topic == streams::context(space_id),
            Resource::Doc(_) | Resource::Knowledge(_) => false,
        }
    }
}

/// Returns the time when an item of knowledge was written, in microseconds; 0 if it is gone.
fn written(conn: &Connection, id: &str) -> store::Result<i64> {
    Ok(knowledge::updated_at(conn, id)?.map_or(0, |at| at.0))
}

/// Returns the ids and names of the caller's spaces.
fn named(conn: &Connection, caller: &Caller) -> store::Result<Vec<(String, String)>> {
    Ok(resources::spaces_of(conn, caller)?.into_iter().map(|space| (space.id, space.name)).collect())
}

impl Notices {
    /// Creates the notices for the request with this id. `resources`: the ones that the caller may read now. `list`:
    /// whether to report changes of the list too.
    ///
    /// # Errors
    /// Any `StoreError`.
    pub fn new(
        conn: &Connection,
        id: Value,
        caller: &Caller,
        resources: Vec<(String, Resource)>,
        list: bool,
    ) -> store::Result<Self> {
        let watched = resources.into_iter().map(|(uri, resource)| WatchedResource::new(conn, uri, resource));
        let watched = watched.collect::<store::Result<_>>()?;
        let list = if list { Some(ResourceList { spaces: named(conn, caller)?, told: Mark::default() }) } else { None };
        // A first read finds changes that happen before the stream is open.
        let look = Mark { dirty: true, ..Mark::default() };
        Ok(Self { id, caller: caller.clone(), watched, list, look, has_moved: false })
    }

    /// Returns the topics that bring news of the watched resources.
    pub fn topics(&self) -> Vec<String> {
        let spaces = self.watched.iter().filter_map(|one| one.resource.space());
        let mut topics: Vec<String> = spaces.flat_map(|id| [streams::space(&id), streams::context(&id)]).collect();
        let of_list = self.list.iter().flat_map(|list| &list.spaces);
        topics.extend(of_list.map(|(id, _)| streams::context(id)));
        if self.list.is_some() || self.watched.iter().any(|one| matches!(one.resource, Resource::Knowledge(_))) {
            topics.push(streams::CHANGES.to_owned());
        }
        topics.sort();
        topics.dedup();
        topics
    }

    fn notice(&self, method: &str, mut params: Value) -> String {
        params["_meta"] = json!({ID_KEY: self.id});
        let notice = json!({"jsonrpc": "2.0", "method": format!("notifications/{method}"), "params": params});
        format!("event: message\ndata: {notice}\n\n")
    }

    /// False if the resource is in a space that the caller has left.
    fn may_be_told(&self, conn: &Connection, resource: &Resource) -> store::Result<bool> {
        let Some(space_id) = resource.space() else { return Ok(true) };
        Ok(space_role_on(conn, &self.caller, &space_id, Micros::now())?.is_some())
    }

    /// Returns whether a space has a newer message that the caller may read, and the last position that was read.
    fn newer(&self, conn: &Connection, space_id: &str, seen: i64) -> store::Result<(bool, i64)> {
        let me = self.caller.principal_key();
        let found = find::after(conn, space_id, &me, seen, BATCH)?;
        let last = found.last().map_or(seen, |(_, seq)| *seq);
        Ok((!found.is_empty(), last))
    }

    /// After a commit: checks whether an item of knowledge was written, or the caller's spaces have changed.
    fn look(&mut self, conn: &Connection) -> store::Result<()> {
        for one in &mut self.watched {
            if let Resource::Knowledge(id) = &one.resource {
                let seen = std::mem::replace(&mut one.seen, written(conn, id)?);
                one.told.dirty |= seen != one.seen;
            }
        }
        if let Some(now) = access::found_again(conn, &self.caller)? {
            self.caller = now;
        }
        if let Some(list) = &mut self.list {
            let spaces = named(conn, &self.caller)?;
            if spaces != list.spaces {
                list.spaces = spaces;
                list.told.dirty = true;
                self.has_moved = true;
            }
        }
        Ok(())
    }
}

impl Feed for Notices {
    fn next(&mut self, conn: &Connection) -> store::Result<Option<String>> {
        let now = Instant::now();
        if self.look.take(now) {
            let looked = self.look(conn);
            self.look.kept(looked)?;
        }
        for at in 0..self.watched.len() {
            let one = &self.watched[at];
            if one.is_woken
                && let Resource::Messages(space_id) = &one.resource
            {
                let (has_news, seen) = self.newer(conn, space_id, one.seen)?;
                let one = &mut self.watched[at];
                // There may be more messages than one query returns.
                one.is_woken = has_news;
                one.seen = seen;
                one.told.dirty |= has_news;
            }
            if !self.watched[at].told.take(now) {
                continue;
            }
            let may_be_told = self.may_be_told(conn, &self.watched[at].resource);
            if self.watched[at].told.kept(may_be_told)? {
                let params = json!({"uri": self.watched[at].uri});
                return Ok(Some(self.notice("resources/updated", params)));
            }
        }
        if self.list.as_mut().is_some_and(|list| list.told.take(now)) {
            return Ok(Some(self.notice("resources/list_changed", json!({}))));
        }
        Ok(None)
    }

    fn tells_events(&self) -> bool {
        false
    }

    fn hears(&mut self, topic: &str, event: Option<&str>) -> bool {
        if topic == streams::CHANGES {
            // The read happens at most once a second, however much is written.
            self.look.dirty = true;
            return false;
        }
        for one in &mut self.watched {
            one.is_woken = true;
            one.told.dirty |= one.is_changed_by(topic, event);
        }
        if topic.starts_with("context:")
            && let Some(list) = &mut self.list
        {
            list.told.dirty = true;
        }
        true
    }

    fn new_topics(&mut self) -> Option<Vec<String>> {
        std::mem::take(&mut self.has_moved).then(|| self.topics())
    }

    fn due(&self) -> Option<Instant> {
        let told = self.watched.iter().map(|one| &one.told).chain(self.list.iter().map(|list| &list.told));
        told.chain([&self.look]).filter_map(Mark::due).min()
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
        let result = ResultBody::default().with_meta(ID_KEY, self.id.clone()).result(Era::Modern);
        Some(format!("event: message\ndata: {{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{result}}}\n\n", self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn news_that_could_not_be_read_are_read_again_after_the_pause() {
        let (mut mark, start) = (Mark { dirty: true, ..Mark::default() }, Instant::now());
        assert!(mark.take(start));
        assert!(mark.kept::<()>(Err(StoreError::Unavailable("busy".into()))).is_err());
        assert_eq!((mark.take(start), mark.take(start + PAUSE)), (false, true));
        assert!(mark.kept(Ok(())).is_ok() && mark.due().is_none());
    }
}
