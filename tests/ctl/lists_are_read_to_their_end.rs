//! Lists follow their pages to the end, or to `--limit`, and never to another server or path.

use serde_json::json;

use crate::fake::{Act, Fake};
use crate::run::Ctl;
use crate::support::Daemon;

#[test]
fn a_list_of_several_pages_comes_whole_and_in_order() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    for n in 0..120 {
        daemon.operator().post("/api/agents", json!({"name": format!("a{n}")})).expect(200);
    }
    let names = |args: &[&str]| -> Vec<String> {
        let rows = ctl.json(args);
        rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    let all: Vec<String> = (0..120).map(|n| format!("a{n}")).collect();
    assert_eq!(names(&["agents", "list"]), all);
    assert_eq!(names(&["agents", "list", "--limit", "7"]), all[..7]);
    assert_eq!(names(&["agents", "list", "--limit", "1000"]), all);
    assert_eq!(ctl.ok(&["agents", "list"]).lines().count(), 121);
    assert_eq!(names(&["agents", "list", "--q", "a11"]).len(), 11);
    assert_eq!(ctl.ok(&["audit", "--action", "agents.create"]).lines().count(), 121);
}

#[test]
fn a_limit_goes_on_over_pages() {
    let page = |link: &str| Act::json_with(200, &format!("Link: <{link}>; rel=\"next\"\r\n"), "[{},{}]");
    let fake = Fake::playing(vec![page("/api/agents?limit=3&cursor=b"), page("/api/agents?limit=3&cursor=c")]);
    let ctl = Ctl::bare().env("TAOS_URL", &fake.url);
    assert_eq!(ctl.ok(&["agents", "list", "--limit", "3"]).lines().count(), 4);
    let lines: Vec<String> = fake.seen().into_iter().map(|request| request.line).collect();
    assert_eq!(lines, ["GET /api/agents?limit=3 HTTP/1.1", "GET /api/agents?limit=3&cursor=b HTTP/1.1"]);
}

#[test]
fn a_link_that_leads_elsewhere_is_not_followed() {
    for link in ["http://127.0.0.1:1/api/agents?cursor=x", "//127.0.0.1:1/api/agents?cursor=x", "/api/users?cursor=x"] {
        let act = Act::json_with(200, &format!("Link: <{link}>; rel=\"next\"\r\n"), "[{}]");
        let fake = Fake::playing(vec![act]);
        let ctl = Ctl::bare().env("TAOS_URL", &fake.url).env("TAOS_TOKEN", "secret");
        ctl.run(&["agents", "list"]).expect_error(3, "unexpected_reply");
        assert_eq!(fake.seen().len(), 1);
    }
}

#[test]
fn a_list_that_leads_to_itself_ends() {
    let act = Act::json_with(200, "Link: </api/agents?cursor=x>; rel=\"next\"\r\n", "[{}]");
    let fake = Fake::playing(vec![act]);
    let ctl = Ctl::bare().env("TAOS_URL", &fake.url);
    ctl.run(&["agents", "list"]).expect_error(3, "unexpected_reply");
    assert_eq!(fake.seen().len(), 2);
}
