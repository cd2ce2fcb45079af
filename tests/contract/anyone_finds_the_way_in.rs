//! `GET /` leads to the console and the documentation. Public routes accept the parameters that monitors and caches
//! add.

use hyper::http::Method;
use taosd::api::routes;
use taosd::rest::route::BodyKind;

use crate::harness::path_with;
use crate::support::Daemon;

#[test]
fn the_first_page_sends_people_to_the_console_and_tells_programs_where_to_go() {
    let daemon = Daemon::start();
    let told = daemon.anonymous().get("/").expect(200).json();
    assert_eq!(told["name"], "taosd");
    for key in ["api", "docs", "openapi"] {
        daemon.anonymous().get(told[key].as_str().expect("a path")).expect(200);
    }
    let browser = daemon.anonymous().with("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let reply = browser.get("/").expect(303);
    let console = reply.header("location").expect("a place");
    assert_eq!(console, "/ui/");
    // Nobody is logged in yet.
    let login = browser.get(console).expect(303);
    browser.get(login.header("location").expect("a place")).expect(200);
    for program in ["*/*", "application/json", "application/json, text/html;q=0.5", ""] {
        daemon.anonymous().with("Accept", program).get("/").expect(200);
    }
    assert_eq!(daemon.anonymous().send("HEAD", "/", None).status, 200);
    assert_eq!(daemon.anonymous().send("POST", "/", None).status, 405);
}

#[test]
fn what_anyone_may_read_ignores_unknown_parameters() {
    let daemon = Daemon::start();
    for route in routes().iter().flat_map(|table| table.iter()) {
        // The handler of a raw route reads its query itself.
        if route.action().is_some() || route.method != Method::GET || matches!(route.body, BodyKind::Raw) {
            continue;
        }
        let path = path_with(route, "agents/README");
        for query in ["x=1", "cb=1&cb=2", "x=%zz", "%ff", "x"] {
            daemon.anonymous().get(&format!("{path}?{query}")).expect(200);
        }
    }
    // On all other routes an unknown parameter is an error.
    daemon.operator().get("/api/agents?x=1").expect_error(422, "validation_error");
    daemon
        .anonymous()
        .with("Sec-Fetch-Site", "same-origin")
        .send("POST", "/api/sessions?x=1", Some(br#"{"token":"x"}"#))
        .expect(422);
}
