//! Addresses of agents (`acp_url`): which may be registered, and where requests are sent on to (Agentex contract,
//! sections 3 and 7). No name is ever resolved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::host_net::canonical;
use crate::limits::ACP_URL_CHARS;

/// A well-formed absolute http or https URL without userinfo, query and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcpUrl {
    is_http: bool,
    /// The host as written, without the brackets of an IPv6 address.
    host: String,
    port: u16,
    /// The path, without a slash at its end.
    base: String,
}

impl AcpUrl {
    /// Parses a URL; `None` if it does not have this form.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'\\' | b'"' | b'<' | b'>' | b'?' | b'#' | b'@');
        if text.len() > ACP_URL_CHARS || !text.bytes().all(plain) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let is_http = scheme.eq_ignore_ascii_case("http");
        if !is_http && !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (host, port) = split(authority)?;
        let port = match port {
            None if is_http => 80,
            None => 443,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port > 0)?
            }
            Some(_) => return None,
        };
        if host.is_empty() || path.split('/').any(is_dots) {
            return None;
        }
        Some(Self { is_http, host: host.to_owned(), port, base: path.trim_end_matches('/').to_owned() })
    }

    /// The path and query of a request for `path` (with its leading slash) below this URL.
    pub fn target(&self, path: &str, query: &str) -> String {
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{path}{mark}{query}", self.base)
    }

    /// The address of an agent without a container: only loopback addresses of this machine.
    pub fn on_this_machine(&self) -> Option<SocketAddr> {
        self.ip().filter(IpAddr::is_loopback).and_then(|ip| self.socket(ip))
    }

    /// The address of an agent in a container: only the container's own. Loopback and the container's name mean the
    /// container, because that is how the agent inside names it.
    pub fn in_container(&self, name: &str, address: IpAddr) -> Option<SocketAddr> {
        let means_it = match self.ip() {
            Some(ip) => ip.is_loopback() || ip == address,
            None => self.host.eq_ignore_ascii_case(name),
        };
        if means_it { self.socket(address) } else { None }
    }

    fn socket(&self, ip: IpAddr) -> Option<SocketAddr> {
        self.is_http.then(|| SocketAddr::new(ip, self.port))
    }

    /// The host as an IP address; an IPv4 address in IPv6 form becomes the IPv4 address.
    fn ip(&self) -> Option<IpAddr> {
        if self.host.eq_ignore_ascii_case("localhost") {
            return Some(Ipv4Addr::LOCALHOST.into());
        }
        // The standard parser accepts no octal, hexadecimal or shortened form, and no scope.
        self.host.parse::<IpAddr>().ok().map(canonical)
    }
}

/// The host and the port of an authority.
fn split(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        return if after.is_empty() { Some((host, None)) } else { Some((host, Some(after.strip_prefix(':')?))) };
    }
    let well_formed = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    well_formed(host).then_some((host, port))
}

/// True for a path segment that is `.` or `..`, or that contains a separator, also after being decoded several times.
pub fn is_dots(segment: &str) -> bool {
    let mut text = segment.to_owned();
    for _ in 0..8 {
        if text == "." || text == ".." || (text != segment && text.contains(['/', '\\'])) || text.contains('\\') {
            return true;
        }
        let decoded = percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if decoded == text {
            return false;
        }
        text = decoded;
    }
    // No honest client encodes a name eight times.
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_absolute_addresses_without_tricks_are_well_formed() {
        for good in ["http://h", "HTTPS://a.b:1/x/y", "http://[::1]:8000", "http://127.0.0.1:65535/", "http://a_b-c"] {
            assert!(AcpUrl::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "h",
            "/x",
            "ftp://h",
            "http://",
            "http:///x",
            "http://u@h",
            "http://u:p@h",
            "http://h?q",
            "http://h#f",
            "http://h:0",
            "http://h:65536",
            "http://h:",
            "http://h:x",
            "http://[::1",
            "http://[x]",
            "http://[::1]x",
            "http://h /",
            "http://h\\@e",
            "http://h/../x",
            "http://h/%2e%2e/x",
            "http://h/%252e%252e",
            "http://é",
            "http://h\n",
            "http://h%00",
            "//h",
        ] {
            assert!(AcpUrl::parse(bad).is_none(), "{bad:?}");
        }
        assert!(AcpUrl::parse(&format!("http://h/{}", "a".repeat(2048))).is_none());
    }

    #[test]
    fn without_a_container_only_this_machine_is_meant() {
        let here = |text: &str| AcpUrl::parse(text).and_then(|url| url.on_this_machine()).map(|a| a.to_string());
        assert_eq!(here("http://localhost:9").as_deref(), Some("127.0.0.1:9"));
        assert_eq!(here("http://127.9.9.9:9/x").as_deref(), Some("127.9.9.9:9"));
        assert_eq!(here("http://[::ffff:127.0.0.1]:9").as_deref(), Some("127.0.0.1:9"));
        assert_eq!(here("http://[64:ff9b::7f00:1]:9").as_deref(), Some("127.0.0.1:9"));
        assert_eq!(here("http://[::1]").as_deref(), Some("[::1]:80"));
        for bad in [
            "https://localhost",
            "http://10.0.0.1",
            "http://169.254.169.254",
            "http://0.0.0.0",
            "http://[::]",
            "http://2130706433",
            "http://0x7f000001",
            "http://0177.0.0.1",
            "http://127.1",
            "http://localhost.",
            "http://example.com",
            "http://[::ffff:10.0.0.1]",
        ] {
            assert_eq!(here(bad), None, "{bad}");
        }
    }

    #[test]
    fn with_a_container_only_its_own_address_is_meant() {
        let ip: IpAddr = "10.1.2.3".parse().unwrap();
        let inside = |text: &str| AcpUrl::parse(text).and_then(|url| url.in_container("taos-agent-a", ip));
        for good in ["http://localhost:9", "http://taos-agent-a:9", "http://10.1.2.3:9", "http://[::1]:9"] {
            assert_eq!(inside(good).map(|a| a.to_string()).as_deref(), Some("10.1.2.3:9"), "{good}");
        }
        for bad in ["http://taos-agent-b", "http://10.1.2.4", "http://0.0.0.0", "https://10.1.2.3"] {
            assert_eq!(inside(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(?i)(https?://)?[ -~é]{0,60}") {
            if let Some(url) = AcpUrl::parse(&text) {
                let _ = url.on_this_machine();
                prop_assert!(url.target("/x", "").starts_with('/'));
            }
        }
    }
}
