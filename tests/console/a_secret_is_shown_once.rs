//! A new token is in one reply only. No cache keeps this reply, and it is not compressed, because it also contains
//! texts of others.

use serde_json::json;

use crate::site::Site;
use crate::support::Daemon;

#[test]
fn a_rotated_token_is_in_the_reply_to_the_form_and_nowhere_else() {
    let daemon = Daemon::start();
    daemon.operator().post("/api/agents", json!({"name": "Atlas"})).expect(200);
    let site = Site::operator(&daemon);
    let back = [("_back", "/ui/agents/atlas?tab=access")];
    let packed = site.client().with("Accept-Encoding", "gzip");
    assert_eq!(packed.get("/ui/agents/atlas?tab=access").header("content-encoding"), Some("gzip"));
    let reply = site.act("POST /api/agents/atlas/token/issue", &back).expect(200);
    assert_eq!((reply.header("cache-control"), reply.header("content-encoding")), (Some("no-store"), None));
    let page = reply.text();
    let at = page.find("value=\"taos_agent_").expect("the token") + 7;
    let token = page[at..].split('"').next().expect("its end").to_owned();
    assert_eq!(page.matches(&token).count(), 1);
    // A reload requests the page without the token.
    assert!(page.contains("data-here=\"/ui/agents/atlas?tab=access\""), "{page}");
    assert_eq!(daemon.client(&token).get("/api/auth/whoami").expect(200).json()["agent_name"], "atlas");
    assert!(!site.get("/ui/agents/atlas?tab=access").text().contains(&token));
    assert!(!daemon.log_text().contains(&token));
    // A second token revokes the first.
    site.act("POST /api/agents/atlas/token/issue", &back).expect(200);
    daemon.client(&token).get("/api/auth/whoami").expect_error(401, "invalid_token");
}
