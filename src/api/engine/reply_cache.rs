//! A cache of recent replies. A reply that depends only on the database, the caller, the path and the query is sent
//! again without reading the database, until something is written.
//!
//! A reply belongs to the presented credential and to the state of the database in which the caller's rights were read.
//! It is not used after any commit or after the end of any grant or credential. So it never outlives a right and never
//! reaches another caller.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use hyper::http::StatusCode;

use crate::access::RightsRead;
use crate::limits::{KEPT_BYTES, KEPT_BYTES_EACH, KEPT_REPLIES_EACH};
use crate::rest::head::Head;
use crate::rest::reply::{Body, Decided, Reply};
use crate::secret::SecretHash;
use crate::store::{self, Store, expiry};
use crate::threads::lock;
use crate::time::Micros;

/// The header that asks for a fragment of a page; such replies are not cached.
const HX_REQUEST: HeaderName = HeaderName::from_static("hx-request");
/// How long a reply is cached if nothing is committed. This bounds how long a change made outside the daemon is missed.
const LIFE: Duration = Duration::from_millis(50);
/// The estimated bytes of a cached reply beside its body, path and query.
const OVERHEAD: usize = 512;

/// The cached replies, separate for each caller.
#[derive(Debug, Default)]
pub struct ReplyCache(Mutex<CachedReplies>);

#[derive(Debug, Default)]
struct CachedReplies {
    of: HashMap<SecretHash, Vec<CachedReply>>,
    bytes: usize,
    /// A state of the database, and the time at which the next grant or credential ends in it.
    next_end: Option<(u64, Micros)>,
}

#[derive(Debug)]
struct CachedReply {
    path: String,
    query: String,
    accept: Option<HeaderValue>,
    state: u64,
    /// The version of presence, if the reply depends on it.
    seen: Option<u64>,
    since: Instant,
    until: Micros,
    headers: HeaderMap,
    body: Bytes,
}

/// The state that was read before a reply was made.
#[derive(Debug, Clone, Copy)]
pub struct StateBefore {
    /// The caller's rights.
    pub rights: RightsRead,
    /// The value of [`crate::access::Presence::version`].
    pub seen: u64,
}

impl CachedReply {
    fn size(&self) -> usize {
        self.body.len() + self.path.len() + self.query.len() + OVERHEAD
    }

    fn is_for(&self, head: &Head, accept: Option<&HeaderValue>) -> bool {
        self.path == head.raw_path && self.query == head.query && self.accept.as_ref() == accept
    }

    fn is_good(&self, state: u64, seen: u64, now: Instant) -> bool {
        self.state == state
            && self.seen.is_none_or(|then| then == seen)
            && now.saturating_duration_since(self.since) < LIFE
            && Micros::now() < self.until
    }
}

/// Returns the only `Accept` header of a request. The outer `None` means that the request must not be cached: it has
/// several, or asks for a fragment.
fn accept(head: &Head) -> Option<Option<&HeaderValue>> {
    let mut all = head.headers.get_all(ACCEPT).iter();
    let first = all.next();
    (all.next().is_none() && !head.headers.contains_key(&HX_REQUEST)).then_some(first)
}

impl ReplyCache {
    /// Returns the reply that this caller recently got to the same request, if it is still valid.
    pub fn get(&self, head: &Head, now: StateBefore) -> Option<Reply> {
        let accept = accept(head)?;
        let kept = lock(&self.0);
        let entries = kept.of.get(&now.rights.presented)?;
        let entry = entries.iter().find(|entry| entry.is_for(head, accept))?;
        if !entry.is_good(now.rights.state, now.seen, head.arrived) {
            return None;
        }
        let mut reply = Reply::empty(StatusCode::OK);
        reply.headers = entry.headers.clone();
        reply.body = Body::Bytes(entry.body.clone());
        Some(reply)
    }

    /// Caches a reply if its `decided` is set. `before` was read before the reply was made.
    pub fn put(&self, store: &Store, head: &Head, before: StateBefore, reply: &Reply) {
        let (Some(decided), Body::Bytes(body), Some(accept)) = (reply.decided, &reply.body, accept(head)) else {
            return;
        };
        if reply.status != StatusCode::OK || reply.close || body.len() > KEPT_BYTES_EACH / 2 {
            return;
        }
        let until = match self.next_end(store, before.rights.state) {
            Ok(until) => until,
            Err(error) => return log::warn!("when the next right ends could not be read: {error}"),
        };
        let entry = CachedReply {
            path: head.raw_path.clone(),
            query: head.query.clone(),
            accept: accept.cloned(),
            state: before.rights.state,
            seen: (decided == Decided::ByPresence).then_some(before.seen),
            since: head.arrived,
            until,
            headers: reply.headers.clone(),
            body: body.clone(),
        };
        lock(&self.0).put(before.rights.presented, entry, head);
    }

    fn next_end(&self, store: &Store, state: u64) -> store::Result<Micros> {
        let now = Micros::now();
        if let Some((of, end)) = lock(&self.0).next_end
            && of == state
            && now < end
        {
            return Ok(end);
        }
        let end = store.lookup(|conn| expiry::next_end(conn, now))?;
        lock(&self.0).next_end = Some((state, end));
        Ok(end)
    }
}

