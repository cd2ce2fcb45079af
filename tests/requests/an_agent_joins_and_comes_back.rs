//! An agent without a credential asks to join, a person sees the same code and decides, and the agent fetches the key
//! once. If the same agent joins again under its name, its old credentials end.

use serde_json::{Value, json};

use crate::requests::harness::Harness;
use crate::support::{Client, Daemon, Reply, text};

/// A program without a credential, and the reply to its join.
pub struct Stranger {
    pub join: Value,
}

impl Stranger {
    /// Asks to join under this name.
    #[track_caller]
    pub fn asks(daemon: &Daemon, name: &str) -> Self {
        let body = json!({"name": name, "reason": "To watch the builds."});
        Self { join: daemon.anonymous().post("/api/joins", body).expect(201).json() }
    }

    pub fn id(&self) -> String {
        text(&self.join, "id")
    }

    /// Fetches the key.
    pub fn fetch(&self, daemon: &Daemon) -> Reply {
        daemon.anonymous().post("/api/joins/key", json!({"device_code": self.join["device_code"]}))
    }
}

/// A client with a token, for which a fetched key was exchanged.
#[track_caller]
pub fn exchanged(daemon: &Daemon, key: &Value) -> Client {
    let body = json!({"requested_token_class": "agent_access"});
    let token = daemon.client(&text(key, "access_token")).post("/auth/exchange", body).expect(200).json();
    daemon.client(&text(&token, "access_token"))
}

#[test]
fn a_new_agent_gets_a_key_once_and_nothing_of_it_is_stored_in_clear() {
    let w = Harness::new();
    let stranger = Stranger::asks(&w.daemon, "scout");
    assert_eq!(stranger.fetch(&w.daemon).expect(400).json()["error"], "authorization_pending");
    // Both sides see the code. A user who may not create agents sees nothing.
    let listed = w.ann.get("/api/requests?state=pending").expect(200).json();
    let seen = &listed[0];
    assert_eq!(seen["code"], stranger.join["user_code"]);
    assert_eq!((&seen["kind"], &seen["peer"], &seen["agent"]), (&json!("join"), &json!("127.0.0.1"), &Value::Null));
    assert_eq!(w.ann.get(&format!("/api/requests/{}", stranger.id())).expect(200).json(), *seen);
    let dora = w.daemon.member("dora", &["*"]);
    assert_eq!(dora.get("/api/requests").expect(200).json(), json!([]));
    dora.get(&format!("/api/requests/{}", stranger.id())).expect(404);
    dora.post(&format!("/api/requests/{}/approve", stranger.id()), json!({})).expect(404);
    w.atlas.get(&format!("/api/requests/{}", stranger.id())).expect(404);
    let told = w.ann.get("/api/notifications").expect(200).json().to_string();
    assert!(told.contains(&stranger.id()) && told.contains(&text(&stranger.join, "user_code")), "{told}");
    // A person may type the code in lower case and without the hyphen.
    let code = text(&stranger.join, "user_code").to_lowercase().replace('-', "");
    let decided = w.ann.post(&format!("/api/requests/{code}/approve"), json!({"note": "Welcome."})).expect(200).json();
    assert_eq!((&decided["state"], &decided["agent"]["name"]), (&json!("approved"), &json!("scout")));
    assert_eq!(decided["granted"]["as"], "new");
    let key = stranger.fetch(&w.daemon).expect(200).json();
    assert_eq!((&key["token_type"], &key["agent_name"]), (&json!("pat"), &json!("scout")));
    assert_eq!(stranger.fetch(&w.daemon).expect(400).json()["error"], "expired_token");
    let scout = exchanged(&w.daemon, &key);
    assert_eq!(scout.get("/api/agents/scout").expect(200).json()["owner"], "ann");
    scout.post("/api/requests", json!({"kind": "confirm", "question": "Go on?", "reason": "r"})).expect(201);
    let files = ["taosd.db", "taosd.db-wal"].map(|file| std::fs::read(w.daemon.data.join(file)).unwrap_or_default());
    let database = files.concat();
    assert!(database.windows(5).any(|bytes| bytes == b"scout"), "the files are read");
    for secret in [text(&key, "access_token"), text(&stranger.join, "device_code")] {
        assert!(!database.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "a secret is stored");
        assert!(!w.daemon.log_text().contains(&secret), "a secret is logged");
    }
}

