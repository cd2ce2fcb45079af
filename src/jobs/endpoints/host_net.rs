//! This machine's own addresses and networks, as the kernel reports them now. A container's address is compared with
//! them before anything is sent there. They are read from `/proc/self/net` and `/sys/class/net`, which the service's
//! sandbox leaves open.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use crate::proc_net::{Network, network_four, network_six, own_four};

const ROUTES: &str = "/proc/self/net/route";
const TRIE: &str = "/proc/self/net/fib_trie";
const SIX: &str = "/proc/self/net/if_inet6";
const DEVICES: &str = "/sys/class/net";

/// This machine's addresses and networks. If they cannot be read, no container's address is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostNet {
    own: Vec<IpAddr>,
    networks: Vec<Network>,
}

impl HostNet {
    /// Reads the present addresses and networks.
    pub fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path);
        match (text(ROUTES), text(TRIE)) {
            (Ok(routes), Ok(trie)) => Self::of(&routes, &trie, &text(SIX).unwrap_or_default()),
            (routes, trie) => {
                for error in [routes.err(), trie.err()].into_iter().flatten() {
                    log::warn!("this machine's addresses could not be read, so nothing is sent to containers: {error}");
                }
                Self::default()
            }
        }
    }

    fn of(routes: &str, trie: &str, six: &str) -> Self {
        let (mut own, mut networks) = (own_four(trie), Vec::new());
        networks.extend(routes.lines().skip(1).filter_map(network_four));
        for network in six.lines().filter_map(network_six) {
            own.push(network.address);
            networks.push(network);
        }
        Self { own, networks }
    }

    /// True if `address` is a neighbour on one of these devices: inside a network of the device or of the bridge that
    /// the device is a port of, and not this machine itself.
    pub fn is_neighbour(&self, address: IpAddr, devices: &[String]) -> bool {
        let devices: Vec<String> = devices.iter().filter_map(|device| leading_to(device)).collect();
        let inside = |network: &Network| devices.contains(&network.device) && network.holds(address);
        is_unicast(address) && !self.own.contains(&address) && self.networks.iter().any(inside)
    }
}

/// The canonical form of an address: an IPv6 address that stands for an IPv4 address becomes that (mapped, compatible,
/// NAT64, 6to4).
pub fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let last = |at: usize| {
        let octets = six.octets();
        Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3])
    };
    match six.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => last(12).into(),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => last(12).into(),
        [0x2002, ..] => last(2).into(),
        _ => address,
    }
}

/// True for the canonical address of one other machine: not unspecified, loopback, link-local, multicast, broadcast or
/// reserved.
pub fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            let first = ip.octets()[0];
            first != 0 && first != 127 && first < 224 && !ip.is_link_local()
        }
        IpAddr::V6(ip) => {
            !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast() && !ip.is_unicast_link_local()
        }
    }
}

/// The device whose networks apply to `device`: its bridge, or itself. `None` for a physical network card and for
/// loopback, because no container is behind those.
fn leading_to(device: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@' | b':');
    if device.is_empty() || device.len() > 15 || device.starts_with('.') || !device.bytes().all(plain) {
        return None;
    }
    let place = Path::new(DEVICES).join(device);
    if let Ok(master) = fs::read_link(place.join("master")) {
        return Some(master.file_name()?.to_str()?.to_owned());
    }
    (device != "lo" && place.exists() && !place.join("device").exists()).then(|| device.to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_way_to_write_an_ipv4_address_is_that_address() {
        for text in [
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::127.0.0.1",
            "2002:7f00:1::",
        ] {
            assert_eq!(canonical(ip(text)), ip("127.0.0.1"), "{text}");
        }
        for text in ["::", "::1", "fd00::1", "2001:db8::7f00:1", "10.0.0.1"] {
            assert_eq!(canonical(ip(text)), ip(text), "{text}");
        }
    }

    #[test]
    fn only_one_other_machines_address_is_unicast() {
        for text in ["10.0.0.1", "192.168.1.1", "fd00::1", "2001:db8::1"] {
            assert!(is_unicast(ip(text)), "{text}");
        }
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "169.254.169.254",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_unicast(ip(text)), "{text}");
        }
    }

    #[test]
    fn the_kernels_tables_are_read() {
        let routes = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
            eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
            lxdbr0\t0012D50A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.213.18.0\n        /24 link UNICAST\n     |-- 10.213.18.1\n        \
            /32 host LOCAL\n     |-- 10.213.18.255\n        /32 link BROADCAST\n";
        let six = "fd420000000000000000000000000001 04 40 00 80   lxdbr0\n";
        let net = HostNet::of(routes, trie, six);
        assert_eq!(net.own, [ip("10.213.18.1"), ip("fd42::1")]);
        if cfg!(target_endian = "little") {
            assert_eq!(net.networks[0], Network { device: "lxdbr0".into(), address: ip("10.213.18.0"), bits: 24 });
        }
        assert_eq!(net.networks.last().unwrap().bits, 64);
        assert_eq!(net.networks.len(), 2, "a network behind a gateway is none of a device's");
    }

    #[test]
    fn a_network_holds_its_machines_and_not_itself() {
        let of = |address: &str, bits| Network { device: "b".into(), address: ip(address), bits };
        let four = of("10.213.18.0", 24);
        assert!(four.holds(ip("10.213.18.2")));
        for out in ["10.213.18.0", "10.213.18.255", "10.213.19.2", "fd42::2"] {
            assert!(!four.holds(ip(out)), "{out}");
        }
        assert!(of("10.0.0.0", 31).holds(ip("10.0.0.0")) && of("10.0.0.1", 32).holds(ip("10.0.0.1")));
        assert!(of("fd42::1", 64).holds(ip("fd42::ffff:ffff:ffff:ffff")) && !of("fd42::1", 64).holds(ip("fd43::1")));
    }

    #[test]
    fn no_name_leads_out_of_the_list_of_devices() {
        for bad in ["", "..", "../..", "a/b", "lo", "no-such-device", "a-name-that-is-too-long"] {
            assert_eq!(leading_to(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_table_makes_it_panic(text in "[0-9a-f|/. \\n\\t-]{0,200}", a in any::<u128>(), bits in 0_u32..300) {
            let net = HostNet::of(&text, &text, &text);
            let address = canonical(Ipv6Addr::from_bits(a).into());
            prop_assert!(!net.is_neighbour(address, &["no-such".into()]));
            let _ = Network { device: String::new(), address, bits }.holds(address);
        }
    }
}
