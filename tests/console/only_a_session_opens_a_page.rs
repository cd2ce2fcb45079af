//! Only the cookie of a session opens a page. A client without one is led to the login and back.

use serde_json::json;

use crate::site::{Site, post};
use crate::support::Daemon;

#[test]
fn who_is_not_signed_in_is_led_to_the_login_and_back() {
    let daemon = Daemon::start();
    let browser = daemon.anonymous().with("Accept", "text/html");
    let reply = browser.get("/ui/agents/atlas?tab=logs").expect(303);
    let login = reply.header("location").expect("the login").to_owned();
    assert_eq!(login, "/ui/login?next=%2Fui%2Fagents%2Fatlas%3Ftab%3Dlogs");
    let page = browser.get(&login).expect(200).text();
    assert!(page.contains("name=\"next\" value=\"/ui/agents/atlas?tab=logs\""), "{page}");
    // The login never leads to another site.
    let page = browser.get("/ui/login?next=%2F%2Fevil.example").expect(200).text();
    assert!(page.contains("name=\"next\" value=\"/ui/\"") && !page.contains("evil"), "{page}");
    let site = Site::operator(&daemon);
    assert!(site.get("/ui/").expect(200).text().contains("Sign out operator"));
    // The front page leads to the console.
    assert_eq!(browser.get("/").expect(303).header("location"), Some("/ui/"));
}

#[test]
fn a_token_in_a_header_opens_no_page_and_a_part_of_a_page_is_opened_anew() {
    let daemon = Daemon::start();
    for client in [daemon.operator(), daemon.on_socket(), daemon.client("taos_user_bad")] {
        let reply = client.with("Accept", "text/html").get("/ui/agents").expect(303);
        assert!(reply.header("location").expect("the login").starts_with("/ui/login?next="));
        post(&client, "/ui/do", &[("_do", "POST /api/agents"), ("name", "x")]).expect(303);
    }
    let part = daemon.anonymous().with("HX-Request", "true").get("/ui/").expect(401);
    assert_eq!(part.header("hx-refresh"), Some("true"));
    assert_eq!(daemon.operator().get("/api/agents").expect(200).json(), serde_json::json!([]));
}

#[test]
fn a_login_from_another_site_or_with_a_wrong_token_opens_nothing() {
    let daemon = Daemon::start();
    let browser = daemon.anonymous().with("Accept", "text/html");
    let foreign =
        browser.with("Origin", "http://evil.example").with("Content-Type", "application/x-www-form-urlencoded");
    let body = format!("token={}", daemon.token);
    let reply = foreign.send("POST", "/ui/login", Some(body.as_bytes())).expect(403);
    assert!(reply.header("set-cookie").is_none());
    let agent = daemon.operator().post("/api/agents", serde_json::json!({"name": "Atlas"})).expect(200);
    assert!(agent.json()["id"].is_string());
    let token = daemon.operator().post("/api/agents/atlas/token/issue", serde_json::json!({})).expect(200).json();
    for (wrong, status) in [("nonsense", 401), ("taos_user_", 401), (token["token"].as_str().expect("a token"), 403)] {
        let reply = post(&browser, "/ui/login", &[("token", wrong)]).expect(status);
        assert!(reply.header("set-cookie").is_none() && reply.text().contains("role=\"alert\""), "{wrong}");
        // The page does not repeat the token that was typed.
        assert!(!reply.text().contains(wrong) || wrong == "taos_user_", "{wrong}");
    }
}

#[test]
fn signing_out_ends_the_session() {
    let daemon = Daemon::start();
    let site = Site::operator(&daemon);
    let reply = post(site.client(), "/ui/logout", &[]).expect(303);
    assert!(reply.header("set-cookie").expect("a cookie").contains("Max-Age=0"));
    let reply = site.get("/ui/").expect(303);
    assert!(reply.header("location").expect("the login").ends_with("&status=ended"));
}

#[test]
fn a_form_that_waits_shows_no_page_to_who_was_shut_out_meanwhile() {
    let daemon = Daemon::start();
    let ann = daemon.admin("ann");
    daemon.member("quiet-bob", &["*"]);
    let site = Site::of(&daemon, ann.token());
    assert!(site.get("/ui/people").expect(200).text().contains("quiet-bob"));
    let fields = [("wait", "3"), ("_back", "/ui/people")];
    let reply = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| site.act("POST /api/v1/tasks/next", &fields));
        std::thread::sleep(std::time::Duration::from_millis(700));
        daemon.operator().patch("/api/users/ann", json!({"disabled": true})).expect(200);
        waiting.join().expect("no panic")
    });
    assert!(!reply.text().contains("quiet-bob"), "{}", reply.text());
    assert_eq!((reply.status, reply.header("location").map(|to| to.starts_with("/ui/login"))), (303, Some(true)));
}
