//! A node with good and bad replies, as the test sets: the REST API over TLS on loopback.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use data_encoding::HEXLOWER;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto};
use sha2::{Digest, Sha256};

use crate::fake::{Answer, serve};

/// The node. It ends with the test's process.
pub struct FakeNode {
    pub address: SocketAddr,
    pub fingerprint: [u8; 32],
    requests: Arc<Mutex<Vec<String>>>,
}

impl FakeNode {
    /// Takes each reply from `answer`, which gets the request line without the version.
    pub fn new(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(Vec::new()).and_then(|params| params.self_signed(&key));
        let certificate = certificate.expect("a certificate").der().clone();
        let fingerprint = Sha256::digest(&certificate).into();
        let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], private));
        let (config, answer) = (Arc::new(config.expect("a configuration")), Arc::new(answer));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (address, requests) = (listener.local_addr().expect("an address"), Arc::<Mutex<Vec<String>>>::default());
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, answer, log) = (Arc::clone(&config), Arc::clone(&answer), Arc::clone(&log));
                thread::spawn(move || {
                    let tls = ServerConnection::new(config).expect("a connection");
                    serve(StreamOwned::new(tls, stream), &log, &|line, _| answer(line));
                });
            }
        });
        Self { address, fingerprint, requests }
    }

    /// The table of this node in the settings.
    pub fn table(&self, name: &str) -> String {
        let (address, sha256) = (self.address, HEXLOWER.encode(&self.fingerprint));
        format!("[nodes.{name}]\nurl = \"https://{address}\"\ncertificate = \"{sha256}\"\n")
    }

    /// The complete requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("a lock").clone()
    }
}

/// The first reply of a node that trusts everyone.
pub const GREETING: &str = r#"{"auth":"trusted","environment":{"server":"incus","server_version":"6.0"}}"#;
