//! The runtime of the tests as a node, over HTTPS on loopback, for a client that it must trust first.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};
use taosd::client::identity::Identity;
use taosd::client::tls::Pin;
use taosd::containers::node::TrustToken;
use taosd::containers::{IncusLxd, NodeName, NodeOptions, Runtime};
use taosd::secret::Plaintext;

use crate::test_runtime::{Folder, client, rest, unique};

/// The output of the runtime's own client.
pub fn ask(args: &[&str]) -> String {
    let output = Command::new(client()).args(args).output().expect("the runtime's client");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Lets the runtime listen on loopback. Returns the address.
pub fn address() -> String {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let set = ask(&["config", "get", "core.https_address"]);
    if !set.is_empty() {
        return set;
    }
    let address = if rest() == Runtime::Incus { "127.0.0.1:18444" } else { "127.0.0.1:18443" };
    ask(&["config", "set", "core.https_address", address]);
    address.to_owned()
}

/// A token that makes the runtime trust the first client that presents it.
pub fn token() -> String {
    // A runtime that listens on no address cannot issue a token.
    address();
    let name = unique();
    let said = if rest() == Runtime::Incus {
        ask(&["config", "trust", "add", &name])
    } else {
        ask(&["config", "trust", "add", "--name", &name])
    };
    said.lines().last().expect("a token").to_owned()
}

/// The settings of a node at this address.
pub fn options(address: &str, pin: Pin, token: Option<String>) -> Arc<NodeOptions> {
    let url = format!("https://{address}");
    let endpoint = NodeOptions::endpoint(&url).expect("a URL");
    let name = NodeName::parse("shed").expect("a name");
    Arc::new(NodeOptions { name, url, endpoint, pin, token: token.map(Plaintext::new) })
}

/// The fingerprint in a token.
pub fn pin_of(token: &str) -> Pin {
    Pin::Fingerprint(TrustToken::parse(token).expect("a token").fingerprint)
}

/// A client's key and certificate. At the end of the test the runtime no longer trusts it.
pub struct Client {
    pub folder: Folder,
    pub identity: Identity,
}

impl Client {
    pub fn new() -> Self {
        let folder = Folder::new();
        let identity = Identity::open(&folder.0).expect("an identity");
        Self { folder, identity }
    }

    pub fn driver(&self, options: &Arc<NodeOptions>) -> IncusLxd {
        IncusLxd::on_node(Arc::clone(options), &self.identity).expect("a driver")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        forget(self.identity.place());
    }
}

/// Removes the certificate in this file from those that the runtime trusts, if it is one of them.
pub fn forget(place: &Path) {
    let Ok(pem) = std::fs::read_to_string(place) else { return };
    let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let fingerprint = HEXLOWER.encode(&Sha256::digest(BASE64.decode(text.as_bytes()).expect("PEM")));
    let _ = Command::new(client()).args(["config", "trust", "remove", &fingerprint]).output();
}
