//! The addresses and networks of a network name space, as the kernel's tables in `/proc/PID/net` tell them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network that a device is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) device: String,
    pub(crate) address: IpAddr,
    /// The number of leading bits that all addresses in the network share.
    pub(crate) bits: u32,
}

impl Network {
    /// True for an address inside the network, except the network's own and its broadcast address.
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        let host = |own: u128, other: u128, width: u32| {
            let shift = width.saturating_sub(self.bits);
            let same = own.checked_shr(shift).unwrap_or(0) == other.checked_shr(shift).unwrap_or(0);
            let mask = 1_u128.checked_shl(shift).map_or(u128::MAX, |bit| bit - 1);
            same && (shift < 2 || (other & mask != 0 && (width == 128 || other & mask != mask)))
        };
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => host(own.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => host(own.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

/// Reads the name space's own addresses from `fib_trie`: `|-- ADDRESS`, with `/32 host LOCAL` below it.
pub(crate) fn own_four(trie: &str) -> Vec<IpAddr> {
    let (mut own, mut last) = (Vec::new(), None);
    for line in trie.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("|-- ") {
            last = text.parse::<Ipv4Addr>().ok();
        } else if let Some(address) = last.filter(|_| line.starts_with("/32 host LOCAL")) {
            own.push(address.into());
        }
    }
    own.sort();
    own.dedup();
    own
}

/// Reads a line `device destination gateway flags ... mask`, in hexadecimal of the machine's own byte order. `None` for
/// a network behind a gateway: the device is not in it.
pub(crate) fn network_four(line: &str) -> Option<Network> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
    let (destination, gateway, mask) = (number(1)?, number(2)?, number(7)?);
    let address = Ipv4Addr::from(destination.to_ne_bytes());
    let bits = u32::from_be_bytes(mask.to_ne_bytes()).count_ones();
    (gateway == 0 && bits > 0).then(|| Network { device: fields[0].to_owned(), address: address.into(), bits })
}

/// Reads a line `address index bits scope flags device`, in hexadecimal.
pub(crate) fn network_six(line: &str) -> Option<Network> {
    let mut fields = line.split_ascii_whitespace();
    let address = u128::from_str_radix(fields.next()?, 16).ok()?;
    let bits = u32::from_str_radix(fields.nth(1)?, 16).ok()?;
    let device = fields.nth(2)?.to_owned();
    Some(Network { device, address: Ipv6Addr::from_bits(address).into(), bits })
}
