//! The clock jumps a year forward, which a time server confirms, and then to the day before today. Expired and revoked
//! credentials stay refused, good ones stay good, and the daemon keeps working.

use serde_json::{Value, json};

use crate::false_clock::FalseClock;
use crate::support::{Daemon, text};

fn issue(daemon: &Daemon, name: &str, body: Value) -> String {
    daemon.agent(name);
    let path = format!("/api/agents/{name}/token/issue");
    text(&daemon.operator().post(&path, body).expect(200).json(), "token")
}

fn status(daemon: &Daemon, token: &str) -> u16 {
    daemon.client(token).get("/api/auth/whoami").status
}

/// Fails unless the daemon writes, reads, waits and makes a backup.
fn works(daemon: &Daemon, name: &str) {
    daemon.anonymous().get("/readyz").expect(200);
    let token = issue(daemon, name, json!({"expires_in_days": 1}));
    assert_eq!(status(daemon, &token), 200);
    daemon.client(&token).post("/api/ui/notify", json!({"title": "t", "body": name})).expect(200);
    let newest = daemon.operator().get("/api/notifications?limit=1").expect(200).json();
    assert_eq!(newest[0]["message"], name);
    daemon.operator().post("/api/backups?wait=30", json!({})).expect(200);
}

#[test]
#[ignore = "needs libfaketime: apt install faketime"]
fn a_year_forward_and_a_day_back() {
    let clock = FalseClock::find();
    let synced = clock.file_beside("synchronized");
    let mut daemon = clock.daemon(&[("TAOSD_TIME_SYNC_FILE", synced.to_str().unwrap())]);
    daemon.spawn();
    let lasting = issue(&daemon, "lasting", json!({}));
    let short = issue(&daemon, "short", json!({"expires_in_days": 1}));
    let unused = issue(&daemon, "unused", json!({"expires_in_days": 1}));
    let revoked = issue(&daemon, "revoked", json!({}));
    daemon.operator().delete("/api/agents/revoked/token").expect(204);
    let key = text(&daemon.operator().post("/api/v1/keys", json!({"name": "k"})).expect(201).json(), "token");
    let jwt = text(&daemon.client(&key).post("/auth/exchange", json!({})).expect(200).json(), "access_token");
    for token in [&lasting, &short, &unused, &jwt] {
        assert_eq!(status(&daemon, token), 200);
    }

    clock.jump("+1y");
    clock.confirm(&synced, 365);
    daemon.client(&short).get("/api/auth/whoami").expect_error(401, "invalid_token");
    assert_eq!(status(&daemon, &jwt), 401);
    assert_eq!(daemon.client(&key).post("/auth/exchange", json!({})).status, 401);
    assert_eq!(status(&daemon, &revoked), 401);
    assert_eq!(status(&daemon, &lasting), 200);
    works(&daemon, "in-a-year");
    // A start sweeps expired credentials, used or not.
    daemon.restart();
    assert_eq!(status(&daemon, &unused), 401);

    clock.jump("-1d");
    for (what, token) in
        [("expired", &short), ("expired unused", &unused), ("revoked", &revoked), ("of an expired key", &jwt)]
    {
        assert_eq!(status(&daemon, token), 401, "{what}");
    }
    assert_eq!(daemon.client(&key).post("/auth/exchange", json!({})).status, 401);
    assert_eq!(status(&daemon, &lasting), 200);
    works(&daemon, "the-day-before");
    daemon.restart();
    for token in [&short, &unused, &revoked, &jwt] {
        assert_eq!(status(&daemon, token), 401);
    }
    works(&daemon, "after-a-restart");
    assert_eq!(daemon.stop(), Some(0));
    daemon.check();
}
