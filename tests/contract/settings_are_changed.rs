//! Changes of an agent's settings: a field that is not sent keeps its value, the slug never changes, and revisions
//! prevent lost updates.

use serde_json::{Value, json};

use crate::harness::Harness;

#[test]
fn what_is_not_sent_stays_as_it_is() {
    let harness = Harness::new();
    let name = harness.agent();
    let path = format!("/api/agents/{name}");
    harness.operator().put(&path, json!({"host": "h", "color": "#111111", "emoji": "x"})).expect(200);
    harness.operator().put(&path, json!({"display_name": "New"})).expect(200);
    harness.operator().patch(&format!("{path}/persona"), json!({"soul_md": "s", "source_persona_id": "p"})).expect(200);
    harness.operator().patch(&format!("{path}/persona"), json!({"agent_md": "a"})).expect(200);
    let record = harness.daemon.record(&name);
    let fields = ["host", "color", "emoji", "display_name", "soul_md", "agent_md", "source_persona_id", "name"];
    let stored: Vec<&Value> = fields.iter().map(|field| &record[*field]).collect();
    assert_eq!(json!(stored), json!(["h", "#111111", "x", "New", "s", "a", "p", name]));
}

#[test]
fn each_change_is_a_revision_and_no_change_is_none() {
    let harness = Harness::new();
    let name = harness.agent();
    let path = format!("/api/agents/{name}");
    let rows = |harness: &Harness| harness.daemon.number("SELECT count(*) FROM audit", []);
    assert_eq!(harness.operator().put(&path, json!({"host": "h"})).expect(200).json()["revision"], 2);
    let before = (harness.daemon.record(&name), rows(&harness));
    assert_eq!(harness.operator().put(&path, json!({"host": "h"})).expect(200).json()["revision"], 2);
    harness.operator().put(&path, json!({})).expect(200);
    harness.operator().patch(&format!("{path}/memory"), json!({"memory_plugin": "none"})).expect(200);
    assert_eq!((harness.daemon.record(&name), rows(&harness)), before, "nothing is written");
    harness.operator().post(&format!("{path}/model"), json!({"model": "gpt"})).expect(200);
    assert_eq!(harness.operator().get(&path).expect(200).header("etag"), Some("\"3\""));
}

#[test]
fn a_change_on_an_old_revision_is_refused_on_every_route_that_changes_a_record() {
    let harness = Harness::new();
    for id in ["agents_update", "agents_permissions", "agents_persona", "agents_memory", "agents_model"] {
        let request = harness.request_for(id);
        let name = request.path.split('/').nth(3).expect("a name").to_owned();
        for stale in ["\"2\"", "\"0\"", "1", "W/\"1\"", "\"2\", \"3\"", "\"x\"", ""] {
            let refused = request.by(&harness.operator().with("If-Match", stale));
            refused.expect_error(412, "precondition_failed");
        }
        assert_eq!(harness.daemon.record(&name)["revision"], 1, "{id}");
        request.by(&harness.operator().with("If-Match", "\"1\"")).expect(200);
        let refused =
            request.by(&harness.operator().with("If-Match", "\"1\"")).expect_error(412, "precondition_failed");
        assert_eq!(refused.json()["revision"], 2, "{id}");
        request.by(&harness.operator().with("If-Match", "*")).expect(200);
    }
}

#[test]
fn of_two_changes_on_one_revision_one_is_refused() {
    let harness = Harness::new();
    let path = format!("/api/agents/{}", harness.agent());
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let sent: Vec<_> = (0..10)
            .map(|n| {
                let (client, path) = (harness.operator().with("If-Match", "\"1\""), &path);
                scope.spawn(move || client.put(path, json!({"host": format!("h{n}")})).status)
            })
            .collect();
        sent.into_iter().map(|thread| thread.join().expect("a status")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 9, "{statuses:?}");
    assert_eq!(harness.operator().get(&path).expect(200).json()["revision"], 2);
}

#[test]
fn models_are_checked_by_the_table() {
    let harness = Harness::new();
    let path = format!("/api/agents/{}/model", harness.agent());
    let location =
        |model: &str| harness.operator().post(&path, json!({"model": model})).expect(200).json()["location"].clone();
    assert_eq!([location("QWEN2.5:7B"), location("qwen2.5_7b")], ["controller", "controller"]);
    assert_eq!([location("gpt"), location(" far ")], ["cloud", "worker"]);
    let refused = harness.operator().post(&path, json!({"model": "qwen2.5"})).expect_error(409, "model_not_reachable");
    assert_eq!(refused.json()["available_on"], json!([]), "the whole name counts");
    let export = |model: &str, worker: &str| {
        let agent = json!({"name": harness.name(), "model": model, "target_worker": worker});
        harness.operator().post("/api/agents/import", json!({"version": 1, "agent": agent}))
    };
    export("qwen2.5:7b", "w1").expect(200);
    export("qwen2.5:7b", "w1/@gpu").expect(200);
    let body = export("qwen2.5:7b", "w2").expect_error(409, "model_not_on_worker").json();
    assert_eq!((&body["pinned_worker"], &body["available_on"]), (&json!("w2"), &json!(["controller", "w1"])));
}

#[test]
fn a_new_model_resumes_only_who_is_paused_by_a_flag_alone() {
    let harness = Harness::new();
    let chosen = |name: &str| {
        harness.daemon.execute("UPDATE agents SET paused = 1 WHERE slug = ?1", [name]);
        let path = format!("/api/agents/{name}/model");
        let reply = harness.operator().post(&path, json!({"model": "qwen2.5:7b"})).expect(200).json();
        let record = harness.daemon.record(name);
        assert_eq!(record["model"], "qwen2.5:7b");
        (reply["resumed"].clone(), record["paused"].clone())
    };
    let [plain, frozen, contained] = [harness.agent(), harness.agent(), harness.agent()];
    harness.operator().post(&format!("/api/agents/{frozen}/freeze"), json!({"reason": "r"})).expect(200);
    harness.daemon.execute(
        "UPDATE agents SET container_name = 'taos-agent-' || id, container_runtime = 'lxd', status = 'running'
        WHERE slug = ?1",
        [&contained],
    );
    assert_eq!(chosen(&plain), (json!(true), json!(false)));
    assert_eq!(chosen(&frozen), (json!(false), json!(true)));
    assert_eq!(chosen(&contained), (json!(false), json!(true)), "its container is still paused");
}

#[test]
fn without_a_table_of_models_nothing_is_checked() {
    let daemon = crate::support::Daemon::start();
    daemon.agent("free");
    let reply = daemon.operator().post("/api/agents/free/model", json!({"model": "anything"})).expect(200).json();
    assert_eq!((&reply["location"], &reply["resumed"]), (&json!(null), &json!(false)));
    assert_eq!(daemon.record("free")["model"], "anything");
}
