//! Where a request to an agent may go (Agentex contract, section 7). The same rule applies to requests that are sent
//! on, to health checks and to the webhook.

use std::net::{IpAddr, SocketAddr};

use super::acp_url::AcpUrl;
use super::host_net::{HostNet, canonical, is_unicast};
use crate::containers::ContainerState;

/// The addresses to which the daemon may send.
///
/// - An agent in a container: only that container's address, and only inside the network that its runtime put it in,
///   because root inside can take any address.
/// - An agent without a container: an address on this machine, and only if a user named it.
/// - Never the daemon's own listeners, because connections from this machine have more rights there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The addresses on which the daemon itself listens.
    pub listening: Vec<SocketAddr>,
}

impl Rule {
    /// Returns the address of an agent without a container; `None` if nothing may be sent there.
    pub fn on_this_machine(&self, url: &AcpUrl, by_user: bool) -> Option<SocketAddr> {
        self.allowed(url.on_this_machine().filter(|_| by_user))
    }

    /// Returns the address of an agent in this container, on this machine's networks; `None` if nothing may be sent
    /// there.
    pub fn in_container(&self, url: &AcpUrl, state: &ContainerState, net: &HostNet) -> Option<SocketAddr> {
        let own = state.addresses.iter().map(|address| canonical(*address));
        let mut neighbours: Vec<IpAddr> = own.filter(|address| net.is_neighbour(*address, &state.links)).collect();
        neighbours.sort_by_key(IpAddr::is_ipv6);
        let name = state.name.as_str();
        self.allowed(neighbours.into_iter().find_map(|address| url.in_container(name, address)))
    }

    /// True for an address of the public internet; a user's channel may name only such ones.
    pub fn is_public(ip: IpAddr) -> bool {
        match canonical(ip) {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                let shared = a == 100 && (64..128).contains(&b);
                let tests = matches!((a, b, c), (192, 0, 0 | 2) | (198, 51, 100) | (203, 0, 113))
                    || (a == 198 && b & 254 == 18);
                is_unicast(IpAddr::V4(ip)) && !ip.is_private() && !shared && !tests
            }
            // Global unicast, without ranges that embed an IPv4 address and without the range for documentation.
            IpAddr::V6(ip) => {
                let [first, second, ..] = ip.segments();
                first & 0xe000 == 0x2000 && first != 0x2002 && !(first == 0x2001 && (second == 0xdb8 || second == 0))
            }
        }
    }

    /// Returns the address if notifications may be sent there: another machine, or another listener of this one.
    pub fn receiver(&self, to: SocketAddr) -> Option<SocketAddr> {
        let to = SocketAddr::new(canonical(to.ip()), to.port());
        self.allowed((is_unicast(to.ip()) || to.ip().is_loopback()).then_some(to))
    }

    fn allowed(&self, to: Option<SocketAddr>) -> Option<SocketAddr> {
        let own = |to: &SocketAddr| {
            let is = |own: &SocketAddr| {
                let ip = canonical(own.ip());
                own.port() == to.port() && (ip == to.ip() || ip.is_unspecified() || to.ip().is_loopback())
            };
            self.listening.iter().any(is)
        };
        to.filter(|to| !own(to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemons_own_listeners_are_never_a_target() {
        let here = |url: &str, own: &str| {
            let rule = Rule { listening: vec![own.parse().unwrap()] };
            rule.on_this_machine(&AcpUrl::parse(url).unwrap(), true).is_some()
        };
        for own in ["127.0.0.1:6969", "0.0.0.0:6969", "[::]:6969", "192.168.1.2:6969"] {
            assert!(!here("http://127.0.0.1:6969", own), "{own}");
            assert!(!here("http://[::1]:6969", own), "{own}");
            assert!(here("http://127.0.0.1:6970", own), "{own}");
        }
        let rule = Rule { listening: vec!["127.0.0.1:6969".parse().unwrap()] };
        assert_eq!(rule.on_this_machine(&AcpUrl::parse("http://127.0.0.1:1").unwrap(), false), None);
    }

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for public in ["1.1.1.1", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(Rule::is_public(public.parse().unwrap()), "{public}");
        }
        for own in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.1.1",
            "172.16.0.1",
            "100.64.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "198.18.0.1",
            "::1",
            "::",
            "fd00::1",
            "fe80::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!Rule::is_public(own.parse().unwrap()), "{own}");
        }
    }

    #[test]
    fn notifications_go_to_other_machines_and_other_listeners_alone() {
        let rule = Rule { listening: vec!["127.0.0.1:6969".parse().unwrap()] };
        let to = |to: &str| rule.receiver(to.parse().unwrap());
        for good in ["127.0.0.1:6970", "192.168.1.2:6969", "[fd00::1]:80", "[::1]:80"] {
            assert_eq!(to(good), Some(good.parse().unwrap()), "{good}");
        }
        let own = ["127.0.0.1:6969", "[::1]:6969", "[::ffff:127.0.0.1]:6969", "127.0.0.2:6969"];
        let none = ["0.0.0.0:1", "[::]:1", "169.254.169.254:80", "[fe80::1]:80", "224.0.0.1:80", "255.255.255.255:1"];
        for bad in own.iter().chain(&none) {
            assert_eq!(to(bad), None, "{bad}");
        }
    }
}
