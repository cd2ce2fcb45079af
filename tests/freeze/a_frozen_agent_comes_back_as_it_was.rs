//! A freeze suspends every kind of credential, and refuses to start the agent or to give it another credential. A thaw
//! gives back the credentials that were valid before, except those that were revoked meanwhile.

use serde_json::{Value, json};

use crate::freeze::harness::{WHOAMI, exchange, freeze, thaw, token};
use crate::support::{Client, Daemon, SOON, text};

/// An agent with one credential of each kind.
struct Holder {
    token: Client,
    token_jwt: Client,
    pat: Client,
    pat_id: String,
    pat_jwt: Client,
    key: Client,
}

fn holder(daemon: &Daemon, name: &str) -> Holder {
    let id = daemon.agent(name);
    let token = token(daemon, name);
    let manager = {
        let key = daemon.operator().post("/api/v1/keys", json!({"name": "k"})).expect(201).json();
        let body = json!({"requested_token_class": "user_admin"});
        let reply = daemon.client(&text(&key, "token")).post("/auth/exchange", body).expect(200).json();
        daemon.client(&text(&reply, "access_token"))
    };
    let made = manager.post("/credentials/agent-pat", json!({"agent_id": id, "name": "p"})).expect(201).json();
    let pat = daemon.client(&text(&made, "token"));
    let body = json!({"agent_name": name, "name": "internal", "api_key_type": "internal"});
    let key = daemon.operator().post("/agent_api_keys", body).expect(200).json();
    Holder {
        token_jwt: exchange(daemon, &token),
        pat_jwt: exchange(daemon, &pat),
        pat_id: text(&made, "credential_id"),
        key: daemon.anonymous().with("x-agent-api-key", &text(&key, "api_key")),
        token,
        pat,
    }
}

impl Holder {
    /// The status and code that each credential gets.
    fn answers(&self) -> Vec<(u16, String)> {
        let of = |reply: crate::support::Reply| {
            let body = if reply.status < 300 { json!({"error": ""}) } else { reply.json() };
            let code = body["detail"]["error"].as_str().or(body["error"].as_str()).unwrap_or("none").to_owned();
            (reply.status, code)
        };
        vec![
            of(self.token.get(WHOAMI)),
            of(self.token_jwt.get("/auth/me")),
            of(self.pat_jwt.get("/auth/me")),
            of(self.pat.post("/auth/exchange", json!({}))),
            of(self.token.post("/auth/exchange", json!({}))),
            of(self.key.get("/agents")),
        ]
    }
}

#[test]
fn every_credential_is_suspended_and_comes_back() {
    let daemon = Daemon::start();
    let agent = holder(&daemon, "atlas");
    let good = vec![(200, String::new()); 6];
    assert_eq!(agent.answers(), good);
    let reply = freeze(&daemon, "atlas").json();
    assert_eq!(reply, json!({"status": "frozen", "name": "atlas"}));
    assert_eq!(agent.answers(), vec![(401, "agent_frozen".to_owned()); 6]);
    let record = daemon.record("atlas");
    assert_eq!((&record["frozen"], &record["frozen_reason"]), (&json!(true), &json!("alarm")));
    assert_eq!(record["frozen_by"], json!("user:operator"));
    assert!(record["frozen_at"].is_string() && record["has_token"] == true);
    thaw(&daemon, "atlas");
    assert_eq!(agent.answers(), good);
    let record = daemon.record("atlas");
    assert_eq!(
        (&record["frozen"], &record["frozen_at"], &record["frozen_by"]),
        (&json!(false), &Value::Null, &Value::Null)
    );
}

#[test]
fn what_was_revoked_meanwhile_stays_revoked() {
    let daemon = Daemon::start();
    let agent = holder(&daemon, "atlas");
    freeze(&daemon, "atlas");
    daemon.operator().delete("/api/agents/atlas/token").expect(200);
    daemon.operator().delete(&format!("/credentials/{}", agent.pat_id)).expect(200);
    // A revoked credential of a frozen agent is refused as revoked, not as frozen.
    agent.token.get(WHOAMI).expect_error(401, "invalid_token");
    thaw(&daemon, "atlas");
    agent.token.get(WHOAMI).expect_error(401, "invalid_token");
    assert_eq!(agent.pat.post("/auth/exchange", json!({})).status, 401);
    assert_eq!((agent.pat_jwt.get("/auth/me").status, agent.token_jwt.get("/auth/me").status), (401, 401));
    assert_eq!(agent.key.get("/agents").status, 200, "the one that nobody revoked");
}

