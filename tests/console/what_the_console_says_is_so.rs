//! The console promises nothing that does not happen: what a revoked token leaves, what a filter finds, where a refused
//! form is, and long texts to their end.

use serde_json::json;

use crate::site::Site;
use crate::support::{Daemon, text};

#[test]
fn revoking_a_token_tells_what_lives_on_and_offers_to_end_it() {
    let daemon = Daemon::start();
    daemon.agent("atlas");
    let (operator, site) = (daemon.operator(), Site::operator(&daemon));
    operator.post("/api/agents/atlas/token/issue", json!({})).expect(200);
    let access = || site.get("/ui/agents/atlas?tab=access").expect(200).text();
    assert!(access().contains("can do nothing until it gets another"), "{}", access());
    operator.post("/credentials/agent-pat", json!({"agent_id": "atlas"})).expect(201);
    let page = access();
    assert!(page.contains("One other credential of the agent is still valid.") && !page.contains("can do nothing"));
    let revoke = |all: &[(&str, &str)]| {
        let mut fields = vec![("_back", "/ui/agents/atlas?tab=access"), ("all", "false")];
        fields.extend_from_slice(all);
        let reply = site.act("DELETE /api/agents/atlas/token?all={all}", &fields).expect(303);
        site.get(reply.header("location").expect("a page")).expect(200).text()
    };
    let page = revoke(&[]);
    assert!(page.contains("Token revoked. One other credential of the agent is still valid."), "{page}");
    assert!(page.contains("Revoke its other credentials</button>"), "{page}");
    let page = revoke(&[("all", "true")]);
    assert!(page.contains("Revoked. No credential of the agent is valid any more.</p>"), "{page}");
    assert!(!page.contains("Token revoked.") && !page.contains("Revoke its other credentials</button>"), "{page}");
    assert_eq!(operator.get("/api/agents/atlas/token").expect(200).json()["still_live"], json!([]));
}

#[test]
fn a_state_that_is_counted_is_the_state_that_is_listed() {
    let daemon = Daemon::start();
    for name in ["calm", "cold"] {
        daemon.agent(name);
    }
    daemon.operator().post("/api/agents/cold/freeze", json!({"reason": "r"})).expect(200);
    let site = Site::operator(&daemon);
    let listed = |status: &str| {
        let page = site.get(&format!("/ui/agents?status={status}")).expect(200).text();
        assert!(page.contains(&format!("<option selected>{status}</option>")), "{status}: {page}");
        ["calm", "cold"].map(|name| page.contains(&format!("href=\"/ui/agents/{name}\"")))
    };
    assert_eq!(listed("registered"), [true, false]);
    assert_eq!(listed("frozen"), [false, true]);
    assert_eq!(listed("away"), [false, false]);
}

#[test]
fn a_refused_form_has_the_address_of_its_page() {
    let daemon = Daemon::start();
    let site = Site::operator(&daemon);
    let page = site.act("POST /api/agents", &[("name", "!!!"), ("_back", "/ui/agents?tab=new")]).expect(400).text();
    assert!(page.contains("data-here=\"/ui/agents?tab=new\""), "{page}");
    assert!(!site.get("/ui/agents?tab=new").expect(200).text().contains("data-here"));
    for path in ["/ui/do", "/ui/upload"] {
        assert_eq!(site.get(path).expect(303).header("location"), Some("/ui/"));
    }
}

#[test]
fn a_long_text_is_read_to_its_end() {
    let daemon = Daemon::start();
    let (operator, site) = (daemon.operator(), Site::operator(&daemon));
    let long = format!("{} the very end", "word ".repeat(2400));
    let spaces = operator.get("/api/v1/spaces").expect(200).json();
    let (id, slug) = (text(&spaces["spaces"][0], "id"), text(&spaces["spaces"][0], "slug"));
    let said = operator.post("/api/v1/messages", json!({"space_id": id, "content": long})).expect(200).json();
    operator.post("/api/v1/context", json!({"space_id": id, "key": "plan", "value": long})).expect(200);
    operator.post("/api/ui/notify", json!({"title": "News", "body": long})).expect(200);
    let talk = site.get(&format!("/ui/spaces/{slug}")).expect(200).text();
    assert!(!talk.contains("the very end"), "a list stays short");
    let message = text(&said["message"], "id");
    for page in [
        format!("/ui/spaces/{slug}/messages/{message}"),
        format!("/ui/spaces/{slug}?tab=context"),
        "/ui/inbox".to_owned(),
    ] {
        assert!(site.get(&page).expect(200).text().contains("the very end"), "{page}");
    }
    let inbox = site.get("/ui/inbox").expect(200).text();
    assert!(inbox.contains("Show the rest"), "{inbox}");
}
