//! A user's key that was made with a key: its audience, end, agents and scopes are bounded by that key, and it ends
//! with it. A rotation does not end it.

use serde_json::json;

use crate::power::harness::{exchange, id, ids, jwt, key, own_token};
use crate::support::{Daemon, text};

#[test]
fn a_day_for_cli_does_not_become_a_year_for_both() {
    let daemon = Daemon::start();
    let day = key(&daemon.operator(), json!({"audience": "cli", "expires_in_days": 1}));
    let client = jwt(&daemon, &day, "user_access");
    for audience in ["both", "mcp"] {
        let wanted = json!({"name": "y", "audience": audience, "expires_in_days": 365});
        client.post("/api/v1/keys", wanted).expect(403);
    }
    let year = key(&client, json!({"expires_in_days": 365}));
    assert_eq!((&year["audience"], &year["made_by"]), (&json!("cli"), &day["credential_id"]));
    assert_eq!(year["expires_at"], day["expires_at"], "its end is cut");
    assert_eq!(exchange(&daemon, &year, json!({"audience": "ax-mcp"})), 400);
    let manager = jwt(&daemon, &day, "user_admin");
    daemon.agent("worker");
    let pat = json!({"agent_id": "worker", "audience": "both"});
    manager.post("/credentials/agent-pat", pat).expect(403);
    manager.post("/credentials/enrollment", json!({"audience": "mcp"})).expect(403);
    let enrollment = manager.post("/credentials/enrollment", json!({"expires_in_hours": 168})).expect(201).json();
    assert_eq!((&enrollment["audience"], &enrollment["expires_at"]), (&json!("cli"), &day["expires_at"]));
    // An agent's own key belongs to the agent and may live longer.
    let pat = manager.post("/credentials/agent-pat", json!({"agent_id": "worker"})).expect(201).json();
    assert!(text(&pat, "expires_at") > text(&day, "expires_at"));
}

#[test]
fn what_a_key_made_dies_with_it_at_any_depth_and_the_reply_tells() {
    let daemon = Daemon::start();
    daemon.agent("worker");
    let first = key(&daemon.operator(), json!({}));
    let second = key(&jwt(&daemon, &first, "user_access"), json!({}));
    let third = key(&jwt(&daemon, &second, "user_access"), json!({}));
    let working = jwt(&daemon, &third, "user_access");
    let manager = jwt(&daemon, &first, "user_admin");
    let pat = manager.post("/credentials/agent-pat", json!({"agent_id": "worker"})).expect(201).json();
    let open = manager.post("/credentials/enrollment", json!({})).expect(201).json();
    let told = daemon.operator().delete(&format!("/credentials/{}", id(&first))).expect(200).json();
    assert_eq!(ids(&told["revoked_with_it"]), [id(&second), id(&third), id(&open)]);
    assert_eq!(ids(&told["still_live"]), [id(&pat)]);
    working.get("/auth/me").expect(401);
    for dead in [&first, &second, &third] {
        assert_eq!(exchange(&daemon, dead, json!({})), 401);
    }
    assert_eq!(exchange(&daemon, &open, json!({"agent_name": "late"})), 401);
    assert_eq!(exchange(&daemon, &pat, json!({})), 200);
    let again = daemon.operator().delete(&format!("/credentials/{}?cascade=all", id(&first))).expect(200).json();
    assert_eq!(ids(&again["revoked_with_it"]), [id(&pat)], "said again, with the agents'");
    assert_eq!(exchange(&daemon, &pat, json!({})), 401);
}

#[test]
fn cascade_none_leaves_what_it_made_to_what_made_it() {
    let daemon = Daemon::start();
    let first = key(&daemon.operator(), json!({}));
    let second = key(&jwt(&daemon, &first, "user_access"), json!({}));
    let third = key(&jwt(&daemon, &second, "user_access"), json!({}));
    // A credential cannot free itself from the key that it depends on.
    let below = jwt(&daemon, &third, "user_access");
    below.delete(&format!("/api/v1/keys/{}?cascade=none", id(&second))).expect(403);
    let told = daemon.operator().delete(&format!("/credentials/{}?cascade=none", id(&second))).expect(200).json();
    assert_eq!((&told["revoked_with_it"], ids(&told["still_live"])), (&json!([]), vec![id(&third)]));
    assert_eq!(exchange(&daemon, &third, json!({})), 200);
    daemon.operator().delete(&format!("/api/v1/keys/{}", id(&first))).expect(204);
    assert_eq!(exchange(&daemon, &third, json!({})), 401, "it hung on the first one then");
    daemon.operator().delete(&format!("/credentials/{}?cascade=some", id(&first))).expect(422);
}

