//! The head of a request, as the edge passes it on: checked, decoded once, without the body.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

use hyper::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName};
use hyper::http::Method;

/// The other end of a connection. Limits and failed logins are counted by [`Peer::key`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A TCP peer.
    Ip(IpAddr),
    /// A process on this box, connected to the operator's socket, with its credentials from the kernel.
    Unix {
        /// Effective user id.
        uid: u32,
        /// Effective group id.
        gid: u32,
        /// Process id at connect time; 0 if the kernel gives none.
        pid: u32,
    },
    /// An agent's container, connected to the agent's own socket.
    Agent {
        /// The agent's id.
        id: String,
    },
}

impl Peer {
    /// The key that limits are counted by: the address (for IPv6 its /64), the uid, or the agent.
    pub fn key(&self) -> String {
        match self {
            Self::Ip(IpAddr::V4(v4)) => v4.to_string(),
            Self::Ip(IpAddr::V6(v6)) => match v6.to_ipv4_mapped() {
                Some(v4) => v4.to_string(),
                None => {
                    let s = v6.segments();
                    format!("{}/64", Ipv6Addr::new(s[0], s[1], s[2], s[3], 0, 0, 0, 0))
                }
            },
            Self::Unix { uid, .. } => format!("uid:{uid}"),
            Self::Agent { id } => format!("agent:{id}"),
        }
    }

    /// True for a connection that came over TCP.
    pub fn is_tcp(&self) -> bool {
        matches!(self, Self::Ip(_))
    }
}

/// The header with the credential of Agentex clients.
pub const X_AGENT_API_KEY: HeaderName = HeaderName::from_static("x-agent-api-key");

/// A request's head.
#[derive(Debug, Clone)]
pub struct Head {
    /// The method as sent; HEAD stays HEAD.
    pub method: Method,
    /// The path as sent, still percent-encoded, without the query.
    pub raw_path: String,
    /// The path's segments, each decoded once; a trailing slash adds no empty segment. They contain no control
    /// characters. `.`, `..`, `/` and `\\` are possible only if they were sent percent-encoded and the route declares
    /// the segment free text.
    pub segments: Vec<String>,
    /// The query as sent, without `?`; empty if there is none.
    pub query: String,
    /// All header fields.
    pub headers: HeaderMap,
    /// The caller, as far as the connection identifies it.
    pub peer: Peer,
    /// Over TCP: the `Host` is not a name of this box. A tricked browser may send such a request, so only a credential
    /// that a browser does not add by itself counts: a verified one in a header.
    pub foreign_host: bool,
    /// The id in the reply and the log: the client's if it is well-formed, else a new one.
    pub request_id: String,
    /// The time at which the head was complete.
    pub arrived: Instant,
}

impl Head {
    /// The value of a header that is sent exactly once and is visible ASCII; `None` otherwise.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        let mut all = self.headers.get_all(name).iter();
        let first = all.next()?;
        match all.next() {
            None => first.to_str().ok(),
            Some(_) => None,
        }
    }

    /// True if the head has anything that could be a credential.
    pub fn names_a_credential(&self) -> bool {
        self.headers.contains_key(AUTHORIZATION)
            || self.headers.contains_key(COOKIE)
            || self.headers.contains_key(&X_AGENT_API_KEY)
            || matches!(self.peer, Peer::Unix { .. })
    }
}

#[cfg(test)]
impl Head {
    /// A `GET /` from an agent's container with these headers, for tests.
    pub fn for_test(headers: &[(&str, &str)]) -> Self {
        let field =
            |(name, value): &(&str, &str)| (HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        Self {
            method: Method::GET,
            raw_path: "/".into(),
            segments: Vec::new(),
            query: String::new(),
            headers: headers.iter().map(field).collect(),
            peer: Peer::Agent { id: "a".into() },
            foreign_host: false,
            request_id: "r".into(),
            arrived: Instant::now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_of_one_ipv6_network_share_a_key_and_mapped_addresses_are_v4() {
        let ip = |s: &str| Peer::Ip(s.parse().unwrap());
        assert_eq!(ip("2001:db8::1").key(), ip("2001:db8::ffff:2").key());
        assert_ne!(ip("2001:db8::1").key(), ip("2001:db8:0:1::1").key());
        assert_eq!(ip("::ffff:10.0.0.1").key(), ip("10.0.0.1").key());
    }
}
