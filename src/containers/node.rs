//! Another machine's Incus or LXD: its name, its address, how its certificate is checked; and where a container
//! is, on this box or on a node.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use serde::Deserialize;

use super::{ContainerName, InvalidName};
use crate::client::endpoint::Endpoint;
use crate::client::tls::Pin;
use crate::secret::Plaintext;

/// The longest name of a node.
const MAX_NAME: usize = 32;
/// The longest name of a group of a cluster's machines.
const MAX_GROUP: usize = 64;
/// The longest trust token, in bytes.
const MAX_TOKEN: usize = 8 * 1024;
/// Where Incus and LXD listen when nothing is said.
const PORT: u16 = 8443;

/// The name of a node: 1 to 32 of `[a-z0-9-]`, a letter first, no `-` last; not `controller`, `cloud` or `auto`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(String);

impl NodeName {
    /// Takes the text as it is, or refuses it.
    ///
    /// # Errors
    /// [`InvalidName`] for anything outside the rule above.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let fits = text.len() <= MAX_NAME && !["auto", "cloud", "controller"].contains(&text);
        let name = ContainerName::parse(text).ok().filter(|_| fits);
        name.map(|name| Self(name.as_str().to_owned())).ok_or(InvalidName("name of a node"))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a new container is wanted: `NODE`, or `NODE/@GROUP` where that node is a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The node.
    pub node: NodeName,
    /// What the cluster is told, `@` included.
    pub group: Option<String>,
}

impl Placement {
    /// Takes the text apart.
    ///
    /// # Errors
    /// [`InvalidName`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let Some((node, group)) = text.split_once('/') else {
            return Ok(Self { node: NodeName::parse(text)?, group: None });
        };
        let name = group.strip_prefix('@').unwrap_or_default();
        let fits = (1..=MAX_GROUP).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !fits {
            return Err(InvalidName("target: NODE or NODE/@GROUP"));
        }
        Ok(Self { node: NodeName::parse(node)?, group: Some(group.to_owned()) })
    }
}

/// Where a container is: `NAME` on this box, `NODE:NAME` on a node, as Incus and LXD write it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerPlace {
    /// The node; `None`: this box.
    pub node: Option<NodeName>,
    /// The container.
    pub container: ContainerName,
}

impl ContainerPlace {
    /// Takes the text apart.
    ///
    /// # Errors
    /// [`InvalidName`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        match text.split_once(':') {
            None => Ok(Self { node: None, container: ContainerName::parse(text)? }),
            Some((node, name)) => {
                Ok(Self { node: Some(NodeName::parse(node)?), container: ContainerName::parse(name)? })
            }
        }
    }

    /// The node of a place, where the text is one on a node.
    #[must_use]
    pub fn node_in(text: &str) -> Option<NodeName> {
        NodeName::parse(text.split_once(':')?.0).ok()
    }

    /// A container of another name in the same place.
    #[must_use]
    pub fn with(&self, container: &ContainerName) -> Self {
        Self { node: self.node.clone(), container: container.clone() }
    }
}

impl fmt::Display for ContainerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            None => self.container.fmt(f),
            Some(node) => write!(f, "{node}:{}", self.container),
        }
    }
}

/// What a server gives to a client that it will trust (`incus config trust add NAME`), once: its own certificate's
/// fingerprint, its addresses, and a secret.
#[derive(Debug)]
pub struct TrustToken {
    /// The SHA-256 of the server's certificate.
    pub fingerprint: [u8; 32],
    /// Where the server can be reached, as it believes: `HOST:PORT`.
    pub addresses: Vec<String>,
    /// The token as it is redeemed.
    pub text: Plaintext,
}

impl TrustToken {
    /// Reads a token: base64 of JSON. What is wrong with it is not told, since it is a secret.
    ///
    /// # Errors
    /// [`InvalidName`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        #[derive(Deserialize)]
        struct TokenJson {
            fingerprint: String,
            #[serde(default)]
            addresses: Option<Vec<String>>,
            secret: String,
        }
        let bad = InvalidName("trust token, as `incus config trust add` or `lxc config trust add` prints it");
        let text = text.trim();
        if text.len() > MAX_TOKEN {
            return Err(bad);
        }
        let json = zeroize::Zeroizing::new(BASE64.decode(text.as_bytes()).map_err(|_| bad)?);
        let TokenJson { fingerprint, addresses, secret } = serde_json::from_slice(&json).map_err(|_| bad)?;
        let (fingerprint, _secret) = (fingerprint_of(&fingerprint).ok_or(bad)?, Plaintext::new(secret));
        Ok(Self { fingerprint, addresses: addresses.unwrap_or_default(), text: Plaintext::new(text.to_owned()) })
    }
}

/// The SHA-256 of a certificate as `incus info` prints it: 64 hexadecimal digits, or the same with colons.
#[must_use]
pub fn fingerprint_of(text: &str) -> Option<[u8; 32]> {
    if text.len() > 95 {
        return None;
    }
    HEXLOWER_PERMISSIVE.decode(text.replace(':', "").as_bytes()).ok()?.try_into().ok()
}

