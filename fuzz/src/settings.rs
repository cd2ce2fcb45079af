//! The input of the operator: `taosd.toml`, the addresses of nodes and the address of the webhook.

use taosd::client::endpoint::Endpoint;
use taosd::client::tls::Pin;
use taosd::containers::node::{Placement, TrustToken, fingerprint_of};
use taosd::containers::{ContainerPlace, NodeName, NodeOptions};
use taosd::fuzzing;
use taosd::limits::Limits;
use taosd::secret::Plaintext;

use super::text;

/// A file is accepted whole or refused with an error text. Accepted limits are within their bounds.
pub fn config(data: &[u8]) {
    let Some(text) = text(data) else { return };
    // The parser would read the file that `secret_file` names, which could be any file of this machine.
    if text.contains("secret_file") || text.contains('\\') {
        return;
    }
    match fuzzing::config(text) {
        Ok(config) => {
            let mut limits = Limits::default();
            assert!(!config.listen.is_empty() || text.contains("listen"));
            assert!(matches!(limits.set("requests_per_minute", config.limits.requests_per_minute), Some(Ok(()))));
            assert!(matches!(limits.set("max_body_bytes", config.limits.max_body_bytes), Some(Ok(()))));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// The values that say where a node is and how it proves its identity. An accepted value keeps what was written and is
/// never empty.
pub fn node(data: &[u8]) {
    match Pin::of_pem(data) {
        Ok(Pin::Certificates(all)) => assert!((1..=1000).contains(&all.len())),
        Ok(pin) => panic!("{pin:?}"),
        Err(wrong) => assert!(!wrong.is_empty()),
    }
    let Some(text) = text(data) else { return };
    if let Some(sha256) = fingerprint_of(text) {
        let digits: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text.replace(':', "").to_ascii_lowercase(), digits);
    }
    if let Ok(name) = NodeName::parse(text) {
        assert!(name.as_str() == text && (1..=32).contains(&text.len()) && !text.contains([':', '/', '.']));
    }
    if let Ok(place) = ContainerPlace::parse(text) {
        assert_eq!(place.to_string(), text);
    }
    if let Ok(placement) = Placement::parse(text) {
        assert_eq!(
            [Some(placement.node.as_str()), placement.group.as_deref()]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join("/"),
            text
        );
    }
    if let Ok(endpoint) = NodeOptions::endpoint(text) {
        assert!(endpoint.tls && endpoint.path == "/" && !endpoint.host.is_empty());
    }
    if let Ok(token) = TrustToken::parse(text) {
        assert_eq!(token.text.reveal(), text.trim());
        assert!(!format!("{token:?}").contains(text.trim()));
    }
}

/// A webhook address is HTTP or HTTPS, with a host and without a user.
pub fn webhook_url(data: &[u8]) {
    let Some(text) = text(data) else { return };
    match Endpoint::parse(text, Plaintext::new("0123456789abcdef".into())) {
        Ok(endpoint) => {
            let scheme = text.to_ascii_lowercase();
            assert!(scheme.starts_with("http://") || scheme.starts_with("https://"));
            assert!(!endpoint.host.is_empty() && !endpoint.host.contains(['@', '/', '?', '#', ' ']));
            assert!(endpoint.path.starts_with('/'), "{}", endpoint.path);
        }
        Err(wrong) => assert!(!wrong.is_empty()),
    }
}