#[test]
fn the_same_agent_comes_back_and_its_old_credentials_end() {
    let w = Harness::new();
    let stranger = Stranger::asks(&w.daemon, "Atlas");
    let seen = w.ann.get(&format!("/api/requests/{}", stranger.id())).expect(200).json();
    assert_eq!(seen["agent"]["id"], w.atlas_id.as_str(), "the decider sees whom it would be");
    // An agent that comes back ends the credentials it had, so the decision must say that it is the same.
    let path = format!("/api/requests/{}/approve", stranger.id());
    w.ann.post(&path, json!({})).expect(422);
    assert_eq!(w.ann.post(&path, json!({"as": "new"})).expect(409).json()["error"], "name_conflict");
    w.ann.post(&path, json!({"as": "same", "scope": ["*"]})).expect(422);
    // Another user may not approve it, although he may create agents.
    let bob = w.daemon.member("bob", &["*"]);
    w.daemon.grant("user:bob", "*", "creator");
    bob.post(&path, json!({"as": "same"})).expect(404);
    w.atlas.get("/api/agents/atlas").expect(200);
    let decided = w.ann.post(&path, json!({"as": "same"})).expect(200).json();
    assert_eq!((&decided["granted"]["as"], &decided["agent"]["id"]), (&json!("same"), &json!(w.atlas_id)));
    w.atlas.get("/api/agents/atlas").expect(401);
    let key = stranger.fetch(&w.daemon).expect(200).json();
    assert_eq!(key["agent_id"], w.atlas_id.as_str());
    let atlas = exchanged(&w.daemon, &key);
    atlas.get("/api/agents/atlas").expect(200);
    assert_eq!(w.ann.post(&path, json!({"as": "same"})).expect(409).json()["error"], "request_decided");
}

#[test]
fn the_old_credentials_may_live_on_for_some_hours() {
    let w = Harness::new();
    let stranger = Stranger::asks(&w.daemon, "atlas");
    let path = format!("/api/requests/{}/approve", stranger.id());
    w.ann.post(&path, json!({"as": "new", "name": "atlas-two", "keep_old_hours": 2})).expect(422);
    w.ann.post(&path, json!({"as": "same", "keep_old_hours": 2})).expect(200);
    w.atlas.get("/api/agents/atlas").expect(200);
    let token = w.ann.get("/api/agents/atlas/token").expect(200).json();
    assert!(token["expires_at"].is_string(), "{token}");
    exchanged(&w.daemon, &stranger.fetch(&w.daemon).expect(200).json()).get("/api/agents/atlas").expect(200);
}

#[test]
fn what_an_old_credential_makes_for_its_agent_ends_with_it() {
    let w = Harness::new();
    let path = |rest: &str| format!("/api/agents/atlas{rest}");
    w.ann.put(&path("/permissions"), json!({"scope": ["*"]})).expect(200);
    let old = w.ann.post(&path("/token/issue"), json!({"scope": ["*"]})).expect(200).json();
    let old = w.daemon.client(&text(&old, "token"));
    let stranger = Stranger::asks(&w.daemon, "atlas");
    w.ann
        .post(&format!("/api/requests/{}/approve", stranger.id()), json!({"as": "same", "keep_old_hours": 2}))
        .expect(200);
    let end = w.ann.get(&path("/token")).expect(200).json()["expires_at"].clone();
    let issue = |with: &Client, body: Value| with.post(&path("/token/issue"), body).expect(200).json();
    let first = issue(&old, json!({"grace_seconds": 60}));
    assert_eq!(first["expires_at"], end, "it lives no longer than the old one");
    // What was made with a successor ends too, whatever was asked for.
    let first = w.daemon.client(&text(&first, "token"));
    let second = issue(&first, json!({"expires_in_days": 30, "grace_seconds": 60}));
    assert_eq!(second["expires_at"], end, "nor does the next");
    // The new key and the owner are not bound by it.
    let atlas = exchanged(&w.daemon, &stranger.fetch(&w.daemon).expect(200).json());
    assert_eq!(issue(&w.ann, json!({}))["expires_at"], Value::Null);
    atlas.get(&path("")).expect(200);
}

#[test]
fn a_denied_join_is_told_why_and_another_name_may_be_given() {
    let w = Harness::new();
    let (no, yes) = (Stranger::asks(&w.daemon, "mole"), Stranger::asks(&w.daemon, "atlas"));
    w.ann.post(&format!("/api/requests/{}/deny", no.id()), json!({"note": "Not here."})).expect(200);
    let told = no.fetch(&w.daemon).expect(400).json();
    assert_eq!((&told["error"], &told["note"]), (&json!("access_denied"), &json!("Not here.")));
    w.ann.post(&format!("/api/requests/{}/approve", yes.id()), json!({"as": "new", "name": "atlas-two"})).expect(200);
    assert_eq!(yes.fetch(&w.daemon).expect(200).json()["agent_name"], "atlas-two");
    let kinds = w.ann.get("/api/requests?kind=join").expect(200).json();
    assert_eq!(kinds.as_array().map(Vec::len), Some(2));
    assert_eq!(w.ann.get("/api/requests?kind=join&state=denied").expect(200).json()[0]["id"], no.id());
    assert_eq!(w.ann.get("/api/requests?kind=scope").expect(200).json(), json!([]));
}

#[test]
fn it_works_where_programs_cannot_log_in() {
    let w = Harness::with(&[("TAOSD_OAUTH_ENABLED", "false")]);
    let stranger = Stranger::asks(&w.daemon, "scout");
    w.daemon.operator().post(&format!("/api/requests/{}/approve", stranger.id()), json!({})).expect(200);
    stranger.fetch(&w.daemon).expect(200);
}
