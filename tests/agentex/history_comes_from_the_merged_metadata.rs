//! An item of the history comes from all metadata of an agent after a registration, not only from the last body.

use serde_json::{Value, json};

use crate::agentex::harness::{creator, registration};
use crate::support::{Client, Daemon};

fn register(client: &Client, metadata: Value) {
    let mut body = registration("mailer");
    body["registration_metadata"] = metadata;
    client.post("/agents/register", body).expect(200);
}

/// The commit and the branch of each item, oldest first.
fn history(client: &Client) -> Vec<(String, String)> {
    let items = client.get("/deployment-history?agent_name=mailer&order_direction=asc").expect(200).json();
    let text = |item: &Value, field: &str| item[field].as_str().expect("a text").to_owned();
    items.as_array().unwrap().iter().map(|item| (text(item, "commit_hash"), text(item, "branch_name"))).collect()
}

fn pair(commit: &str, branch: &str) -> (String, String) {
    (commit.to_owned(), branch.to_owned())
}

#[test]
fn commit_and_branch_may_come_one_after_the_other() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    register(&ann, json!({"agent_commit": "c1"}));
    assert_eq!(history(&ann), []);
    register(&ann, json!({"branch_name": "main", "author_name": "Ann"}));
    assert_eq!(history(&ann), [pair("c1", "main")]);
    // A registration with the same commit, or without metadata, adds no item.
    register(&ann, Value::Null);
    register(&ann, json!({"other": 1}));
    assert_eq!(history(&ann), [pair("c1", "main")]);
    register(&ann, json!({"agent_commit": "c2"}));
    assert_eq!(history(&ann), [pair("c1", "main"), pair("c2", "main")]);
    let newest = ann.get("/deployment-history?agent_name=mailer&limit=1").expect(200).json();
    assert_eq!(newest[0]["author_name"], "Ann");
}

#[test]
fn a_registration_of_a_deployment_lies_over_what_is_known() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    register(&ann, json!({"branch_name": "main"}));
    register(&ann, json!({"deployment_id": "d1", "agent_commit": "c1"}));
    assert_eq!(history(&ann), [pair("c1", "main")]);
    // The deployment's metadata is not stored for the agent itself.
    register(&ann, json!({"other": 1}));
    assert_eq!(history(&ann), [pair("c1", "main")]);
}

#[test]
fn a_deployment_and_its_agent_may_each_have_as_much_metadata_as_is_allowed() {
    let daemon = Daemon::start();
    let ann = creator(&daemon, "ann");
    let much = "x".repeat(40 * 1024);
    register(&ann, json!({"branch_name": "main", "notes": much}));
    register(&ann, json!({"deployment_id": "d1", "agent_commit": "c1", "log": much}));
    assert_eq!(history(&ann), [pair("c1", "main")]);
}
