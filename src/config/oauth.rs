//! `public_url` and the table `[oauth]`: the public address of the box, and the settings of its authorization server.

use std::fmt;

use super::source::Sources;
use super::{Origin, ProtectedResource, TokenAlgorithm, resources, source};
use crate::http::edge::check::split_host;

/// The default private schemes in redirect URIs.
const SCHEMES: &[&str] = &["cursor", "vscode", "vscode-insiders", "windsurf"];
/// Schemes that do not belong to one program and are never accepted.
const NEVER_SCHEMES: &[&str] = &["http", "https", "javascript", "data", "file", "blob", "about", "vbscript"];

/// The address at which people reach the daemon, usually through a proxy that terminates TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// Whether it is https.
    pub tls: bool,
    /// Host and port as a browser sends them in `Host`, in lower case.
    pub authority: String,
}

impl PublicUrl {
    /// Parses `https://box.example.org` or `http://box.lan:6969`, without user, path, query or fragment.
    ///
    /// # Errors
    /// A text with what is wrong.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (tls, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err("must begin with https:// or http://"),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest).to_ascii_lowercase();
        let Some((host, port)) = split_host(&authority) else {
            return Err("must hold a host and nothing else, such as https://box.example.org");
        };
        // Browsers omit the scheme's default port in `Host`.
        let own = if tls { 443 } else { 80 };
        let authority = if port == Some(own) { host.to_owned() } else { authority };
        Ok(Self { tls, authority })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }
}

/// The table `[oauth]` of `taosd.toml`; in the environment `TAOSD_OAUTH_<KEY>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth {
    /// `enabled`: whether the authorization server is on.
    pub enabled: bool,
    /// `insecure_http`: whether it also serves names other than loopback without TLS.
    pub insecure_http: bool,
    /// `access_ttl`: the lifetime of an access token in seconds.
    pub access_ttl: u64,
    /// `refresh_idle_days`: days after which an unused grant ends.
    pub refresh_idle_days: u64,
    /// `refresh_days`: days after which a grant ends.
    pub refresh_days: u64,
    /// `register`: whether programs may register themselves.
    pub register: bool,
    /// `registrations_per_minute`: registrations of one peer; 0 switches the rate off.
    pub registrations_per_minute: u64,
    /// `redirect_schemes`: private schemes that programs may use in redirect URIs.
    pub redirect_schemes: Vec<String>,
    /// `[[oauth.resources]]`: other services that the daemon issues tokens for.
    pub resources: Vec<ProtectedResource>,
}

impl OAuth {
    pub(super) fn from_sources(sources: &mut Sources) -> Self {
        let mut switch = |key: &str, variable: &str, default| {
            let set = sources.switch(&["oauth", key], variable);
            set.unwrap_or(default)
        };
        let enabled = switch("enabled", "TAOSD_OAUTH_ENABLED", true);
        let insecure_http = switch("insecure_http", "TAOSD_OAUTH_INSECURE_HTTP", false);
        let register = switch("register", "TAOSD_OAUTH_REGISTER", true);
        let mut number = |key: &str, variable: &str, min, max, default| {
            let set = sources.number(&["oauth", key], variable, min, max);
            set.unwrap_or(default)
        };
        Self {
            enabled,
            insecure_http,
            register,
            access_ttl: number("access_ttl", "TAOSD_OAUTH_ACCESS_TTL", 60, 3600, 900),
            refresh_idle_days: number("refresh_idle_days", "TAOSD_OAUTH_REFRESH_IDLE_DAYS", 1, 365, 30),
            refresh_days: number("refresh_days", "TAOSD_OAUTH_REFRESH_DAYS", 1, 365, 90),
            registrations_per_minute: number(
                "registrations_per_minute",
                "TAOSD_OAUTH_REGISTRATIONS_PER_MINUTE",
                0,
                100_000,
                10,
            ),
            redirect_schemes: schemes(sources),
            resources: resources::from_sources(sources),
        }
    }

    /// True if tokens for at least one service are signed with ES256.
    pub fn needs_es256(&self) -> bool {
        self.resources.iter().any(|resource| resource.alg == TokenAlgorithm::Es256)
    }

    /// Finds a service by its URI, with or without a slash at the end.
    pub fn resource(&self, uri: &str) -> Option<&ProtectedResource> {
        let uri = uri.strip_suffix('/').unwrap_or(uri);
        self.resources.iter().find(|resource| resource.uri == uri)
    }
}

fn schemes(sources: &mut Sources) -> Vec<String> {
    let Some((list, origin)) = sources.list(&["oauth", "redirect_schemes"], "TAOSD_OAUTH_REDIRECT_SCHEMES") else {
        return SCHEMES.iter().map(|scheme| (*scheme).to_owned()).collect();
    };
    let is_one = |scheme: &String| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c);
        scheme.starts_with(|c: char| c.is_ascii_lowercase())
            && scheme.len() <= 64
            && scheme.chars().all(plain)
            && !NEVER_SCHEMES.contains(&scheme.as_str())
    };
    for scheme in list.iter().filter(|scheme| !is_one(scheme)) {
        let why = "is not the private scheme of a program, in lower case, such as vscode";
        sources.wrong(&origin, format_args!("oauth.redirect_schemes: {} {why}", source::shown(scheme)));
    }
    list
}

/// Reads `public_url`.
pub(super) fn public_url(sources: &mut Sources) -> Option<PublicUrl> {
    let (text, origin): (String, Origin) = sources.text(&["public_url"], "TAOSD_PUBLIC_URL")?;
    match PublicUrl::parse(&text) {
        Ok(url) => Some(url),
        Err(why) => {
            sources.wrong(&origin, format_args!("public_url: {} {why}", source::shown(&text)));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_a_scheme_and_a_host() {
        for (text, shown) in [
            ("https://box.example.org", "https://box.example.org"),
            ("https://BOX.example.org:443/", "https://box.example.org"),
            ("https://box.example.org:8443", "https://box.example.org:8443"),
            ("http://192.168.1.5:6969", "http://192.168.1.5:6969"),
            ("http://[fd00::1]:80", "http://[fd00::1]"),
        ] {
            assert_eq!(PublicUrl::parse(text).unwrap().to_string(), shown);
        }
        for text in [
            "",
            "box",
            "ftp://box",
            "https://",
            "https://a@box",
            "https://box/path",
            "https://box?x",
            "https://box#f",
            "https://box:99999",
            "HTTPS://box",
        ] {
            assert!(PublicUrl::parse(text).is_err(), "{text}");
        }
    }
}
