//! Deployments are recorded, made ready by their own registration, promoted one at a time, and gone once deleted.

use serde_json::{Value, json};

use crate::agentex::harness::{built, creator, registration, share, with_key};
use crate::support::{Client, Daemon, text};

fn record(client: &Client, agent: &str) -> String {
    let body = json!({"docker_image": "mailer:2", "sgp_deploy_id": "s"});
    text(&client.post(&format!("/agents/{agent}/deployments"), body).expect(200).json(), "id")
}

fn of_deployment(id: &str) -> Value {
    let mut body = registration("mailer");
    body["registration_metadata"] = json!({"deployment_id": id, "docker_image": "from:metadata"});
    body
}

#[test]
fn a_deployment_is_registered_then_promoted_and_only_one_is_in_production() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let id = built(&ann, "mailer");
    let (one, two) = (record(&ann, &id), record(&ann, &id));
    let at = |deployment: &str, rest: &str| format!("/agents/{id}/deployments/{deployment}{rest}");
    ann.send("POST", &at(&one, "/promote"), None).expect_agentex(400, "deployment_not_ready");
    for deployment in [&one, &two] {
        let told = ann.post("/agents/register", of_deployment(deployment)).expect(200).json();
        assert_eq!(
            (&told["status"], &told["registered_at"]),
            (&json!("BuildOnly"), &json!(null)),
            "the agent's row stays"
        );
    }
    for (deployment, other) in [(&one, &two), (&two, &one)] {
        let promoted = ann.send("POST", &at(deployment, "/promote"), None).expect(200).json();
        assert_eq!(promoted["is_production"], true);
        let again = ann.send("POST", &at(deployment, "/promote"), None).expect(200).json();
        assert_eq!(again, promoted, "again changes nothing");
        let agent = ann.get(&format!("/agents/{id}")).expect(200).json();
        assert_eq!((&agent["status"], &agent["production_deployment_id"]), (&json!("Ready"), &json!(deployment)));
        assert_eq!(ann.get(&at(other, "")).expect(200).json()["is_production"], false);
    }
    ann.delete(&at(&two, "")).expect_agentex(400, "deployment_in_production");
    ann.delete(&at(&one, "")).expect(200);
    ann.get(&at(&one, "")).expect_agentex(404, "deployment_not_found");
    ann.post("/agents/register", of_deployment(&one)).expect_agentex(404, "deployment_not_found");
    // A registration of the agent itself takes the place of the production deployment.
    let ready = ann.post("/agents/register", registration("mailer")).expect(200).json();
    assert_eq!((&ready["production_deployment_id"], &ready["status_reason"]), (&json!(null), &json!("registered")));
}

#[test]
fn an_unknown_deployment_is_recorded_by_its_registration_and_ids_are_each_agents_own() {
    let daemon = Daemon::start();
    let (ann, bob) = (creator(&daemon, "ann"), creator(&daemon, "bob"));
    let made = ann.post("/agents/register", of_deployment("v1")).expect(200).json();
    assert_eq!(made["status"], "Ready", "a new name is ready with its deployment");
    let id = text(&made, "id");
    let told = ann.get(&format!("/agents/{id}/deployments/v1")).expect(200).json();
    assert_eq!(
        (&told["status"], &told["docker_image"], &told["is_production"]),
        (&json!("Ready"), &json!("from:metadata"), &json!(false))
    );
    let other = built(&bob, "other");
    bob.get(&format!("/agents/{other}/deployments/v1")).expect_agentex(404, "deployment_not_found");
    bob.get(&format!("/agents/{id}/deployments/v1")).expect_agentex(404, "agent_not_found");
    let agent = with_key(&daemon, &text(&made, "agent_api_key"));
    agent.get(&format!("/agents/{id}/deployments/v1")).expect(200);
    agent.post(&format!("/agents/{id}/deployments"), json!({"docker_image": "x"})).expect_agentex(403, "scope_denied");
    share(&daemon, "bob", &id, "viewer");
    bob.get(&format!("/agents/{id}/deployments")).expect(200);
    bob.post(&format!("/agents/{id}/deployments"), json!({"docker_image": "x"})).expect_agentex(403, "forbidden");
    daemon.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
        INSERT INTO deployments (agent_id, id, docker_image, status, is_production, by_user, created_at, expires_at)
        SELECT ?1, 'old' || i, 'x', 'Ready', 0, 0, 1, 1 FROM n",
        [&id],
    );
    ann.post("/agents/register", of_deployment("v2")).expect_agentex(409, "too_many_deployments");
}

