//! Redirect URIs: the rules for registering them, and for naming one in a request (OAuth contract, section 3; RFC
//! 8252).

use crate::http::edge::check::split_host;

/// The maximum bytes of a redirect URI.
pub const MOST: usize = 512;

/// A redirect URI that may be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect<'a> {
    text: &'a str,
    kind: RedirectKind<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum RedirectKind<'a> {
    /// A program on the browser's computer; any port is allowed.
    Loopback { host: &'a str, rest: &'a str },
    /// A web application.
    Https { host: &'a str },
    /// A program with its own URI scheme.
    Private { scheme: &'a str },
}

impl<'a> Redirect<'a> {
    /// Parses a URI; `None` if no client may have it. `schemes`: the allowed private schemes.
    pub fn parse(text: &'a str, schemes: &[String]) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_graphic() && !b"\\\"<>^`{|}#*".contains(&b);
        if text.len() > MOST || !text.bytes().all(plain) {
            return None;
        }
        let (scheme, rest) = text.split_once(':')?;
        let kind = match (scheme, rest.strip_prefix("//")) {
            ("http" | "https", Some(rest)) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                let (authority, path) = rest.split_at(end);
                let (host, _) = split_host(authority)?;
                if has_dots(path) {
                    return None;
                }
                match scheme {
                    "https" => RedirectKind::Https { host: authority },
                    _ if is_own_computer(host) => RedirectKind::Loopback { host, rest: path },
                    _ => return None,
                }
            }
            ("http" | "https", None) => return None,
            _ if schemes.iter().any(|known| known == scheme) && !has_dots(rest) && !rest.contains('@') => {
                RedirectKind::Private { scheme }
            }
            _ => return None,
        };
        Some(Self { text, kind })
    }

    /// True if a request may name `asked` when this URI is registered: they must be equal, except for the port of a
    /// loopback address.
    pub fn admits(&self, asked: &Redirect<'_>) -> bool {
        match (&self.kind, &asked.kind) {
            (RedirectKind::Loopback { host, rest }, RedirectKind::Loopback { host: other, rest: asked }) => {
                host.eq_ignore_ascii_case(other) && rest.trim_start_matches('/') == asked.trim_start_matches('/')
            }
            _ => self.text == asked.text,
        }
    }

    /// Describes for people where the URI leads.
    pub fn place(&self) -> String {
        match self.kind {
            RedirectKind::Loopback { .. } => "a program on the computer of this browser".to_owned(),
            RedirectKind::Https { host } => host.to_ascii_lowercase(),
            RedirectKind::Private { scheme } => {
                format!("the program that opens {scheme}: links on the computer of this browser")
            }
        }
    }

    /// Returns the host or scheme, for records.
    pub fn host(&self) -> String {
        match self.kind {
            RedirectKind::Loopback { host, .. } | RedirectKind::Https { host } => host.to_ascii_lowercase(),
            RedirectKind::Private { scheme } => format!("{scheme}:"),
        }
    }
}

/// True for the three names of the browser's computer that a program may register. Other loopback addresses mean it as
/// well, but the contract does not list them.
fn is_own_computer(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || ["127.0.0.1", "[::1]"].contains(&host)
}

/// True if a path has dot segments, encoded ones included.
fn has_dots(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or("").to_ascii_lowercase().replace("%2e", ".");
    path.split('/').any(|segment| segment == "." || segment == "..")
}

/// Returns the URI with these parameters added to its query.
pub fn with(uri: &str, parameters: &[(&str, &str)]) -> String {
    let mut all = uri.to_owned();
    for (name, value) in parameters {
        all.push(if all.contains('?') { '&' } else { '?' });
        all.push_str(&format!("{name}={}", super::form::encoded(value)));
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schemes() -> Vec<String> {
        vec!["vscode".into(), "cursor".into()]
    }

    fn parse(text: &str) -> Option<Redirect<'_>> {
        // The result borrows from the text only, not from the list of schemes.
        Redirect::parse(text, &schemes())
    }

    #[test]
    fn what_clients_register_is_taken() {
        for text in [
            "http://localhost:33418/callback",
            "http://127.0.0.1/",
            "http://127.0.0.1:33418/",
            "http://[::1]:1/x?y=1",
            "https://vscode.dev/redirect",
            "https://box.example:8443/a?b=c",
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "vscode:callback",
        ] {
            assert!(parse(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_would_lead_elsewhere_is_refused() {
        for text in [
            "",
            "http://box.lan/cb",
            "http://127.1.2.3/cb",
            "http://[::ffff:127.0.0.1]/cb",
            "http://[127.0.0.1]/cb",
            "http://::1/cb",
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.1@evil.example/",
            "http://localhost:1@evil.example/",
            "https://user@evil.example/",
            "https://a.example/cb#x",
            "https://*.example/cb",
            "https://a.example/../cb",
            "https://a.example/%2e%2E/cb",
            "https://a.example\\@evil.example/",
            "https:///cb",
            "https:cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "evil://x",
            "vscode://a@b/..",
            "https://a.example/ b",
            "https://a.example:99999/",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn only_the_port_of_a_loopback_address_may_differ() {
        let admits = |registered: &str, asked: &str| parse(registered).unwrap().admits(&parse(asked).unwrap());
        assert!(admits("http://localhost:1/cb", "http://localhost:65000/cb"));
        assert!(admits("http://127.0.0.1/", "http://127.0.0.1:33418"));
        assert!(!admits("http://localhost:1/cb", "http://localhost:1/other"));
        assert!(!admits("http://localhost:1/cb", "http://127.0.0.1:1/cb"));
        assert!(!admits("http://localhost:1/cb", "http://localhost:1/cb?x=1"));
        assert!(!admits("https://a.example/cb", "https://a.example:8443/cb"));
        assert!(!admits("https://a.example/cb", "https://a.example/cb/"));
        assert!(!admits("vscode://a/b", "vscode://a/c"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(https?|vscode)?:?/{0,2}[a-z0-9@:#\\[\\]./?%*é-]{0,40}") {
            let _ = parse(&text).map(|redirect| (redirect.place(), redirect.host()));
        }

        #[test]
        fn what_is_added_is_one_value(value in "[ -~]{1,40}") {
            let uri = with("http://localhost/cb?a=1", &[("state", &value)]);
            let query = uri.split_once('?').unwrap().1;
            prop_assert_eq!(super::super::form::first(query, &super::super::fields::STATE), Some(value));
        }
    }
}
