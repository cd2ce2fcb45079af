//! Where a request to an agent may go (Agentex contract, section 7): the one rule for what is sent on to it and for its
//! health checks.

use std::net::{IpAddr, SocketAddr};

use super::acp_url::AcpUrl;
use crate::containers::ContainerState;

/// Where an agent may answer. One in a container at that container's address alone, one without on this machine and
/// only if a user named the address. Never the daemon's own listeners: what comes from this machine counts for more
/// there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Where the daemon itself listens.
    pub listening: Vec<SocketAddr>,
}

impl Rule {
    /// Where an agent without a container answers; `None` if that is no place to send to.
    pub fn on_this_machine(&self, url: &AcpUrl, by_user: bool) -> Option<SocketAddr> {
        self.allowed(url.on_this_machine().filter(|_| by_user))
    }

    /// The same for one in a container of this name and address.
    pub fn in_container(&self, url: &AcpUrl, name: &str, address: IpAddr) -> Option<SocketAddr> {
        self.allowed(url.in_container(name, address))
    }

    fn allowed(&self, to: Option<SocketAddr>) -> Option<SocketAddr> {
        let own = |to: &SocketAddr| {
            let is = |own: &SocketAddr| {
                own.port() == to.port() && (own.ip() == to.ip() || own.ip().is_unspecified() || to.ip().is_loopback())
            };
            self.listening.iter().any(is)
        };
        to.filter(|to| !own(to))
    }
}

/// A container's address as its runtime tells it; `None` while it has none.
pub fn address_of(state: &ContainerState) -> Option<IpAddr> {
    state.ip.as_deref().and_then(|ip| ip.parse().ok())
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
        let url = AcpUrl::parse("http://localhost:6969").unwrap();
        assert!(rule.in_container(&url, "c", "10.0.0.5".parse().unwrap()).is_some());
        assert_eq!(rule.on_this_machine(&AcpUrl::parse("http://127.0.0.1:1").unwrap(), false), None);
    }
}
