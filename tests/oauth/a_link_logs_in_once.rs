//! One-time login links: made on the socket or with a user's token, used only by the button, invalid after one use.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, text};

/// The URL and the secret of a new link.
fn link(client: &Client, body: Value) -> (String, String) {
    let made = client.post("/api/sessions/links", body).expect(201).json();
    let url = text(&made, "url");
    let secret = url.rsplit('/').next().unwrap().to_owned();
    assert_eq!(secret.len(), 43, "{url}");
    (url, secret)
}

#[test]
fn a_link_of_the_socket_makes_the_operators_session_and_works_once() {
    let daemon = Daemon::start();
    let (url, secret) = link(&daemon.on_socket(), json!({"path": "/docs"}));
    assert_eq!(url, format!("http://{}/login/{secret}", daemon.address));
    // Opening the page does not use up the link. It shows which user will be logged in.
    for _ in 0..3 {
        let page = daemon.anonymous().get(&format!("/login/{secret}")).expect(200);
        assert!(page.text().contains("Log in as operator"), "{}", page.text());
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert!(page.header("set-cookie").is_none());
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    }
    let opened = daemon.anonymous().post("/api/sessions", json!({"link": secret})).expect(200);
    assert_eq!((opened.json()["username"].as_str(), opened.json()["path"].as_str()), (Some("operator"), Some("/docs")));
    let cookie = opened.header("set-cookie").unwrap().to_owned();
    assert!(cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains("Secure"), "{cookie}");
    let browser = daemon.anonymous().with("Cookie", cookie.split(';').next().unwrap());
    assert_eq!(browser.get("/api/auth/whoami").expect(200).json()["kind"], "session");
    daemon.anonymous().post("/api/sessions", json!({"link": secret})).expect_error(401, "link_invalid");
    assert!(daemon.anonymous().get(&format!("/login/{secret}")).expect(401).text().contains("dead"));
    assert_eq!(daemon.text("SELECT group_concat(action) FROM (SELECT action FROM audit WHERE action LIKE 'session.link%' ORDER BY seq)", []), "session.link.create,session.link.use");
    assert!(daemon.log_text().contains("/login/[cut]") && !daemon.log_text().contains(&secret));
}

#[test]
fn a_session_by_link_is_that_of_the_token_it_was_made_with() {
    let daemon = Daemon::start();
    let issued = daemon.operator().post("/api/users/operator/tokens", json!({"scope": ["agents.list", "sessions.*"]}));
    let issued = issued.expect(201).json();
    let client = daemon.client(issued["token"].as_str().unwrap());
    let (_, secret) = link(&client, json!({}));
    let (_, later) = link(&client, json!({}));
    let open = |secret: &str| daemon.anonymous().post("/api/sessions", json!({"link": secret}));
    let cookie = open(&secret).expect(200).header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let browser = daemon.anonymous().with("Cookie", &cookie);
    browser.get("/api/agents").expect(200);
    browser.get("/api/users").expect_error(403, "scope_denied");
    // A session can make links too. They end with the session's token.
    let (_, third) = link(&browser.with("Sec-Fetch-Site", "same-origin"), json!({}));
    let path = format!("/api/users/operator/tokens/{}", issued["id"].as_str().unwrap());
    daemon.operator().delete(&path).expect(204);
    browser.get("/api/agents").expect_error(401, "invalid_token");
    open(&later).expect_error(401, "link_invalid");
    open(&third).expect_error(401, "link_invalid");
}

#[test]
fn only_users_with_a_token_of_their_own_make_links_and_they_lead_nowhere_else() {
    let daemon = Daemon::start();
    daemon.operator().post("/api/agents", json!({"name": "a"})).expect(200);
    let body = json!({"scope": ["*"]});
    daemon.operator().put("/api/agents/a/permissions", body).expect(200);
    let agent = daemon.operator().post("/api/agents/a/token/issue", json!({})).expect(200).json();
    let post = |client: &Client| client.post("/api/sessions/links", json!({}));
    post(&daemon.client(agent["token"].as_str().unwrap())).expect_error(403, "user_token_required");
    let key = daemon.operator().post("/api/v1/keys", json!({"name": "k", "scopes": ["*"]})).expect(201).json();
    let jwt = daemon.client(key["token"].as_str().unwrap()).post("/auth/exchange", json!({})).expect(200).json();
    let refused = post(&daemon.client(jwt["access_token"].as_str().unwrap()));
    assert_eq!(refused.status, 403, "{}", refused.text());
    for path in ["//evil.example", "https://evil.example", "evil", "/\\evil"] {
        daemon.operator().post("/api/sessions/links", json!({"path": path})).expect_error(422, "validation_error");
    }
    for body in [json!({}), json!({"link": "x", "token": "y"})] {
        daemon.anonymous().post("/api/sessions", body).expect_error(422, "validation_error");
    }
}