#[test]
fn rotation_hangs_what_a_key_made_on_its_successor() {
    let daemon = Daemon::start();
    let first = key(&daemon.operator(), json!({}));
    let second = key(&jwt(&daemon, &first, "user_access"), json!({}));
    let rotate = format!("/api/v1/keys/{}/rotate", id(&first));
    // A key cannot rotate the key that made it, because the successor would outlive it.
    jwt(&daemon, &second, "user_access").post(&rotate, json!({})).expect(403);
    let successor = daemon.operator().post(&rotate, json!({})).expect(200).json();
    assert_eq!(exchange(&daemon, &second, json!({})), 200, "nobody is stranded");
    daemon.operator().delete(&format!("/api/v1/keys/{}", id(&successor))).expect(204);
    assert_eq!(exchange(&daemon, &second, json!({})), 401);
}

#[test]
fn who_rotates_a_key_gets_no_longer_one_than_its_own() {
    let daemon = Daemon::start();
    let long = key(&daemon.on_socket(), json!({"expires_in_days": 365, "scopes": ["messages"]}));
    let short = key(&daemon.operator(), json!({"expires_in_days": 1}));
    let client = jwt(&daemon, &short, "user_access");
    let rotated = client.post(&format!("/api/v1/keys/{}/rotate", id(&long)), json!({})).expect(200).json();
    assert_eq!(rotated["expires_at"], short["expires_at"]);
    daemon.operator().delete(&format!("/api/v1/keys/{}", id(&short))).expect(204);
    assert_eq!(exchange(&daemon, &rotated, json!({})), 401);
    let cli = key(&daemon.operator(), json!({"audience": "cli"}));
    let both = key(&daemon.on_socket(), json!({"scopes": ["messages"]}));
    let path = format!("/api/v1/keys/{}/rotate", id(&both));
    jwt(&daemon, &cli, "user_access").post(&path, json!({})).expect(403);
}

#[test]
fn a_users_own_token_never_outlives_the_token_it_is_made_with() {
    let daemon = Daemon::start();
    daemon.member("ann", &["*"]);
    let day = own_token(&daemon.operator(), "ann", json!({"scope": ["*"], "expires_in_days": 1}));
    let ann = daemon.client(&text(&day, "token"));
    let years = own_token(&ann, "ann", json!({"expires_in_days": 3650}));
    assert_eq!(years["expires_at"], day["expires_at"]);
    let cookie = ann.post("/api/sessions", json!({"token": text(&years, "token")})).expect(200);
    let cookie = cookie.header("set-cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
    let page = daemon.anonymous().with("Cookie", &cookie).with("Sec-Fetch-Site", "same-origin");
    let pat = page.post("/api/v1/keys", json!({"name": "by the page"})).expect(201).json();
    assert_eq!(pat["made_by"], years["id"], "a session stands for its token");
    daemon.operator().delete(&format!("/api/users/ann/tokens/{}", text(&day, "id"))).expect(204);
    daemon.client(&text(&years, "token")).get("/api/auth/whoami").expect(401);
    page.get("/api/auth/whoami").expect(401);
    assert_eq!(exchange(&daemon, &pat, json!({})), 401);
}

#[test]
fn another_users_token_does_not_hang_on_the_admins() {
    let daemon = Daemon::start();
    daemon.member("ann", &["*"]);
    let admin = own_token(&daemon.operator(), "operator", json!({"scope": ["*"], "expires_in_days": 1}));
    let issued = own_token(&daemon.client(&text(&admin, "token")), "ann", json!({"expires_in_days": 30}));
    assert!(text(&issued, "expires_at") > text(&admin, "expires_at"));
    daemon.operator().delete(&format!("/api/users/operator/tokens/{}", text(&admin, "id"))).expect(204);
    daemon.client(&text(&issued, "token")).get("/api/auth/whoami").expect(200);
}

#[test]
fn the_operators_rotated_token_takes_its_keys_along() {
    let mut daemon = Daemon::start();
    let made = key(&daemon.operator(), json!({}));
    daemon.stop();
    let data = daemon.data.to_str().unwrap().to_owned();
    let rotated = std::process::Command::new(env!("CARGO_BIN_EXE_taosd"))
        .args(["operator-token", "--rotate", "--data-dir", &data])
        .output()
        .unwrap();
    assert!(rotated.status.success(), "{rotated:?}");
    daemon.spawn();
    assert_eq!(exchange(&daemon, &made, json!({})), 200);
}
