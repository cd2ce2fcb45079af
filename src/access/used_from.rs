//! From where people's credentials were last used: the peer and the client, in memory only. A box seldom has more than
//! a few. When the table is full, all are forgotten; those in use are recorded again with their next request.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Mutex;

use hyper::header::{HeaderMap, USER_AGENT};

use crate::limits::THROTTLE_ENTRIES;
use crate::rest::head::{Head, Peer};
use crate::threads::lock;

/// The most characters of a client's name that are kept.
const CLIENT: usize = 40;
/// The names of browsers in their `User-Agent`. All of them start with the name of another browser, so the order
/// matters.
const BROWSERS: [&str; 5] = ["Edg", "OPR", "Firefox", "Chrome", "Safari"];

/// The last known origins of this run of the daemon, by credential.
#[derive(Debug, Default)]
pub struct UsedFrom(Mutex<HashMap<String, KnownOrigin>>);

#[derive(Debug)]
struct KnownOrigin {
    peer: Peer,
    /// The hash of the `User-Agent`: the header is parsed again only when the hash changes.
    mark: u64,
    client: String,
}

impl UsedFrom {
    /// Records from where a credential is used.
    pub(super) fn note(&self, credential_id: &str, head: &Head) {
        let mark = mark(&head.headers);
        let mut places = lock(&self.0);
        match places.get_mut(credential_id) {
            Some(place) if place.mark == mark && same(&place.peer, &head.peer) => return,
            Some(place) => return *place = KnownOrigin::of(head, mark),
            None => {}
        }
        if places.len() >= THROTTLE_ENTRIES {
            places.clear();
        }
        places.insert(credential_id.to_owned(), KnownOrigin::of(head, mark));
    }

    /// Returns where a credential was last used: the address and the client's name. `None` if it was not used in this
    /// run.
    pub fn last(&self, credential_id: &str) -> Option<String> {
        lock(&self.0).get(credential_id).map(KnownOrigin::told)
    }
}

impl KnownOrigin {
    fn of(head: &Head, mark: u64) -> Self {
        Self { peer: head.peer.clone(), mark, client: client(&head.headers) }
    }

    fn told(&self) -> String {
        let peer = match &self.peer {
            Peer::Ip(IpAddr::V6(v6)) => v6.to_ipv4_mapped().map_or_else(|| v6.to_string(), |v4| v4.to_string()),
            Peer::Ip(v4) => v4.to_string(),
            Peer::Unix { .. } => "the box's own socket".to_owned(),
            Peer::Agent { id } => format!("the socket of agent {id}"),
        };
        if self.client.is_empty() { peer } else { format!("{peer}, {}", self.client) }
    }
}

/// True if both are the same place; different processes on the box's own socket count as the same.
fn same(a: &Peer, b: &Peer) -> bool {
    matches!((a, b), (Peer::Unix { .. }, Peer::Unix { .. })) || a == b
}

fn mark(headers: &HeaderMap) -> u64 {
    let mut hasher = DefaultHasher::new();
    headers.get(USER_AGENT).map(|value| value.as_bytes()).hash(&mut hasher);
    hasher.finish()
}

/// The client's name: the browser's, or else the first word of the `User-Agent`.
fn client(headers: &HeaderMap) -> String {
    let Some(text) = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()) else { return String::new() };
    let browser = BROWSERS
        .iter()
        .find(|name| text.starts_with("Mozilla/") && text.split(' ').any(|word| word.split('/').next() == Some(name)));
    match browser {
        Some(&"Edg") => "Edge".to_owned(),
        Some(&"OPR") => "Opera".to_owned(),
        Some(name) => (*name).to_owned(),
        None => text.split_whitespace().next().unwrap_or("").chars().take(CLIENT).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use hyper::http::Method;
    use proptest::prelude::*;

    use super::*;

    fn head(peer: Peer, agent: &str) -> Head {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, agent.parse().unwrap());
        Head {
            method: Method::GET,
            raw_path: "/".into(),
            segments: Vec::new(),
            query: String::new(),
            headers,
            peer,
            foreign_host: false,
            request_id: "r".into(),
            arrived: Instant::now(),
        }
    }

    fn told(peer: Peer, agent: &str) -> String {
        let places = UsedFrom::default();
        places.note("c", &head(peer, agent));
        assert_eq!(places.last("d"), None);
        places.last("c").unwrap()
    }

    #[test]
    fn a_place_is_an_address_and_a_client() {
        let at = |text: &str| Peer::Ip(text.parse().unwrap());
        assert_eq!(told(at("192.168.1.7"), "curl/8.5.0"), "192.168.1.7, curl/8.5.0");
        let edge = "Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36 Edg/120.0";
        assert_eq!(told(at("::ffff:10.0.0.1"), edge), "10.0.0.1, Edge");
        assert_eq!(told(at("fd00::1"), "Mozilla/5.0 (X11; rv:120.0) Gecko/20100101 Firefox/120.0"), "fd00::1, Firefox");
        assert_eq!(told(Peer::Unix { uid: 0, gid: 0, pid: 1 }, ""), "the box's own socket");
    }

    #[test]
    fn however_many_there_were_the_next_one_is_noted() {
        let places = UsedFrom::default();
        let head = head(Peer::Ip([127, 0, 0, 1].into()), "curl/8.5.0");
        for n in 0..3 * THROTTLE_ENTRIES {
            places.note(&n.to_string(), &head);
            assert!(places.last(&n.to_string()).is_some(), "{n}");
            assert!(places.0.lock().unwrap().len() <= THROTTLE_ENTRIES);
        }
    }

    proptest! {
        #[test]
        fn a_clients_name_is_short_whatever_it_sends(agent in "[ -~]{0,300}") {
            let told = told(Peer::Ip([127, 0, 0, 1].into()), &agent);
            prop_assert!(told.len() <= 60);
        }
    }
}