#[test]
fn failed_links_count_as_failed_logins() {
    let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "3")]);
    let open = |secret: &str| daemon.anonymous().post("/api/sessions", json!({"link": secret}));
    let (_, good) = link(&daemon.on_socket(), json!({}));
    for bad in ["", "x", &"A".repeat(43)] {
        open(bad).expect_error(401, "link_invalid");
    }
    open(&"A".repeat(43)).expect_error(429, "rate_limited");
    open(&good).expect(200);
}

#[test]
fn who_makes_many_links_ends_its_own_oldest() {
    let daemon = Daemon::start();
    let (_, first) = link(&daemon.on_socket(), json!({}));
    let ann = daemon.member("ann", &["*"]);
    let (_, of_ann) = link(&ann, json!({}));
    for _ in 0..16 {
        link(&daemon.on_socket(), json!({}));
    }
    let open = |secret: &str| daemon.anonymous().post("/api/sessions", json!({"link": secret}));
    open(&first).expect_error(401, "link_invalid");
    assert_eq!(open(&of_ann).expect(200).json()["username"], "ann");
}

#[test]
fn people_log_in_on_loopback_or_over_https_alone() {
    let daemon =
        Daemon::with(&[], &[("TAOSD_ALLOWED_HOSTS", "box.lan"), ("TAOSD_PUBLIC_URL", "https://box.example.org")]);
    let (url, secret) = link(&daemon.on_socket(), json!({}));
    assert!(url.starts_with("https://box.example.org/login/"), "{url}");
    let at = |host: &str| daemon.anonymous().with("Host", host);
    for (path, status) in [("/login".to_owned(), 303), (format!("/login/{secret}"), 200)] {
        at("127.0.0.1:1").get(&path).expect(status);
        at("localhost").get(&path).expect(status);
        at("box.example.org").get(&path).expect(status);
        at("evil.example").get(&path).expect(403);
        let refused = at("box.lan:6969").get(&path).expect(403);
        // The page shows the text of the error code "tls_required".
        assert!(refused.text().contains("public_url"), "{}", refused.text());
    }
    let opened = at("box.example.org").post("/api/sessions", json!({"link": secret})).expect(200);
    assert!(opened.header("set-cookie").unwrap().ends_with("; Secure"));
    let open = Daemon::with(&[], &[("TAOSD_ALLOWED_HOSTS", "box.lan"), ("TAOSD_OAUTH_INSECURE_HTTP", "true")]);
    open.anonymous().with("Host", "box.lan:6969").get("/login").expect(303);
}

#[test]
fn the_login_page_leads_back_to_this_box_alone() {
    let daemon = Daemon::start();
    // The only login page is the console's. This address redirects to it.
    let page = |query: &str| {
        let there = daemon.anonymous().get(&format!("/login{query}")).expect(303);
        daemon.anonymous().get(there.header("location").unwrap()).expect(200).text()
    };
    assert!(page("?next=%2Fdocs").contains("name=\"next\" value=\"/docs\""));
    for next in ["//evil.example", "https%3A%2F%2Fevil.example", "%22%3E%3Cscript%3E", "javascript%3A1"] {
        assert!(page(&format!("?next={next}")).contains("name=\"next\" value=\"/\""), "{next}");
        let there = daemon.anonymous().get(&format!("/ui/login?next={next}")).expect(200).text();
        assert!(there.contains("name=\"next\" value=\"/ui/\""), "{next}");
    }
    let (_, secret) = link(&daemon.on_socket(), json!({}));
    let opened = daemon.anonymous().post("/api/sessions", json!({"link": secret})).expect(200);
    let cookie = opened.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let there = daemon.anonymous().with("Cookie", &cookie).get("/login?next=/docs").expect(303);
    assert_eq!(there.header("location"), Some("/docs"));
}
