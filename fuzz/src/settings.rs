//! What the operator writes: `taosd.toml` and the address of the webhook.

use taosd::client::endpoint::Endpoint;
use taosd::fuzzing;
use taosd::limits::Limits;
use taosd::secret::Plaintext;

use super::text;

/// A file is taken whole or refused with a sentence; limits that are taken are within their bounds.
pub fn config(data: &[u8]) {
    let Some(text) = text(data) else { return };
    // It would be read: any file of this machine.
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

/// A webhook is HTTP or HTTPS to a host, without a user.
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
