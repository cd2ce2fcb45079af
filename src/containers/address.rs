//! Chooses the address of a container that is shown.

use std::net::IpAddr;

/// The first address that others can reach, IPv4 before IPv6.
pub(super) fn pick_address(addresses: impl Iterator<Item = IpAddr>) -> Option<IpAddr> {
    let reachable = |ip: &IpAddr| match ip.to_canonical() {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local() && !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local() && !ip.is_unspecified(),
    };
    addresses.filter(reachable).min_by_key(IpAddr::is_ipv6)
}
