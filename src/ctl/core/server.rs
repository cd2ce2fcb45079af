//! The address of the daemon: `http://HOST[:PORT]` or `unix:PATH`.

use std::fmt;
use std::net::{Ipv6Addr, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use super::failure::Failure;
use crate::client::http::Target;
use crate::config;

/// The directory of the daemon's socket under systemd.
const SYSTEM_DIR: &str = "/run/taosd";
/// The file name of the socket.
const SOCKET: &str = "taosd.sock";
/// The port of an `http` URL that names none (RFC 9110, section 4.2.1).
const HTTP_PORT: u16 = 80;

/// The address of a daemon. Two values are equal if they are the same address, whatever the spelling of their URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// A Unix socket.
    Unix(PathBuf),
    /// A host and a port; the host in lower case, an IPv6 address without its brackets.
    Tcp(String, u16),
}

impl Server {
    /// Parses a URL.
    ///
    /// # Errors
    /// [`Failure::Usage`] for another scheme, userinfo, a path or a query.
    pub fn parse(url: &str) -> Result<Self, Failure> {
        let wrong = || Failure::usage("The URL is not the address of taosd.", "Write http://HOST:PORT or unix:PATH.");
        if let Some(path) = url.strip_prefix("unix:") {
            let fix = "Write the absolute path of the socket.";
            return match path.chars().next() {
                None => Err(wrong()),
                Some('~' | '$') => Err(Failure::usage(
                    "The path of the socket begins with ~ or $, which taosctl does not expand.",
                    fix,
                )),
                // Absolute, because the saved path is also used from other directories.
                Some(_) => Ok(Self::Unix(std::path::absolute(path).unwrap_or_else(|_| path.into()))),
            };
        }
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        if scheme.eq_ignore_ascii_case("https") {
            let fix = "Write http://, and use a tunnel to this machine if you do not trust the network.";
            return Err(Failure::usage("taosd itself does not speak TLS.", fix));
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split_port(authority).ok_or_else(wrong)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let is_host = if authority.starts_with('[') {
            host.parse::<Ipv6Addr>().is_ok()
        } else {
            !host.is_empty() && host.chars().all(plain)
        };
        if scheme.eq_ignore_ascii_case("http") && is_host {
            return Ok(Self::Tcp(host.to_ascii_lowercase(), port));
        }
        Err(wrong())
    }

    /// The socket of the daemon on this machine: the first that exists of the places where a daemon makes it.
    pub fn local(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let runtime = env("RUNTIME_DIRECTORY").and_then(|dirs| config::first_dir(&dirs));
        let data = config::default_data_dir(env).ok();
        let system = PathBuf::from(SYSTEM_DIR);
        let mut sockets = [runtime, Some(system.clone()), data].into_iter().flatten().map(|dir| dir.join(SOCKET));
        let is_socket = |path: &PathBuf| path.metadata().is_ok_and(|meta| meta.file_type().is_socket());
        Self::Unix(sockets.find(is_socket).unwrap_or_else(|| system.join(SOCKET)))
    }

    /// The addresses to connect to, in this order.
    ///
    /// # Errors
    /// [`Failure::Unreachable`] if the name has no address.
    pub fn targets(&self) -> Result<Vec<Target>, Failure> {
        match self {
            Self::Unix(path) => Ok(vec![Target::Unix(path.clone())]),
            Self::Tcp(host, port) => match (host.as_str(), *port).to_socket_addrs() {
                Ok(found) => Ok(found.map(Target::Tcp).collect()),
                Err(error) => Err(Failure::Unreachable(format!("{self} has no address: {error}."))),
            },
        }
    }

    /// The value of the `Host` header.
    pub fn host(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".to_owned(),
            Self::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp(host, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(..) => write!(f, "http://{}", self.host()),
        }
    }
}

fn split_port(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    match port {
        None => Some((host, HTTP_PORT)),
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some((host, digits.parse().ok()?)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_place_has_one_form() {
        for (url, shown) in [
            ("http://Board.local:6969/", "http://board.local:6969"),
            ("HTTP://127.0.0.1", "http://127.0.0.1:80"),
            ("http://[::1]:6969", "http://[::1]:6969"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
        ] {
            let server = Server::parse(url).unwrap();
            assert_eq!(server.to_string(), shown);
            assert_eq!(Server::parse(shown).unwrap(), server);
        }
    }

    #[test]
    fn what_is_no_place_of_a_daemon_is_refused() {
        for url in [
            "",
            "unix:",
            "127.0.0.1:6969",
            "https://a",
            "ftp://a",
            "http://",
            "http://a/b",
            "http://a?b",
            "http://u@a",
            "http://a:x",
            "http://a:+1",
            "http://a:70000",
            "http://a b",
            "http://[::1",
            "http://[x]:1",
            "http://::1",
        ] {
            assert!(Server::parse(url).is_err(), "{url}");
        }
    }

    proptest! {
        #[test]
        fn any_url_is_read_without_panic(url in ".{0,60}") {
            let _ = Server::parse(&url);
        }
    }
}