#[test]
fn a_repeat_with_its_key_records_one_deployment() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let id = built(&ann, "mailer");
    let keyed = ann.with("Idempotency-Key", "k");
    let body = json!({"docker_image": "mailer:2"});
    let first = keyed.post(&format!("/agents/{id}/deployments"), body.clone()).expect(200);
    let second = keyed.post(&format!("/agents/{id}/deployments"), body).expect(200);
    assert_eq!((first.body, second.header("idempotent-replayed")), (second.body.clone(), Some("true")));
    assert_eq!(daemon.number("SELECT count(*) FROM deployments", []), 1);
}

#[test]
fn each_new_commit_is_one_item_of_history() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    for commit in ["c1", "c1", "c2", "c1"] {
        let mut body = registration("mailer");
        body["registration_metadata"] = json!({"agent_commit": commit, "branch_name": "main", "author_name": "Ann",
            "build_timestamp": "2026-01-02T03:04:05Z"});
        ann.post("/agents/register", body).expect(200);
    }
    let items = ann.get("/deployment-history?agent_name=mailer&order_direction=asc").expect(200).json();
    let commits: Vec<_> = items.as_array().expect("items").iter().map(|item| text(item, "commit_hash")).collect();
    assert_eq!(commits, ["c1", "c2", "c1"]);
    assert_eq!((&items[0]["author_name"], &items[0]["author_email"]), (&json!("Ann"), &json!("N/A")));
    assert_eq!(items[0]["build_timestamp"], "2026-01-02T03:04:05.000000Z");
    let path = format!("/deployment-history/{}", text(&items[0], "id"));
    ann.get(&path).expect(200);
    creator(&daemon, "bob").get(&path).expect_agentex(404, "deployment_not_found");
    ann.delete("/agents/name/mailer").expect(200);
    ann.get(&path).expect_agentex(404, "deployment_not_found");
}

#[test]
fn an_address_that_a_user_gave_stays_the_users_if_the_agents_own_registration_repeats_it() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let made = ann.post("/agents/register", of_deployment("v1")).expect(200).json();
    let agent = with_key(&daemon, &text(&made, "agent_api_key"));
    let by_user = || daemon.number("SELECT by_user FROM deployments WHERE id = 'v1'", []);
    agent.post("/agents/register", of_deployment("v1")).expect(200);
    assert_eq!(by_user(), 1, "the same address");
    let mut moved = of_deployment("v1");
    moved["acp_url"] = json!("http://localhost:2");
    agent.post("/agents/register", moved.clone()).expect(200);
    assert_eq!(by_user(), 0, "an address of its own");
    agent.post("/agents/register", of_deployment("v1")).expect(200);
    assert_eq!(by_user(), 0, "what it once was does not count");
    ann.post("/agents/register", moved).expect(200);
    assert_eq!(by_user(), 1);
}

#[test]
fn an_agent_leaves_ids_to_its_owner() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let made = ann.post("/agents/register", of_deployment("v1")).expect(200).json();
    let agent = with_key(&daemon, &text(&made, "agent_api_key"));
    agent.post("/agents/register", of_deployment("own")).expect(200);
    daemon.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 499)
        INSERT INTO deployments (agent_id, id, docker_image, status, is_production, by_user, created_at)
        SELECT ?1, 'own' || i, 'x', 'Ready', 0, 0, 1 FROM n",
        [&text(&made, "id")],
    );
    agent.post("/agents/register", of_deployment("more")).expect_agentex(409, "too_many_deployments");
    agent.post("/agents/register", of_deployment("own")).expect(200);
    ann.post("/agents/register", of_deployment("v2")).expect(200);
    agent.post("/agents/register", of_deployment("v2")).expect(200);
}
