//! The instances of the REST API, and their conversion to a [`ContainerState`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::containers::address::pick_address;
use crate::containers::{ContainerName, ContainerState, Status, parse_bytes};

/// The configuration key that holds the owner.
pub(super) const OWNER: &str = "user.taosd.owner";
/// The name of the devices of mounts, without their number.
pub(super) const MOUNT: &str = "taosd-mount";
/// The prefix of the configuration keys of environment variables.
pub(super) const ENVIRONMENT: &str = "environment.";

pub(super) type InstanceConfig = BTreeMap<String, String>;

/// Whether an operation names this instance among its resources (`{"instances": ["/1.0/instances/NAME"]}`).
pub(super) fn is_about(operation: &Value, name: &ContainerName) -> bool {
    let resources = operation["resources"].as_object().into_iter().flat_map(|resources| resources.values());
    let mut paths = resources.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    paths.any(|path| {
        let path = path.split('?').next().unwrap_or_default();
        let named = path.strip_prefix("/1.0/instances/").or_else(|| path.strip_prefix("/1.0/containers/"));
        named == Some(name.as_str())
    })
}

/// An instance; `recursion=1` (of one) and `recursion=2` (of all) add its state. Go writes an empty map as `null`.
#[derive(Deserialize)]
pub(crate) struct Instance {
    pub(super) name: String,
    #[serde(default)]
    status: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) config: InstanceConfig,
    #[serde(default, deserialize_with = "or_default")]
    expanded_config: InstanceConfig,
    #[serde(default, deserialize_with = "or_default")]
    devices: BTreeMap<String, InstanceConfig>,
    #[serde(default)]
    last_used_at: String,
    #[serde(default)]
    state: Option<InstanceState>,
}

#[derive(Deserialize)]
struct InstanceState {
    #[serde(default)]
    pid: i64,
    #[serde(default)]
    memory: Memory,
    #[serde(default, deserialize_with = "or_default")]
    network: BTreeMap<String, NetworkState>,
}

#[derive(Deserialize, Default)]
struct Memory {
    #[serde(default)]
    usage: u64,
}

#[derive(Deserialize)]
struct NetworkState {
    #[serde(default)]
    host_name: String,
    #[serde(default, deserialize_with = "or_default")]
    addresses: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    #[serde(default)]
    address: String,
}

fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl Instance {
    /// Converts it to a state; `None` if the name breaks the rule of [`ContainerName`].
    pub(crate) fn into_state(self) -> Option<ContainerState> {
        let name = ContainerName::parse(&self.name).ok()?;
        let setting = |key: &str| self.expanded_config.get(key).or_else(|| self.config.get(key));
        let memory = setting("limits.memory").and_then(|limit| parse_bytes(limit));
        let state = self.state.as_ref().filter(|state| state.pid > 0);
        let networks = || state.into_iter().flat_map(|state| state.network.values());
        let mounts = self.devices.iter().filter(|(device, _)| device.starts_with(MOUNT));
        Some(ContainerState {
            status: status(&self.status),
            owner: self.config.get(OWNER).cloned(),
            ip: pick_address(addresses(networks())).map(|address| address.to_string()),
            addresses: addresses(networks()).collect(),
            links: networks().map(|network| network.host_name.clone()).filter(|name| !name.is_empty()).collect(),
            mounts: mounts.filter_map(|(_, device)| device.get("source")).map(PathBuf::from).collect(),
            memory_mb: state.map(|state| state.memory.usage >> 20),
            memory_limit_mb: memory.map(|bytes| bytes >> 20),
            cpu_cores: setting("limits.cpu").and_then(|set| count_cpus(set)),
            boot: state.map(|state| format!("{}@{}", state.pid, self.last_used_at)),
            name,
        })
    }
}

fn status(word: &str) -> Status {
    match word {
        "Running" | "Ready" => Status::Running,
        "Frozen" => Status::Frozen,
        "Stopped" => Status::Stopped,
        "Error" => Status::Error,
        _ => Status::Other,
    }
}

fn addresses<'a>(networks: impl Iterator<Item = &'a NetworkState>) -> impl Iterator<Item = IpAddr> {
    networks.flat_map(|network| &network.addresses).filter_map(|a| a.address.parse().ok())
}

/// Reads `limits.cpu`: a number, or a set such as `0-2,5`, which counts its members.
fn count_cpus(set: &str) -> Option<u32> {
    if let Ok(number) = set.parse() {
        return Some(number);
    }
    set.split(',').try_fold(0u32, |count, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        count.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cpu_limit_is_a_number_or_a_set() {
        assert_eq!(count_cpus("4"), Some(4));
        assert_eq!(count_cpus("0-2,5"), Some(4));
        for text in ["", "x", "3-1", "0-4294967295", "1,,2"] {
            assert_eq!(count_cpus(text), None, "{text}");
        }
    }

    #[test]
    fn loopback_and_link_local_addresses_are_passed_over() {
        let all = ["127.0.0.1", "::1", "fe80::1", "169.254.0.1", "fd00::1", "10.0.3.4"];
        let picked = pick_address(all.iter().map(|text| text.parse().unwrap()));
        assert_eq!(picked, Some("10.0.3.4".parse().unwrap()));
        assert_eq!(pick_address(all[..4].iter().map(|text| text.parse().unwrap())), None);
    }

    #[test]
    fn null_maps_and_unknown_fields_are_fine() {
        let text = r#"{"name":"taos-agent-a","status":"Stopped","config":null,"devices":null,"new":1,
                       "state":{"pid":0,"network":null}}"#;
        let state = serde_json::from_str::<Instance>(text).unwrap().into_state().unwrap();
        assert_eq!((state.status, state.boot, state.ip), (Status::Stopped, None, None));
    }

    proptest! {
        #[test]
        fn no_cpu_set_makes_it_panic(text in "[0-9,-]{0,40}") {
            let _ = count_cpus(&text);
        }
    }
}
