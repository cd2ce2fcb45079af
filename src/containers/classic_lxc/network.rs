//! The addresses of a container, from the kernel's tables on its first process. Root inside decides how many there are,
//! so each table is read up to a bound. No tool is asked: one that asks all containers would be held up by one of them.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;

use crate::proc_net::{Network, network_four, network_six, own_four};

/// The bytes read of each table: some hundreds of addresses.
const MAX_TABLE: u64 = 64 * 1024;

/// The addresses in the network name space of a process, except those that lead nowhere else: in the order of its
/// devices, IPv4 before IPv6.
pub(super) fn addresses(pid: u32) -> Vec<IpAddr> {
    let [devices, routes, trie, six] = ["dev", "route", "fib_trie", "if_inet6"].map(|table| table_of(pid, table));
    in_order(&devices, &routes, &trie, &six)
}

/// The whole lines of the beginning of a table; empty if it cannot be read, as when the process has just ended.
fn table_of(pid: u32, table: &str) -> String {
    let mut text = Vec::new();
    if let Ok(file) = File::open(format!("/proc/{pid}/net/{table}")) {
        // What was read before a failure counts.
        let _ = file.take(MAX_TABLE).read_to_end(&mut text);
    }
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    String::from_utf8_lossy(&text[..whole]).into_owned()
}

fn in_order(devices: &str, routes: &str, trie: &str, six: &str) -> Vec<IpAddr> {
    let devices: Vec<&str> = devices.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
    let place = |device: &str| devices.iter().position(|known| *known == device).unwrap_or(usize::MAX);
    let networks: Vec<Network> = routes.lines().skip(1).filter_map(network_four).collect();
    let mut four = own_four(trie);
    four.sort_by_cached_key(|address| {
        let network = networks.iter().filter(|network| network.holds(*address)).max_by_key(|network| network.bits);
        network.map_or(usize::MAX, |network| place(&network.device))
    });
    let mut six: Vec<Network> = six.lines().filter_map(network_six).filter(|network| network.device != "lo").collect();
    six.sort_by_cached_key(|network| place(&network.device));
    four.into_iter().chain(six.into_iter().map(|network| network.address)).filter(leads_out).collect()
}

fn leads_out(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => !ip.is_loopback(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;

    const DEVICES: &str = "Inter-|   Receive\n face |bytes\n    lo: 1 2\n  eth0: 3 4\ndocker0: 5 6\n";

    /// A line of `route`: the network 1.2.3.0/24 is `"01020300"`.
    fn route(device: &str, network: &str) -> String {
        let number = u32::from_str_radix(network, 16).unwrap();
        let written = u32::from_ne_bytes(number.to_be_bytes());
        let mask = u32::from_ne_bytes([255, 255, 255, 0]);
        format!("{device}\t{written:08X}\t00000000\t0001\t0\t0\t0\t{mask:08X}\t0\t0\t0\n")
    }

    fn trie(addresses: &[&str]) -> String {
        addresses.iter().fold("Main:\n".to_owned(), |mut text, address| {
            write!(text, "     |-- {address}\n        /32 host LOCAL\n").unwrap();
            text
        })
    }

    #[test]
    fn the_first_devices_address_comes_first_and_loopback_is_left_out() {
        let routes = format!("Iface\n{}{}", route("docker0", "AC110000"), route("eth0", "C0A80100"));
        let trie = trie(&["127.0.0.1", "172.17.0.1", "192.168.1.5"]);
        let six = "00000000000000000000000000000001 01 80 10 80       lo\n\
            fd420000000000000000000000000002 05 40 00 80   docker0\n\
            fe800000000000000000000000000001 04 40 20 80     eth0\n\
            fd420000000000000000000000000001 04 40 00 80     eth0\n";
        let found = in_order(DEVICES, &routes, &trie, six).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found, ["192.168.1.5", "172.17.0.1", "fd42::1", "fd42::2"]);
    }

    #[test]
    fn the_tables_of_a_process_are_read() {
        assert!(table_of(std::process::id(), "dev").contains("lo:"));
        assert_eq!(addresses(u32::MAX), Vec::<IpAddr>::new());
    }

    proptest! {
        #[test]
        fn no_table_makes_it_panic(text in "[0-9a-f|/. :\\n\\t-]{0,200}") {
            let _ = in_order(&text, &text, &text, &text);
        }
    }
}
