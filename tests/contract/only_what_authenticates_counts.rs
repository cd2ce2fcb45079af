//! The credential that authenticates a request decides which rules apply, never a header that is merely present. Under
//! a foreign Host (a deceived browser) a cookie has no effect, and changes by cookie must come from a page of the
//! console.

use serde_json::json;
use taosd::api::{ApiRoute, routes};
use taosd::rest::route::BodyKind;

use crate::harness::path_with;
use crate::support::{Client, Daemon, Reply};

/// Paths that anyone may read under any host name.
const EXEMPT: &[&str] = &["/healthz", "/readyz", "/.well-known/jwks.json"];

/// Headers that look like a credential but are not one.
const JUNK: &[&[(&str, &str)]] = &[
    &[],
    &[("Authorization", "x")],
    &[("Authorization", "")],
    &[("Authorization", "Basic eDp5")],
    &[("Authorization", "Bearer x")],
    &[("Authorization", "Bearer taos_user_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")],
    &[("Authorization", "AgentKey x")],
    &[("Authorization", "x"), ("Authorization", "y")],
    &[("x-agent-api-key", "x")],
    &[("x-agent-api-key", "")],
    &[("Authorization", "x"), ("x-agent-api-key", "y")],
];

struct Browser {
    daemon: Daemon,
    cookie: String,
}

impl Browser {
    fn new() -> Self {
        let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "0"), ("TAOSD_REQUESTS_PER_MINUTE", "0")]);
        daemon.agent("x");
        let reply = daemon
            .anonymous()
            .with("Sec-Fetch-Site", "same-origin")
            .post("/api/sessions", json!({"token": daemon.token}));
        let cookie = reply.header("set-cookie").expect("a cookie").split(';').next().expect("a value").to_owned();
        Self { daemon, cookie }
    }

    fn with(&self, host: &str, headers: &[(&str, &str)]) -> Client {
        let client = self.daemon.anonymous().with("Host", host).with("Cookie", &self.cookie);
        headers.iter().fold(client, |client, (name, value)| client.with(name, value))
    }
}

fn send(client: &Client, route: &ApiRoute) -> Reply {
    let body = matches!(route.body, BodyKind::Json(_)).then_some(&b"{}"[..]);
    client.send(route.method.as_str(), &path_with(route, "x"), body)
}

fn all() -> impl Iterator<Item = &'static ApiRoute> {
    routes().iter().flat_map(|table| table.iter())
}

#[test]
fn under_a_foreign_host_no_cookie_counts_whatever_else_is_sent() {
    let browser = Browser::new();
    for junk in JUNK {
        for route in all().filter(|route| !EXEMPT.contains(&route.path)) {
            let client = browser.with("evil.example", junk).with("Sec-Fetch-Site", "same-origin");
            let reply = send(&client, route);
            let what = format!("{} {} {junk:?}: {} {}", route.method, route.path, reply.status, reply.text());
            // A malformed Bearer and two credentials are refused as such. Everything else is refused too.
            assert!([400, 401, 403].contains(&reply.status), "{what}");
            let public = route.action().is_none();
            if public || junk.is_empty() {
                assert!(reply.text().contains("host_not_allowed"), "{what}");
            }
        }
    }
    let before = browser.daemon.operator().get("/api/agents").expect(200).json();
    assert_eq!(before.as_array().map(Vec::len), Some(1));
}

#[test]
fn under_a_foreign_host_what_is_no_route_tells_nothing_either() {
    let browser = Browser::new();
    for junk in JUNK {
        let client = browser.with("evil.example", junk);
        for (method, path) in [("GET", "/nothing"), ("DELETE", "/api"), ("OPTIONS", "/api/agents"), ("GET", "/docs")] {
            client.send(method, path, None).expect_error(403, "host_not_allowed");
        }
        for path in EXEMPT {
            client.get(path).expect(200);
        }
    }
}

#[test]
fn a_good_credential_in_a_header_needs_no_host_of_ours() {
    let browser = Browser::new();
    let operator = format!("Bearer {}", browser.daemon.token);
    for host in ["evil.example", "box.lan:6969"] {
        browser.with(host, &[("Authorization", &operator)]).get("/api/auth/whoami").expect(200);
        let client = browser.with(host, &[("Authorization", &operator)]);
        client.put("/api/agents/x", json!({"host": "h"})).expect(200);
    }
}

#[test]
fn a_cookie_needs_a_page_of_ours_whatever_else_is_sent() {
    let browser = Browser::new();
    for junk in JUNK {
        let client = browser.with("localhost", junk);
        for route in all().filter(|route| route.action().is_some() && route.method != "GET") {
            let reply = send(&client, route);
            let refused = [400, 401, 403].contains(&reply.status);
            assert!(refused, "{} {} {junk:?}: {} {}", route.method, route.path, reply.status, reply.text());
        }
    }
    // The same request succeeds with only the cookie, from a page of the console.
    let page = browser.with("localhost", &[("Sec-Fetch-Site", "same-origin")]);
    page.put("/api/agents/x", json!({"host": "h"})).expect(200);
}