#[test]
fn a_frozen_agent_gets_no_credential_and_is_not_started() {
    let daemon = Daemon::start();
    let id = daemon.agent("atlas");
    token(&daemon, "atlas");
    freeze(&daemon, "atlas");
    let operator = daemon.operator();
    operator.post("/api/agents/atlas/token/issue", json!({})).expect_error(409, "agent_frozen");
    for verb in ["start", "stop", "restart", "pause", "resume"] {
        operator.send("POST", &format!("/api/agents/atlas/{verb}"), None).expect_error(409, "agent_frozen");
    }
    let key = json!({"agent_name": "atlas", "name": "k", "api_key_type": "internal"});
    operator.post("/agent_api_keys", key).expect_agentex(409, "agent_frozen");
    let admin = {
        let key = operator.post("/api/v1/keys", json!({"name": "k"})).expect(201).json();
        let body = json!({"requested_token_class": "user_admin"});
        let reply = daemon.client(&text(&key, "token")).post("/auth/exchange", body).expect(200).json();
        daemon.client(&text(&reply, "access_token"))
    };
    let refused = admin.post("/credentials/agent-pat", json!({"agent_id": id, "name": "p"}));
    assert_eq!((refused.status, text(&refused.json()["detail"], "error")), (409, "agent_frozen".to_owned()));
    // A second freeze changes nothing, and neither does a second thaw.
    let before = daemon.record("atlas");
    freeze(&daemon, "atlas");
    assert_eq!(daemon.record("atlas"), before);
    thaw(&daemon, "atlas");
    thaw(&daemon, "atlas");
    token(&daemon, "atlas").get(WHOAMI).expect(200);
}

#[test]
fn its_tasks_are_free_again_and_its_owner_is_told() {
    let daemon = Daemon::start();
    daemon.agent("atlas");
    let agent = token(&daemon, "atlas");
    let task = daemon.operator().post("/api/v1/tasks", json!({"title": "t"})).expect(201).json();
    let task = text(&task, "id");
    let claimed = agent.post(&format!("/api/v1/tasks/{task}/claim"), json!({}));
    assert_eq!(claimed.status, 200, "{}", claimed.text());
    let held = || daemon.number("SELECT count(*) FROM tasks WHERE holder IS NOT NULL", []);
    assert_eq!(held(), 1);
    freeze(&daemon, "atlas");
    assert_eq!(held(), 0);
    let told = daemon.operator().get("/api/notifications").expect(200).json();
    assert_eq!(told[0]["title"], json!("Agent atlas is frozen"));
    assert_eq!(told[0]["message"], json!("By user:operator: alarm"));
    assert_eq!((&told[0]["level"], &told[0]["action_url"]), (&json!("high"), &json!("/ui/agents/atlas")));
    let audit = daemon.operator().get("/api/audit?action=agents.freeze").expect(200).json();
    assert_eq!(audit.as_array().unwrap().len(), 1);
}

#[test]
fn streams_and_waits_of_a_frozen_agent_end_at_once() {
    let daemon = Daemon::start();
    daemon.agent("atlas");
    let agent = daemon.agent_token("atlas", &["notifications.read", "ui.notify"]);
    let waiter = agent.clone();
    let waiting = std::thread::spawn(move || {
        let begun = std::time::Instant::now();
        (waiter.get("/api/notifications?wait=20"), begun.elapsed())
    });
    let mut stream = crate::freeze::harness::Stream::open(&agent, &daemon.address, "/api/notifications/stream");
    std::thread::sleep(std::time::Duration::from_millis(300));
    freeze(&daemon, "atlas");
    let (reply, took) = waiting.join().expect("the waiter");
    reply.expect_error(401, "agent_frozen");
    assert!(took < SOON, "{took:?}");
    assert!(stream.ends_within(SOON), "the stream goes on");
}

#[test]
fn archiving_ends_a_freeze() {
    let daemon = Daemon::start();
    let id = daemon.agent("atlas");
    freeze(&daemon, "atlas");
    daemon.operator().delete("/api/agents/atlas").expect(200);
    daemon.operator().send("POST", &format!("/api/agents/archived/{id}/restore"), None).expect(200);
    assert_eq!(daemon.record("atlas")["frozen"], json!(false));
}

#[test]
fn every_client_family_tells_that_it_is_frozen() {
    let daemon = Daemon::start();
    daemon.agent("robot");
    let body = json!({"name": "robot", "description": "d", "acp_url": "http://localhost:1", "acp_type": "async"});
    daemon.operator().post("/agents/register", body).expect(200);
    // The box has no runtime: the agent has a container in its record only, and only for this part.
    let contain = |name, runtime| {
        let sql = "UPDATE agents SET container_name = ?1, container_runtime = ?2, status = 'running'";
        daemon.execute(sql, [name, runtime]);
    };
    let told = || {
        contain(Some("taos-robot"), Some("incus"));
        let agentex = daemon.operator().get("/agents/name/robot").expect(200).json();
        let ax = daemon.operator().get("/api/v1/agents/robot/state").expect(200).json();
        let control = &ax["control"];
        contain(None, None);
        (
            [text(&agentex, "status"), text(&agentex, "status_reason"), text(&ax["agent_state"], "badge_label")],
            (control["is_disabled"].clone(), control["disabled_reason"].clone()),
        )
    };
    let own = |words: [&str; 3]| words.map(str::to_owned);
    let free = (own(["Ready", "registered", "Never seen"]), (json!(false), Value::Null));
    assert_eq!(told(), free);
    freeze(&daemon, "robot");
    let frozen = own(["Unhealthy", "container is not running", "Frozen"]);
    assert_eq!(told(), (frozen, (json!(true), json!("frozen"))));
    thaw(&daemon, "robot");
    assert_eq!(told(), free);
}
