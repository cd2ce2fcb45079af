//! An HTTP receiver that settings or users name: its URL, taken apart, and the secret that it shares with us.

use std::net::{IpAddr, SocketAddr};

use super::error::ClientError;
use super::http::{self, ClientRequest, Response, Target};
use super::tls::Trust;
use crate::secret::Plaintext;

/// Where notifications are delivered.
#[derive(Debug)]
pub struct Endpoint {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// The URL's host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its path and query.
    pub path: String,
    /// What deliveries are signed with, or the receiver's own token.
    pub secret: Plaintext,
}

impl Endpoint {
    /// Reads a URL `http://HOST[:PORT][/PATH]`, or the same with `https`.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with its name.
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

    /// The `Host` header's value.
    pub fn authority(&self) -> String {
        match self.host.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
            _ => format!("{}:{}", self.host, self.port),
        }
    }

    /// The first address of its host.
    ///
    /// # Errors
    /// The name has none.
    pub fn resolve(&self) -> Result<SocketAddr, ClientError> {
        match Target::resolve(&self.host, self.port)? {
            Target::Tcp(address) => Ok(address),
            Target::Unix(_) => Err(ClientError::Invalid("the host".to_owned())),
        }
    }

    /// Sends a request to one of its addresses.
    ///
    /// # Errors
    /// As [`http::call`].
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
