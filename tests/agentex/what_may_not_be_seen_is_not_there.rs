//! A hidden, absent or archived agent, or none at all, gets the same bytes on every route.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::agentex::harness::{built, creator, key, register, registration};
use crate::support::{Client, Daemon, text};

/// Every request that names an agent, with this identifier.
fn requests(id: &str) -> Vec<(&'static str, String, Option<Value>)> {
    let mut by_agent_id = registration("anything");
    by_agent_id["agent_id"] = json!(id);
    vec![
        ("GET", format!("/agents/{id}"), None),
        ("DELETE", format!("/agents/{id}"), None),
        ("GET", format!("/agents/name/{id}"), None),
        ("DELETE", format!("/agents/name/{id}"), None),
        ("POST", "/agents/register".into(), Some(by_agent_id)),
        ("POST", format!("/agents/{id}/deployments"), Some(json!({"docker_image": "x"}))),
        ("GET", format!("/agents/{id}/deployments"), None),
        ("GET", format!("/agents/{id}/deployments/d"), None),
        ("DELETE", format!("/agents/{id}/deployments/d"), None),
        ("POST", format!("/agents/{id}/deployments/d/promote"), None),
        ("GET", format!("/deployment-history?agent_id={id}"), None),
        ("GET", format!("/deployment-history?agent_name={id}"), None),
        ("POST", "/agent_api_keys".into(), Some(json!({"agent_id": id, "name": "k"}))),
        ("POST", "/agent_api_keys".into(), Some(json!({"agent_name": id, "name": "k", "api_key_type": "internal"}))),
        ("GET", format!("/agent_api_keys?agent_id={id}"), None),
        ("GET", format!("/agent_api_keys?agent_name={id}"), None),
        ("GET", format!("/agent_api_keys/name/k?agent_id={id}"), None),
        ("DELETE", format!("/agent_api_keys/name/k?agent_name={id}"), None),
        ("GET", format!("/agents/forward/name/{id}/x"), None),
        ("POST", format!("/agents/forward/name/{id}/x"), Some(json!({}))),
    ]
}

/// The 404 of each request, with the identifier replaced by `*`.
fn answers(client: &Client, id: &str) -> BTreeMap<usize, String> {
    let answer = |(method, path, body): (&str, String, Option<Value>)| {
        let refused = client.call(method, &path, body.as_ref()).expect_agentex(404, "agent_not_found");
        assert!(refused.text().contains(&format!("'{id}'")), "{}", refused.text());
        refused.text().replace(id, "*")
    };
    requests(id).into_iter().map(answer).enumerate().collect()
}

#[test]
fn every_route_answers_alike_whatever_the_reason() {
    let daemon = Daemon::start();
    let (ann, bob) = (creator(&daemon, "ann"), creator(&daemon, "bob"));
    let hidden = text(&register(&ann, "hidden"), "id");
    let archived = built(&bob, "archived-one");
    bob.delete(&format!("/agents/{archived}")).expect(200);
    let given = [
        hidden.as_str(),
        "hidden",
        archived.as_str(),
        "archived-one",
        "absent",
        "00000000-0000-0000-0000-000000000000",
        "No.Agent_At*All",
    ];
    let all: Vec<_> = given.iter().map(|id| answers(&bob, id)).collect();
    assert!(all.iter().all(|one| *one == all[0]), "{all:#?}");
    assert!(all[0].values().all(|text| *text == all[0][&0]), "every route says the same: {:#?}", all[0]);
}

#[test]
fn keys_deployments_and_items_of_hidden_agents_are_not_there_either() {
    let daemon = Daemon::start();
    let (ann, bob) = (creator(&daemon, "ann"), creator(&daemon, "bob"));
    let mut body = registration("hidden");
    body["registration_metadata"] = json!({"agent_commit": "c", "branch_name": "b"});
    ann.post("/agents/register", body).expect(200);
    let key = text(&key(&ann, "hidden", "k", "external"), "id");
    let item = text(&ann.get("/deployment-history?agent_name=hidden").expect(200).json()[0], "id");
    for (path, id) in [("/agent_api_keys/", key.as_str()), ("/deployment-history/", item.as_str())] {
        let hidden = bob.get(&format!("{path}{id}"));
        let absent = bob.get(&format!("{path}absent"));
        assert_eq!(hidden.status, 404);
        assert_eq!(hidden.text().replace(id, "*"), absent.text().replace("absent", "*"));
    }
    bob.delete(&format!("/agent_api_keys/{key}")).expect_agentex(404, "api_key_not_found");
}
