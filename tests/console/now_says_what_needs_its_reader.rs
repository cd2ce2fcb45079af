//! The page Now names what needs a person, with the button that fixes it: frozen agents, credentials that expire,
//! failed checks.

use serde_json::json;

use crate::site::Site;
use crate::support::Daemon;

#[test]
fn a_frozen_agent_is_thawed_from_there_and_everything_is_frozen_and_taken_back() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    for name in ["Atlas", "Hermes"] {
        operator.post("/api/agents", json!({"name": name})).expect(200);
    }
    let site = Site::operator(&daemon);
    assert!(site.get("/ui/").expect(200).text().contains("All is well."));
    site.act("POST /api/agents/atlas/freeze", &[("reason", "It mails strangers"), ("_back", "/ui/")]).expect(303);
    let now = site.get("/ui/").expect(200).text();
    assert!(now.contains("Atlas is frozen") && now.contains("It mails strangers"), "{now}");
    assert!(now.contains("value=\"POST /api/agents/atlas/thaw\"") && !now.contains("All is well."), "{now}");
    let page = site.get("/ui/agents/atlas").expect(200).text();
    assert!(page.contains("Atlas is frozen") && !page.contains("Issue token</summary>"), "{page}");
    assert!(site.get("/ui/agents?status=frozen").expect(200).text().contains("/ui/agents/atlas"));
    // Agents that were frozen before stay frozen when a freeze of all is undone.
    let fields = [("reason", "alarm"), ("_back", "/ui/")];
    let reply = site.act("POST /api/freeze", &fields).expect(303);
    let told = site.get(reply.header("location").expect("a page")).expect(200).text();
    let at = told.split("name=\"frozen_at\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a time");
    assert!(told.contains("Undo: thaw these agents") && told.contains("value=\"POST /api/thaw\""), "{told}");
    let frozen = || ["atlas", "hermes"].map(|name| daemon.record(name)["frozen"] == json!(true));
    assert_eq!(frozen(), [true, true]);
    site.act("POST /api/thaw", &[("frozen_at", at), ("_back", "/ui/")]).expect(303);
    assert_eq!(frozen(), [true, false]);
    site.act("POST /api/agents/atlas/thaw", &[("_back", "/ui/")]).expect(303);
    assert_eq!(frozen(), [false, false]);
    // The page offers a freeze only to users who may freeze.
    let reader = Site::of(&daemon, daemon.user_token("operator", &["agents.read", "agents.list"]).token());
    assert!(!reader.get("/ui/").expect(200).text().contains("Freeze everything"));
}

#[test]
fn a_credential_that_ends_soon_is_named_and_the_box_shows_its_state() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    operator.post("/api/users", json!({"username": "ann"})).expect(201);
    operator.post("/api/users/ann/tokens", json!({"label": "laptop", "expires_in_days": 3})).expect(201);
    operator.post("/api/backups?wait=20", json!({})).expect(200);
    let site = Site::operator(&daemon);
    let now = site.get("/ui/").expect(200).text();
    assert!(now.contains("A credential of ann ends in") && now.contains("href=\"/ui/people/ann\""), "{now}");
    let page = site.get("/ui/box").expect(200).text();
    let file = operator.get("/api/backups").expect(200).json()[0]["file"].as_str().expect("a file").to_owned();
    for shown in ["rows follow each other", "laptop", "Listens on", &format!("/api/backups/{file}\" download")] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(site.get(&format!("/api/backups/{file}")).expect(200).body.starts_with(b"SQLite format 3"));
    let settings = site.get("/ui/box?tab=settings").expect(200).text();
    assert!(settings.contains("containers.runtime") && settings.contains("--data-dir"), "{settings}");
    // A member sees neither backups nor settings.
    let ann = Site::of(&daemon, daemon.user_token("ann", &["*"]).token());
    let page = ann.get("/ui/box").expect(200).text();
    assert!(!page.contains("Back up now") && !page.contains("tab=settings"), "{page}");
    assert!(!ann.get("/ui/box?tab=settings").expect(200).text().contains("--data-dir"));
}

#[test]
fn an_agent_whose_address_fails_its_checks_is_named_and_calls_are_drawn() {
    let daemon = Daemon::start();
    let body = json!({"name": "probe", "description": "d", "acp_url": "http://127.0.0.1:9/", "acp_type": "sync"});
    daemon.operator().post("/agents/register", body).expect(200);
    daemon.agent("caller");
    let agent = daemon.agent_token("caller", &["agents.read"]);
    (0..3).for_each(|_| drop(agent.get("/api/auth/whoami").expect(200)));
    let site = Site::operator(&daemon);
    let now = site.get("/ui/").expect(200).text();
    assert!(!now.contains("unhealthy") && now.contains("aria-label=\"3 calls in the last 24 hours\""), "{now}");
    assert!(site.get("/ui/agents/caller").expect(200).text().contains("<title>3 calls in the last 24 hours</title>"));
    daemon.execute("UPDATE registrations SET unhealthy = 1", []);
    // The daemon reuses a reply for 50 ms.
    std::thread::sleep(std::time::Duration::from_millis(60));
    let now = site.get("/ui/").expect(200).text();
    assert!(now.contains("probe is unhealthy") && now.contains("/ui/agents/probe?tab=activity"), "{now}");
}

#[test]
fn several_requests_are_decided_at_once() {
    let daemon = Daemon::start();
    daemon.agent("one");
    let agent = daemon.agent_token("one", &["requests.create", "requests.read"]);
    for scope in ["agents.logs", "users.list"] {
        let asked = json!({"kind": "scope", "scope": [scope], "reason": "for the report", "duration_seconds": 600});
        agent.post("/api/requests", asked).expect(201);
    }
    let site = Site::operator(&daemon);
    let page = site.get("/ui/requests").expect(200).text();
    let ids = |page: &str| -> Vec<String> {
        page.split("name=\"ids\" form=\"batch\" value=\"").skip(1).map(|rest| rest[..36].to_owned()).collect()
    };
    let now = site.get("/ui/").expect(200).text();
    assert!(now.contains("name=\"decision\" value=\"approve\""), "{now}");
    assert_eq!((ids(&page).len(), ids(&now).len()), (2, 2), "{page}");
    let ids = ids(&now);
    let fields = [("ids", ids[0].as_str()), ("ids", &ids[1]), ("decision", "approve"), ("_back", "/ui/")];
    site.act("POST /api/requests/decide", &fields).expect(303);
    for id in ids {
        assert_eq!(agent.get(&format!("/api/requests/{id}")).expect(200).json()["state"], "approved");
    }
}

#[test]
fn the_audit_names_people_and_is_exported_as_lines() {
    let daemon = Daemon::start();
    daemon.operator().post("/api/agents", json!({"name": "Atlas"})).expect(200);
    let site = Site::operator(&daemon);
    let page = site.get("/ui/audit?action=agents.create").expect(200).text();
    assert!(page.contains("the chain holds") && page.contains(">agent atlas</td>"), "{page}");
    let lines = site.get("/ui/audit?tab=export&action=agents.create").expect(200);
    assert!(lines.header("content-disposition").expect("a name").contains("audit.jsonl"));
    let text = lines.text();
    let rows: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a row of JSON")).collect();
    assert_eq!((rows.len(), &rows[0]["action"]), (1, &json!("agents.create")));
    let later = site.get("/ui/audit?since=2099-01-01T00%3A00%3A00Z").expect(200).text();
    assert!(later.contains("No row fits"), "{later}");
}
