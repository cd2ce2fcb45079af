//! Wherever a decoy is presented, its refusal equals that of an unknown credential of the same form, byte for byte. The
//! owner is notified at once, and the agent is frozen if the tripwire is set to do so.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use taosd::secret::{AgentPat, AgentToken, Issued, UserPat, UserToken};

use crate::freeze::harness::{WHOAMI, decoy, eventually, token};
use crate::support::{Client, Daemon, Reply, SOON};

/// Returns what could distinguish two replies, without the values that differ between any two.
fn told(reply: &Reply) -> (u16, String, Vec<String>) {
    let names = reply.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    (reply.status, reply.text(), names)
}

/// Makes a secret of one kind.
type Make = fn() -> Issued;

#[test]
fn it_is_refused_as_an_unknown_one_everywhere_and_the_owner_knows() {
    let daemon = Daemon::start();
    let id = daemon.agent("atlas");
    let kinds: [(&str, Make); 4] = [
        ("agent_token", AgentToken::generate),
        ("user_token", UserToken::generate),
        ("agent_pat", AgentPat::generate),
        ("user_pat", UserPat::generate),
    ];
    let mut last = String::new();
    for (kind, generate) in kinds {
        let (bait, unknown) = (generate(), generate());
        let wire = decoy(&daemon, &id, kind, false, &bait);
        let of = |issued: &Issued| daemon.client(issued.plaintext.reveal());
        let uses: [fn(&Client) -> Reply; 5] = [
            |client| client.get(WHOAMI),
            |client| client.post("/auth/exchange", json!({})),
            |client| client.get("/agents"),
            |client| client.get("/api/v1/tasks"),
            |client| client.post("/api/agents", json!({"name": "x"})),
        ];
        for (nth, using) in uses.iter().enumerate() {
            assert_eq!(told(&using(&of(&bait))), told(&using(&of(&unknown))), "{kind}, use {nth}");
        }
        let touches = || daemon.number("SELECT touches FROM tripwires WHERE id = ?1", [&wire]);
        eventually(|| touches() == 1);
        // All uses within a minute give one notification.
        let sent =
            "SELECT count(*) FROM notifications WHERE app_origin = 'tripwire' AND message LIKE '%/' || ?1 || ' %'";
        assert_eq!(daemon.number(sent, [kind]), 1, "{kind}");
        daemon.execute("DELETE FROM tripwires WHERE id = ?1", [&wire]);
        last = wire;
    }
    let login = UserToken::generate();
    decoy(&daemon, &id, "user_token", false, &login);
    let body = |text: &str| json!({"token": text});
    let refused = daemon.anonymous().post("/api/sessions", body(login.plaintext.reveal()));
    assert_eq!(refused.status, 401);
    eventually(|| daemon.number("SELECT touches FROM tripwires", []) == 1);
    assert_eq!(daemon.record("atlas")["frozen"], json!(false));
    let audit = daemon.operator().get(&format!("/api/audit?resource=tripwire:{last}")).expect(200).json();
    assert_eq!((&audit[0]["outcome"], audit.as_array().unwrap().len()), (&json!("denied"), 1));
}

#[test]
fn at_once_the_owner_knows_and_the_agent_is_frozen() {
    let daemon = Daemon::start();
    let id = daemon.agent("atlas");
    let agent = token(&daemon, "atlas");
    let bait = AgentPat::generate();
    decoy(&daemon, &id, "agent_pat", true, &bait);
    let operator = daemon.operator();
    let waiting =
        std::thread::spawn(move || (operator.get("/api/notifications?wait=30").expect(200).json(), Instant::now()));
    std::thread::sleep(Duration::from_millis(300));
    let used = Instant::now();
    assert_eq!(daemon.client(bait.plaintext.reveal()).get(WHOAMI).status, 403, "a key is taken by the exchange alone");
    let (told, at): (Value, Instant) = waiting.join().expect("the owner");
    println!("the owner knew after {:?}", at - used);
    assert!(at - used < SOON, "{:?}", at - used);
    assert_eq!((&told[0]["title"], &told[0]["level"]), (&json!("A tripwire of agent atlas was used"), &json!("high")));
    assert!(told[0]["message"].as_str().unwrap().contains("/root/.config/agent_pat"), "{told}");
    agent.get(WHOAMI).expect_error(401, "agent_frozen");
    let record = daemon.record("atlas");
    assert_eq!((&record["frozen"], &record["frozen_by"]), (&json!(true), &json!("taosd")));
    crate::freeze::harness::thaw(&daemon, "atlas");
    agent.get(WHOAMI).expect(200);
}

#[test]
fn every_use_is_counted_at_the_latest_when_the_daemon_stops_and_each_address_is_told() {
    let mut daemon = Daemon::start();
    let id = daemon.agent("atlas");
    let bait = UserToken::generate();
    let wire = decoy(&daemon, &id, "user_token", false, &bait);
    let client = daemon.client(bait.plaintext.reveal());
    for _ in 0..4 {
        client.get(WHOAMI).expect(401);
    }
    client.over(&daemon.socket()).get(WHOAMI).expect(401);
    let of = |address: &str| {
        let sent = "SELECT count(*) FROM notifications WHERE app_origin = 'tripwire' AND message LIKE '%' || ?1 || '%'";
        daemon.number(sent, [address])
    };
    eventually(|| of("from 127.0.0.1") == 1 && of("from uid:") == 1);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(daemon.number("SELECT touches FROM tripwires", []), 5);
    let counted =
        "SELECT group_concat(count) FROM (SELECT count FROM audit WHERE resource = 'tripwire:' || ?1 ORDER BY seq)";
    assert_eq!(daemon.text(counted, [&wire]), "1,1,3");
}

#[test]
fn only_the_owner_sees_them_and_an_agent_without_a_container_has_none() {
    let daemon = Daemon::start();
    let id = daemon.agent("atlas");
    let wire = decoy(&daemon, &id, "agent_pat", true, &AgentPat::generate());
    let list = "/api/agents/atlas/tripwires";
    assert_eq!(daemon.operator().get(list).expect(200).json()[0]["path"], json!("/root/.config/agent_pat"));
    let agent = daemon.agent_token("atlas", &["agents.tripwires"]);
    agent.get(list).expect_error(403, "forbidden");
    daemon.member("mia", &["*"]).get(list).expect_error(404, "agent_not_found");
    let plant = |path: &str| daemon.operator().post(list, json!({"path": path}));
    plant("/root/.config/x").expect_error(409, "agent_has_no_container");
    for bad in ["/etc/passwd", "root/x", "/root/../etc/passwd", "/root/", "/root//x", "/rootx/y", "/root/a\nb", ""] {
        plant(bad).expect_error(422, "validation_error");
    }
    daemon.operator().delete(&format!("{list}/nobody")).expect_error(404, "tripwire_not_found");
    daemon.operator().delete(&format!("{list}/{wire}")).expect(204);
    assert_eq!(daemon.operator().get(list).expect(200).json(), json!([]));
}
