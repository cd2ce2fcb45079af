//! A decoy is noticed in every place where a credential would be accepted, also after the peer has failed too often, and
//! after its agent was archived.

use data_encoding::BASE64;
use serde_json::json;
use taosd::secret::{AgentPat, AgentToken, Issued, UserPat};

use crate::freeze::harness::{WHOAMI, decoy, eventually};
use crate::support::{Client, Daemon, Reply};

const EXCHANGE: &str = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange\
    &subject_token_type=urn:ietf:params:oauth:token-type:access_token&subject_token=";

fn form(client: &Client, body: &str) -> Reply {
    let client = client.with("Content-Type", "application/x-www-form-urlencoded");
    client.send("POST", "/oauth/token", Some(body.as_bytes()))
}

fn basic(id: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{id}:{password}").as_bytes()))
}

fn touches(daemon: &Daemon, wire: &str) -> i64 {
    daemon.number("SELECT touches FROM tripwires WHERE id = ?1", [wire])
}

#[test]
fn a_peer_that_has_failed_too_often_cannot_try_out_decoys() {
    let daemon = Daemon::with(&[], &[("TAOSD_FAILED_LOGINS_PER_MINUTE", "3")]);
    let (id, client) = (daemon.agent("atlas"), daemon.anonymous());
    let issued: Vec<Issued> = vec![AgentToken::generate(), AgentPat::generate(), UserPat::generate()];
    let wires: Vec<String> = issued
        .iter()
        .zip(["agent_token", "agent_pat", "user_pat"])
        .map(|(one, kind)| decoy(&daemon, &id, kind, false, one))
        .collect();
    let junk = format!("{EXCHANGE}{}", AgentToken::generate().plaintext.reveal());
    while form(&client, &junk).status != 429 {}
    assert_eq!(form(&client, &format!("{EXCHANGE}{}", issued[0].plaintext.reveal())).status, 429);
    let key = issued[1].plaintext.reveal();
    let name = key.split('.').next().unwrap();
    let refused = form(&client, &format!("grant_type=client_credentials&client_id={name}&client_secret={key}"));
    assert_eq!(refused.status, 429);
    let key = issued[2].plaintext.reveal();
    let refused = form(&client, &format!("grant_type=client_credentials&client_id=axp_a_other&client_secret={key}"));
    assert_eq!(refused.status, 429);
    for wire in &wires {
        eventually(|| touches(&daemon, wire) == 1);
    }
}

#[test]
fn in_basic_it_is_noticed_on_every_route_and_counts_once() {
    let mut daemon = Daemon::start();
    let id = daemon.agent("atlas");
    let (password, name, client) = (AgentToken::generate(), UserPat::generate(), AgentPat::generate());
    let wires = [("agent_token", &password), ("user_pat", &name), ("agent_pat", &client)]
        .map(|(kind, one)| decoy(&daemon, &id, kind, false, one));
    let with = |value: &str| daemon.anonymous().with("Authorization", value);
    with(&basic("git", password.plaintext.reveal())).get("/api/agents").expect(401);
    with(&basic(name.plaintext.reveal(), "")).get(WHOAMI).expect(401);
    let key = client.plaintext.reveal();
    let shown = with(&basic(key.split('.').next().unwrap(), key));
    form(&shown, "grant_type=client_credentials").expect(401);
    for wire in &wires {
        eventually(|| touches(&daemon, wire) == 1);
    }
    assert_eq!(daemon.stop(), Some(0));
    assert!(wires.iter().all(|wire| touches(&daemon, wire) == 1), "each use counts once");
}

#[test]
fn that_of_an_archived_agent_still_tells_its_owner() {
    let daemon = Daemon::start();
    let id = daemon.agent("atlas");
    let bait = AgentToken::generate();
    let wire = decoy(&daemon, &id, "agent_token", true, &bait);
    daemon.operator().delete("/api/agents/atlas").expect(200);
    daemon.client(bait.plaintext.reveal()).get(WHOAMI).expect(401);
    eventually(|| touches(&daemon, &wire) == 1);
    let told = daemon.operator().get("/api/notifications").expect(200).json();
    assert_eq!(told[0]["title"], json!("A tripwire of agent atlas was used"), "{told}");
    assert!(told[0]["message"].as_str().unwrap().ends_with("The agent is archived."), "{told}");
    assert_eq!(told[0]["action_url"], json!("/ui/agents?tab=archive"));
    let audit = daemon.operator().get(&format!("/api/audit?resource=tripwire:{wire}")).expect(200).json();
    assert_eq!(audit[0]["outcome"], json!("denied"));
    assert_eq!(daemon.number("SELECT count(*) FROM agents WHERE frozen_at IS NOT NULL", []), 0);
}
