//! An HTTP server that settings or users name: its parsed URL, and the secret that it shares with the daemon.

use std::net::{IpAddr, SocketAddr};

use super::error::ClientError;
use super::http::{self, ClientRequest, Response, Target};
use super::tls::Trust;
use crate::secret::Plaintext;

/// The server at a URL: a receiver of notifications, or a node.
#[derive(Debug)]
pub struct Endpoint {
    /// Whether the URL is `https`.
    pub tls: bool,
    /// The host of the URL, without brackets.
    pub host: String,
    /// The port; by default 443 with TLS, else 80.
    pub port: u16,
    /// The path and the query.
    pub path: String,
    /// The key that signs deliveries, or the receiver's own token.
    pub secret: Plaintext,
}

impl Endpoint {
    /// Parses a URL `http://HOST[:PORT][/PATH]`, or the same with `https`.
    ///
    /// # Errors
    /// The fault, as the end of a sentence that begins with the setting's name.
    pub fn parse(url: &str, secret: Plaintext) -> std::result::Result<Self, String> {
        let uri: hyper::Uri = url.parse().map_err(|_| "is not a URL".to_owned())?;
        let host = uri.host().map(|host| host.trim_matches(['[', ']'])).unwrap_or_default();
        let userinfo = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("must be http://HOST[:PORT][/PATH], or the same with https, without a user".into()),
        };
        if host.is_empty() || userinfo {
            return Err("must be http://HOST[:PORT][/PATH], or the same with https, without a user".into());
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        // A query may follow the host; a request's target begins with its path (RFC 9112, section 3.2.1).
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { tls, host: host.to_owned(), port, path, secret })
    }

    /// The value of the `Host` header.
    pub fn authority(&self) -> String {
        match self.host.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
            _ => format!("{}:{}", self.host, self.port),
        }
    }

    /// The URL without its path, which may be a secret: `https://ntfy.example:443/…`.
    pub fn place(&self) -> String {
        format!("{}://{}/…", if self.tls { "https" } else { "http" }, self.authority())
    }

    /// Resolves the host to its first address.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if the name has no address.
    pub fn resolve(&self) -> Result<SocketAddr, ClientError> {
        match Target::resolve(&self.host, self.port)? {
            Target::Tcp(address) => Ok(address),
            Target::Unix(_) => Err(ClientError::Invalid("the host".to_owned())),
        }
    }

    /// Sends a request to one address of the host.
    ///
    /// # Errors
    /// The errors of [`http::call`], and [`ClientError::Tls`].
    pub fn call(
        &self,
        address: SocketAddr,
        trust: Option<&Trust>,
        request: ClientRequest,
    ) -> Result<Response, ClientError> {
        let request = request.with_header("host", self.authority());
        match trust {
            _ if !self.tls => http::call(&Target::Tcp(address), request),
            Some(trust) => http::call_over_tls(address, &self.host, trust, request),
            None => http::call_over_tls(address, &self.host, &Trust::system().map_err(ClientError::Tls)?, request),
        }
    }
}
