//! An HTTP receiver that settings name: its URL, taken apart, and the secret that it shares with us.

use std::net::IpAddr;

use crate::secret::Plaintext;

/// Where notifications are delivered.
#[derive(Debug)]
pub struct Endpoint {
    /// The URL's host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its path and query.
    pub path: String,
    /// What deliveries are signed with.
    pub secret: Plaintext,
}

impl Endpoint {
    /// Reads a URL `http://HOST[:PORT][/PATH]`.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence for the person who set it.
    pub fn parse(url: &str, secret: Plaintext) -> std::result::Result<Self, String> {
        if url.starts_with("https:") {
            return Err("webhook.url must be http: taosd speaks no TLS; name a relay on this box or network".into());
        }
        let uri: hyper::Uri = url.parse().map_err(|_| "webhook.url is not a URL".to_owned())?;
        let host = uri.host().map(|host| host.trim_matches(['[', ']'])).unwrap_or_default();
        let userinfo = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if uri.scheme_str() != Some("http") || host.is_empty() || userinfo {
            return Err("webhook.url must be http://HOST[:PORT][/PATH], without a user".into());
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        // A query may follow the host; a request's target begins with its path (RFC 9112, section 3.2.1).
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host: host.to_owned(), port: uri.port_u16().unwrap_or(80), path, secret })
    }

    /// The `Host` header's value.
    pub fn authority(&self) -> String {
        match self.host.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
            _ => format!("{}:{}", self.host, self.port),
        }
    }
}
