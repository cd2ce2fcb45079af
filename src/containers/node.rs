//! Another machine's Incus or LXD: its name, its address, how its certificate is checked. Also the place of a
//! container, on this box or on a node.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use serde::Deserialize;

use super::{ContainerName, InvalidName};
use crate::client::endpoint::Endpoint;
use crate::client::tls::Pin;
use crate::secret::Plaintext;

/// The longest name of a node, in bytes.
const MAX_NAME: usize = 32;
/// The longest name of a group of a cluster's machines, in bytes.
const MAX_GROUP: usize = 64;
/// The longest trust token, in bytes.
const MAX_TOKEN: usize = 8 * 1024;
/// The default port of Incus and LXD.
const PORT: u16 = 8443;

/// The name of a node: 1 to 32 of `[a-z0-9-]`, a letter first, no `-` last; not `controller`, `cloud` or `auto`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(String);

impl NodeName {
    /// Checks the text and keeps it unchanged.
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

/// The wanted place of a new container: `NODE`, or `NODE/@GROUP` if that node is a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The node.
    pub node: NodeName,
    /// The group of the cluster's machines, with its `@`.
    pub group: Option<String>,
}

impl Placement {
    /// Parses `NODE` or `NODE/@GROUP`.
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

/// The place of a container: `NAME` on this box, `NODE:NAME` on a node, as Incus and LXD write it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerPlace {
    /// The node; `None` for this box.
    pub node: Option<NodeName>,
    /// The container.
    pub container: ContainerName,
}

impl ContainerPlace {
    /// Parses `NAME` or `NODE:NAME`.
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

    /// Returns the node of a place in this form; `None` for a place on this box.
    #[must_use]
    pub fn node_in(text: &str) -> Option<NodeName> {
        NodeName::parse(text.split_once(':')?.0).ok()
    }

    /// Returns the place of another container on the same machine.
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

/// A token that a server gives once to a client it will trust (`incus config trust add NAME`): the fingerprint of its
/// certificate, its addresses, and a secret.
#[derive(Debug)]
pub struct TrustToken {
    /// The SHA-256 of the server's certificate.
    pub fingerprint: [u8; 32],
    /// The addresses at which the server believes it can be reached: `HOST:PORT`.
    pub addresses: Vec<String>,
    /// The whole token, as it is redeemed.
    pub text: Plaintext,
}

impl TrustToken {
    /// Parses a token: base64 of JSON. The error does not say what is wrong, since the token is a secret.
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

/// A node, as the settings describe it.
#[derive(Debug)]
pub struct NodeOptions {
    /// Its name.
    pub name: NodeName,
    /// Its address, as in the settings.
    pub url: String,
    /// The parsed address.
    pub endpoint: Endpoint,
    /// What the node's certificate is checked against.
    pub pin: Pin,
    /// The trust token, which makes the node trust this box.
    pub token: Option<Plaintext>,
}

impl NodeOptions {
    /// Parses `https://HOST[:PORT]`; the default port is 8443.
    ///
    /// # Errors
    /// The fault, as the end of a sentence that begins with the setting's name.
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

/// The resources of a node, as it reports them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Capacity {
    /// The memory, in bytes.
    pub memory: u64,
    /// The memory in use, in bytes.
    pub memory_used: u64,
    /// The number of processors.
    pub cores: u64,
    /// The load average of the last minute, in processes; `None` if the server does not report it.
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
