//! Protection against attacks by browsers (http-edge contract, section 2.5): the names that a request may use for this
//! box, and the refusals of the operator's socket. A page on the internet can point its own name at 127.0.0.1 and make
//! a browser send requests here, cookies included. Only the `Host` header shows this.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use hyper::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderValue, ORIGIN};

use super::check::split_host;
use crate::rest::codes::{self, Code};
use crate::rest::head::{Head, Peer, X_AGENT_API_KEY};

/// Paths that anyone may read under any name: they contain only public data.
const EXEMPT: [&str; 3] = ["/healthz", "/readyz", "/.well-known/jwks.json"];

/// The names of this box. They are few, so each request is compared with all of them, without a copy.
#[derive(Debug, Clone, Default)]
pub struct AllowedHosts {
    names: BTreeSet<String>,
}

impl AllowedHosts {
    /// The box's own names: loopback names, the listening addresses, and its host name, alone and under `.local`.
    pub fn new(listening: &[SocketAddr], machine: Option<&str>) -> Self {
        let mut names = BTreeSet::from(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
        for address in listening.iter().filter(|a| !a.ip().is_unspecified()) {
            names.insert(literal(address.ip()));
        }
        if let Some(machine) = machine.filter(|name| !name.is_empty()) {
            names.insert(plain(machine));
            names.insert(format!("{}.local", plain(machine)));
        }
        Self { names }
    }

    /// Returns these names and `more`.
    #[must_use]
    pub fn and(&self, more: &[String]) -> Self {
        let mut names = self.names.clone();
        names.extend(more.iter().map(|name| split_host(name).map_or_else(|| plain(name), |(h, _)| plain(h))));
        Self { names }
    }

    /// True if `host` (the value of a `Host` header) is one of the names, or the address that the client connected to:
    /// nobody can point an address elsewhere.
    pub fn allows(&self, host: &str, connected_to: Option<IpAddr>) -> bool {
        let Some((name, _)) = split_host(host) else { return false };
        let name = name.strip_suffix('.').unwrap_or(name);
        self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
            || connected_to.is_some_and(|ip| literal(ip).eq_ignore_ascii_case(name))
    }
}

/// An address in the notation of a `Host` header.
fn literal(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

/// Normalizes a name: lower case, without the dot of the root.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// True if a request over TCP names a host that is not this box. HTTP/1.0 may leave the `Host` out, which no browser
/// does.
pub fn is_foreign(peer: &Peer, headers: &HeaderMap, allowed: &AllowedHosts, connected_to: Option<IpAddr>) -> bool {
    let good = |host: &HeaderValue| host.to_str().is_ok_and(|host| allowed.allows(host, connected_to));
    peer.is_tcp() && !headers.get(HOST).is_none_or(good)
}

/// True for paths that anyone may read under any name.
pub fn is_exempt(head: &Head) -> bool {
    EXEMPT.contains(&head.raw_path.as_str())
}

/// The code of the refusal if a browser may have been tricked into sending this request. A header that could be a
/// credential only postpones the refusal: the access check verifies it.
pub fn refusal(head: &Head) -> Option<&'static Code> {
    match head.peer {
        Peer::Unix { .. } => {
            let browser = head.headers.contains_key(ORIGIN) || head.headers.contains_key(COOKIE);
            browser.then_some(codes::BROWSER_REFUSED)
        }
        // A container's own socket: programs inside use their own names for it, and the operator's browser does not run
        // there.
        Peer::Agent { .. } => None,
        Peer::Ip(_) => {
            let may_be_known = head.headers.contains_key(AUTHORIZATION) || head.headers.contains_key(&X_AGENT_API_KEY);
            (head.foreign_host && !may_be_known && !is_exempt(head)).then_some(codes::HOST_NOT_ALLOWED)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(peer: Peer, path: &str, headers: &[(&str, &str)]) -> Head {
        Head { peer, raw_path: path.into(), ..Head::for_test(headers) }
    }

    #[test]
    fn a_foreign_name_is_refused_unless_the_request_carries_what_no_browser_adds() {
        let allowed = AllowedHosts::new(&["192.0.2.7:80".parse().unwrap()], Some("Box"))
            .and(&["agents.example:443".into(), "Plain".into()]);
        let tcp = || Peer::Ip([127, 0, 0, 1].into());
        let code = |path: &str, headers: &[(&str, &str)]| {
            let mut head = head(tcp(), path, headers);
            head.foreign_host = is_foreign(&head.peer, &head.headers, &allowed, None);
            refusal(&head)
        };
        for host in
            ["localhost:6969", "127.0.0.1", "[::1]:1", "192.0.2.7", "box", "BOX.local", "agents.example", "plain."]
        {
            assert_eq!(code("/api", &[("host", host)]), None, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.8"] {
            assert_eq!(code("/api", &[("host", host)]), Some(codes::HOST_NOT_ALLOWED), "{host}");
        }
        let evil = ("host", "evil.example");
        assert_eq!(code("/api", &[evil, ("cookie", "a=b")]), Some(codes::HOST_NOT_ALLOWED));
        assert_eq!(code("/api", &[evil, ("authorization", "Bearer x")]), None);
        assert_eq!(code("/api", &[evil, ("x-agent-api-key", "x")]), None);
        assert_eq!(code("/healthz", &[evil]), None);
        assert!(allowed.allows("192.0.2.9:1", Some([192, 0, 2, 9].into())));
    }

    #[test]
    fn the_operators_socket_takes_any_host_but_nothing_of_a_browsers() {
        let unix = || Peer::Unix { uid: 0, gid: 0, pid: 0 };
        let code = |headers: &[(&str, &str)]| refusal(&head(unix(), "/api", headers));
        assert_eq!(code(&[("host", "evil.example")]), None);
        assert_eq!(code(&[("host", "a"), ("origin", "null")]), Some(codes::BROWSER_REFUSED));
        assert_eq!(code(&[("host", "a"), ("cookie", "a=b")]), Some(codes::BROWSER_REFUSED));
    }
}
