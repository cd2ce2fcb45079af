//! Exchanges, logins and rotations without end. The audit counts them, sessions and ended credentials have a bound, and
//! a rate limit belongs to the principal, whichever credential it uses.

use serde_json::{Value, json};

use crate::ax::client::{exchange, secret, user_key};
use crate::support::{AxReply, Daemon, text};

/// The counts in an action's audit rows, oldest first.
fn counts(daemon: &Daemon, action: &str) -> Vec<i64> {
    let rows = daemon.operator().get(&format!("/api/audit?action={action}&limit=500")).expect(200).json();
    rows.as_array().unwrap().iter().rev().map(|row| row["count"].as_i64().unwrap()).collect()
}

#[test]
fn the_same_fact_again_is_counted_in_one_more_row() {
    let mut daemon = Daemon::start();
    let key = user_key(&daemon, json!({}));
    for _ in 0..30 {
        exchange(&daemon, secret(&key), json!({})).expect(200);
    }
    let name = "rotor";
    daemon.agent(name);
    let first = daemon.agent_token(name, &["agents.token.issue"]);
    let mut rotor = first;
    for _ in 0..20 {
        let issued = rotor
            .post(&format!("/api/agents/{name}/token/issue"), json!({"scope": ["agents.token.issue"]}))
            .expect(200)
            .json();
        rotor = daemon.client(&text(&issued, "token"));
    }
    for _ in 0..10 {
        daemon.anonymous().post("/api/sessions", json!({"token": daemon.token})).expect(200);
    }
    assert_eq!(counts(&daemon, "auth.exchange"), [1]);
    // One row for the operator's issue, and one for the agent's first.
    assert_eq!(counts(&daemon, "agents.token.issue"), [1, 1]);
    assert_eq!(counts(&daemon, "auth.login"), [1]);
    daemon.restart();
    assert_eq!(counts(&daemon, "auth.exchange"), [1, 29]);
    assert_eq!(counts(&daemon, "agents.token.issue").iter().sum::<i64>(), 21);
    assert_eq!(counts(&daemon, "auth.login"), [1, 9]);
    let check = std::process::Command::new(env!("CARGO_BIN_EXE_taosd")).arg("check").arg(daemon.database()).output();
    assert!(check.unwrap().status.success());
}

#[test]
fn a_repeat_that_is_rolled_back_is_not_counted() {
    let mut daemon = Daemon::start();
    daemon.agent("a");
    let register = |url: &str, name: &str| {
        let body = json!({"name": name, "acp_url": url, "acp_type": "sync", "description": "d"});
        daemon.operator().post("/agents/register", body).status
    };
    assert_eq!(register("http://127.0.0.1:1/", "a"), 200);
    assert_eq!(register("http://127.0.0.1:2/", "a"), 200);
    assert_eq!(register("no address", "a"), 422);
    daemon.restart();
    // The first registration also made a key, which has its own count.
    assert_eq!(counts(&daemon, "agents.register").iter().sum::<i64>(), 3);
}

#[test]
fn a_user_has_so_many_sessions_and_the_one_idle_for_longest_ends() {
    let daemon = Daemon::start();
    let narrow =
        text(&daemon.operator().post("/api/users/operator/tokens", json!({"scope": []})).expect(201).json(), "token");
    let open = |token: &str| {
        let reply = daemon.anonymous().post("/api/sessions", json!({"token": token})).expect(200);
        let cookie = reply.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        daemon.anonymous().with("Cookie", &cookie)
    };
    let ann = text(&user_of(&daemon, "ann"), "token");
    let (hers, first, second) = (open(&ann), open(&daemon.token), open(&daemon.token));
    for _ in 0..100 {
        open(&narrow);
    }
    let live = "SELECT count(*) FROM credentials c JOIN users u ON u.id = c.user_id
        WHERE c.kind = 'session' AND u.username = ?1";
    assert_eq!(daemon.number(live, ["operator"]), 32, "and no dead row stays");
    for gone in [first, second] {
        gone.get("/api/auth/whoami").expect_error(401, "invalid_token");
    }
    hers.get("/api/auth/whoami").expect(200);
    open(&narrow).get("/api/auth/whoami").expect(200);
}

fn user_of(daemon: &Daemon, name: &str) -> Value {
    daemon.operator().post("/api/users", json!({"username": name})).expect(201);
    daemon.operator().post(&format!("/api/users/{name}/tokens"), json!({})).expect(201).json()
}

#[test]
fn dead_credentials_have_a_bound_as_well() {
    let daemon = Daemon::start();
    let id = daemon.agent("rotor");
    for _ in 0..120 {
        daemon.operator().post("/api/agents/rotor/token/issue", json!({})).expect(200);
    }
    let key = user_key(&daemon, json!({}));
    let mut key_id = text(&key, "credential_id");
    for _ in 0..120 {
        let made = daemon.operator().post(&format!("/api/v1/keys/{key_id}/rotate"), json!({})).expect(200).json();
        key_id = text(&made, "credential_id");
    }
    let dead =
        |sql: &str| daemon.number(&format!("SELECT count(*) FROM credentials WHERE state = 'revoked' AND {sql}"), []);
    // If more than 100 have ended, the newest 84 stay.
    for left in [dead(&format!("agent_id = '{id}'")), dead("kind = 'user_pat'")] {
        assert!((84..=100).contains(&left), "{left}");
    }
}

#[test]
fn rotating_ones_token_escapes_no_rate() {
    let daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "30")]);
    daemon.agent("rotor");
    let mut rotor = daemon.agent_token("rotor", &["agents.token.issue"]);
    let mut rotated = 0;
    loop {
        let reply = rotor.post("/api/agents/rotor/token/issue", json!({"scope": ["agents.token.issue"]}));
        if reply.status == 429 {
            break;
        }
        rotor = daemon.client(&text(&reply.expect(200).json(), "token"));
        rotated += 1;
        assert!(rotated <= 30);
    }
    // A login counts for the rate limit like any request.
    let token = text(&user_of(&daemon, "ann"), "token");
    let login = || daemon.anonymous().post("/api/sessions", json!({"token": token})).status;
    let statuses: Vec<u16> = (0..31).map(|_| login()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 30);
    assert_eq!(statuses[30], 429);
}

#[test]
fn a_user_has_so_many_spaces() {
    let daemon = Daemon::start();
    for n in 1..64 {
        daemon.operator().post("/api/spaces/create", json!({"name": format!("Space {n}")})).expect(201);
    }
    daemon.operator().post("/api/spaces/create", json!({"name": "More"})).expect_ax(409, "limit_reached");
}