/// A node as the settings name it.
#[derive(Debug)]
pub struct NodeOptions {
    /// Its name.
    pub name: NodeName,
    /// Its address, as it was written.
    pub url: String,
    /// The same, taken apart.
    pub endpoint: Endpoint,
    /// What its certificate is checked against.
    pub pin: Pin,
    /// Makes the node trust this box.
    pub token: Option<Plaintext>,
}

impl NodeOptions {
    /// Reads `https://HOST[:PORT]`; the port is 8443 where none is written.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with its name.
    pub fn endpoint(url: &str) -> Result<Endpoint, String> {
        let mut endpoint = Endpoint::parse(url, Plaintext::new(String::new()))?;
        if !endpoint.tls || endpoint.path != "/" {
            return Err("must be https://HOST[:PORT], without a path".to_owned());
        }
        let names_port = url.trim_end_matches('/').rsplit(':').next().is_some_and(|end| end.parse::<u16>().is_ok());
        if !names_port {
            endpoint.port = PORT;
        }
        Ok(endpoint)
    }
}

impl PartialEq for NodeOptions {
    fn eq(&self, other: &Self) -> bool {
        let token = |of: &Self| of.token.as_ref().map(|token| token.reveal().to_owned());
        (&self.name, &self.url, &self.pin) == (&other.name, &other.url, &other.pin) && token(self) == token(other)
    }
}

/// What a node has, as it tells it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Capacity {
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of it that are in use.
    pub memory_used: u64,
    /// Processors.
    pub cores: u64,
    /// Processes that want to run, on the average of the last minute; not every server tells it.
    pub load: Option<f64>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_place_reads_back() {
        for text in ["taos-agent-a", "shed:taos-agent-a"] {
            assert_eq!(ContainerPlace::parse(text).unwrap().to_string(), text);
        }
        for text in ["", ":a", "shed:", "a:b:c", "Shed:a", "cloud:a", "-a:b"] {
            assert!(ContainerPlace::parse(text).is_err(), "{text}");
        }
        assert_eq!(ContainerPlace::node_in("shed:a").unwrap().as_str(), "shed");
        assert_eq!(ContainerPlace::node_in("a"), None);
    }

    #[test]
    fn a_target_is_a_node_and_perhaps_a_group() {
        let target = Placement::parse("shed/@big").unwrap();
        assert_eq!((target.node.as_str(), target.group.as_deref()), ("shed", Some("@big")));
        assert_eq!(Placement::parse("shed").unwrap().group, None);
        for text in ["", "shed/", "shed/big", "shed/@", "shed/@a&b", "auto", "sh ed", &format!("a/@{}", "b".repeat(65))]
        {
            assert!(Placement::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_url_is_https_and_has_incus_port() {
        let port = |url: &str| NodeOptions::endpoint(url).map(|endpoint| (endpoint.host, endpoint.port));
        assert_eq!(port("https://shed.lan").unwrap(), ("shed.lan".into(), 8443));
        assert_eq!(port("https://shed.lan/").unwrap(), ("shed.lan".into(), 8443));
        assert_eq!(port("https://10.0.0.2:443").unwrap(), ("10.0.0.2".into(), 443));
        assert_eq!(port("https://[fd00::2]").unwrap(), ("fd00::2".into(), 8443));
        assert_eq!(port("https://[fd00::2]:9").unwrap(), ("fd00::2".into(), 9));
        for url in ["http://shed.lan", "https://shed.lan/1.0", "https://a@shed", "shed.lan", ""] {
            assert!(port(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_token_has_a_fingerprint_and_a_secret() {
        let json =
            format!(r#"{{"client_name":"x","fingerprint":"{}","addresses":["a:1"],"secret":"s"}}"#, "ab".repeat(32));
        let token = TrustToken::parse(&format!(" {}\n", BASE64.encode(json.as_bytes()))).unwrap();
        assert_eq!((token.fingerprint, token.addresses.as_slice()), ([0xab; 32], ["a:1".to_owned()].as_slice()));
        for bad in ["", "x", "e30=", &"A".repeat(MAX_TOKEN + 4)] {
            assert!(TrustToken::parse(bad).is_err());
        }
        assert!(!format!("{token:?}").contains(&BASE64.encode(json.as_bytes())));
        assert_eq!(fingerprint_of(&["AB"; 32].join(":")), Some([0xab; 32]));
        assert_eq!(fingerprint_of(&"é".repeat(40)), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,100}") {
            let _ = (ContainerPlace::parse(&text), Placement::parse(&text), TrustToken::parse(&text), NodeOptions::endpoint(&text));
        }

        #[test]
        fn what_is_a_place_reads_back_as_itself(text in "[a-z:/@-]{0,20}") {
            if let Ok(place) = ContainerPlace::parse(&text) {
                prop_assert_eq!(place.to_string(), text);
            }
        }
    }
}