impl CachedReplies {
    fn put(&mut self, of: SecretHash, entry: CachedReply, head: &Head) {
        let (now, state) = (head.arrived, entry.state);
        // Delete outdated replies of all callers.
        self.of.retain(|_, entries| {
            entries.retain(|one| one.state >= state && now.saturating_duration_since(one.since) < LIFE);
            !entries.is_empty()
        });
        let own = self.of.entry(of).or_default();
        own.retain(|one| !one.is_for(head, entry.accept.as_ref()));
        own.push(entry);
        while own.len() > KEPT_REPLIES_EACH || sizes(own) > KEPT_BYTES_EACH {
            own.remove(0);
        }
        self.bytes = self.of.values().map(|entries| sizes(entries)).sum();
        // The caller with the most bytes loses its replies.
        while self.bytes > KEPT_BYTES {
            let Some(largest) = self.of.iter().max_by_key(|(_, entries)| sizes(entries)).map(|(of, _)| *of) else {
                break;
            };
            let freed = self.of.remove(&largest).map_or(0, |entries| sizes(&entries));
            self.bytes -= freed;
        }
    }
}

fn sizes(entries: &[CachedReply]) -> usize {
    entries.iter().map(CachedReply::size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(query: &str) -> Head {
        Head { raw_path: "/api/agents".into(), query: query.into(), ..Head::for_test(&[]) }
    }

    fn entry(head: &Head, state: u64, bytes: usize) -> CachedReply {
        CachedReply {
            path: head.raw_path.clone(),
            query: head.query.clone(),
            accept: None,
            state,
            seen: None,
            since: head.arrived,
            until: Micros(i64::MAX),
            headers: HeaderMap::new(),
            body: vec![0; bytes].into(),
        }
    }

    fn of(text: &str, state: u64) -> StateBefore {
        StateBefore { rights: RightsRead { presented: SecretHash::of(text), state }, seen: 0 }
    }

    #[test]
    fn a_reply_belongs_to_its_caller_its_request_and_its_state() {
        let (kept, head) = (ReplyCache::default(), head("limit=1"));
        lock(&kept.0).put(SecretHash::of("a"), entry(&head, 7, 10), &head);
        assert!(kept.get(&head, of("a", 7)).is_some());
        assert!(kept.get(&head, of("b", 7)).is_none(), "another caller");
        assert!(kept.get(&head, of("a", 8)).is_none(), "something was written");
        assert!(kept.get(&self::head("limit=2"), of("a", 7)).is_none(), "another query");
        let later = Head { arrived: head.arrived + LIFE, ..head.clone() };
        assert!(kept.get(&later, of("a", 7)).is_none(), "its time is over");
        let mut markdown = head.clone();
        markdown.headers.insert(ACCEPT, HeaderValue::from_static("text/markdown"));
        assert!(kept.get(&markdown, of("a", 7)).is_none(), "another form");
        let mut fragment = head.clone();
        fragment.headers.insert(HX_REQUEST, HeaderValue::from_static("true"));
        assert!(kept.get(&fragment, of("a", 7)).is_none(), "a fragment");
    }

    #[test]
    fn a_reply_ends_with_the_next_right_and_with_who_is_seen() {
        let (kept, head) = (ReplyCache::default(), head(""));
        let ended = CachedReply { until: Micros(1), ..entry(&head, 7, 10) };
        lock(&kept.0).put(SecretHash::of("a"), ended, &head);
        assert!(kept.get(&head, of("a", 7)).is_none());
        let with_seen = CachedReply { seen: Some(3), ..entry(&head, 7, 10) };
        lock(&kept.0).put(SecretHash::of("a"), with_seen, &head);
        assert!(kept.get(&head, of("a", 7)).is_none());
        assert!(kept.get(&head, StateBefore { seen: 3, ..of("a", 7) }).is_some());
    }

    #[test]
    fn each_caller_and_all_together_have_their_bounds() {
        let kept = ReplyCache::default();
        for n in 0..KEPT_REPLIES_EACH * 2 {
            let head = head(&n.to_string());
            lock(&kept.0).put(SecretHash::of("a"), entry(&head, 1, 10), &head);
        }
        assert_eq!(lock(&kept.0).of[&SecretHash::of("a")].len(), KEPT_REPLIES_EACH);
        let small = head("");
        for n in 0..20 {
            for part in 0..4 {
                let head = head(&part.to_string());
                let of = SecretHash::of(&n.to_string());
                lock(&kept.0).put(of, entry(&head, 1, KEPT_BYTES_EACH / 4), &head);
            }
        }
        lock(&kept.0).put(SecretHash::of("b"), entry(&small, 1, 10), &small);
        let all = lock(&kept.0);
        assert!(all.bytes <= KEPT_BYTES && all.of.values().all(|own| sizes(own) <= KEPT_BYTES_EACH));
        assert!(all.of.contains_key(&SecretHash::of("b")), "who holds little loses nothing to who holds much");
    }

    #[test]
    fn what_is_written_ends_all_that_was_kept() {
        let (kept, head) = (ReplyCache::default(), head(""));
        lock(&kept.0).put(SecretHash::of("a"), entry(&head, 1, 10), &head);
        lock(&kept.0).put(SecretHash::of("b"), entry(&head, 2, 10), &head);
        assert_eq!(lock(&kept.0).of.len(), 1);
    }
}
