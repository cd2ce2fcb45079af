//! Agents on nodes. A node is the real runtime of this box, reached over HTTPS with a client certificate. The tests can
//! cut the connection to a node.

use serde_json::{Value, json};
use taosd::containers::{EnvKey, EnvState, Status};

use crate::cut::Cut;
use crate::gate::Fate;
use crate::harness::Host;
use crate::node::{address, forget, token};
use crate::support::text;
use crate::test_runtime::soon;

const URL: &str = "https://box.example";

/// A daemon with its nodes. When this value is dropped, the runtime forgets the daemon.
struct Boxes {
    wires: Vec<Cut>,
    host: Host,
}

impl Boxes {
    fn with(nodes: &[&str]) -> Self {
        let (at, token) = (address(), token());
        let wires: Vec<Cut> = nodes.iter().map(|_| Cut::before(&at)).collect();
        let blocks = nodes.iter().zip(&wires).map(|(name, wire)| {
            // The first node to be reached redeems the token. The server then trusts the daemon under every name.
            format!("[nodes.{name}]\nurl = \"https://{}\"\ntoken = \"{token}\"\n", wire.address)
        });
        let host = Host::rest_with_settings(&blocks.collect::<String>(), &[("TAOSD_PUBLIC_URL", URL)]);
        Self { wires, host }
    }

    fn row(&self, name: &str) -> Value {
        let rows = self.host.daemon.operator().get("/api/agents/containers").expect(200).json();
        let found = rows.as_array().and_then(|rows| rows.iter().find(|row| row["agent_name"] == name)).cloned();
        found.unwrap_or(Value::Null)
    }

    #[track_caller]
    fn is(&self, name: &str, status: Status) {
        let container = self.host.container(name);
        self.host.eventually(&format!("{name} is {status:?}"), || {
            self.host.test_runtime.driver.get(&container, soon()).is_ok_and(|state| state.status == status)
        });
    }
}

impl Drop for Boxes {
    fn drop(&mut self) {
        forget(&self.host.daemon.data.join("nodes/client.crt"));
    }
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn an_agent_lives_its_whole_life_on_a_node() {
    let boxes = Boxes::with(&["shed"]);
    let host = &boxes.host;
    let (name, operator) = (host.name("a"), host.daemon.operator());
    // Requests about this container go to the node only. The gate of the local runtime refuses them.
    let container = host.container(&name);
    let about = container.to_string();
    host.gate().rule(move |request| if request.contains(&about) { Fate::Error(500) } else { Fate::Pass });

    host.deploy_with(&name, json!({"target_worker": "shed", "memory_limit": "64M"})).expect(200);
    let record = host.daemon.record(&name);
    assert_eq!(record["container"]["node"], "shed");
    assert_eq!((&record["container"]["name"], &record["target_worker"]), (&json!(container.as_str()), &json!("shed")));
    assert_eq!(record["status"], "running");
    host.one_token_and_it_is_inside(&name);
    assert_eq!(host.token_file(&container), host.configured_token(&container).expect("a token"));
    assert_eq!(host.sockets(), 0, "no socket of this box leads there");
    let at = EnvKey::parse("TAOS_URL").unwrap();
    let found = host.test_runtime.driver.check_env(&container, &at, &|url| url == URL, soon()).unwrap();
    assert_eq!(found, EnvState::Matches);

    let issued = operator.post(&format!("/api/agents/{name}/token/issue"), json!({})).expect(200).json();
    assert_eq!((&issued["token"], &issued["token_delivery"]), (&Value::Null, &json!("pending_restart")));
    host.one_token_and_it_is_inside(&name);
    assert_eq!(host.token_file(&container), host.configured_token(&container).expect("a token"));
    host.act(&format!("/api/agents/{name}/restart")).expect(200);
    host.act(&format!("/api/agents/{name}/pause")).expect(200);
    boxes.is(&name, Status::Frozen);
    host.act(&format!("/api/agents/{name}/resume")).expect(200);
    let row = boxes.row(&name);
    assert_eq!(
        (&row["node"], &row["status"], &row["name"]),
        (&json!("shed"), &json!("running"), &json!(container.as_str()))
    );
    host.act(&format!("/api/agents/{name}/stop")).expect(200);
    let logs = operator.get(&format!("/api/agents/{name}/logs")).expect(200).json();
    assert!(text(&logs, "logs").contains("booted"), "{logs}");
    host.act(&format!("/api/agents/{name}/start")).expect(200);

    let told = operator.get("/api/nodes").expect(200).json();
    assert_eq!((&told[0]["status"], &told[0]["containers"]), (&json!("ok"), &json!(1)), "{told}");
    let told = operator.get("/api/nodes/shed").expect(200).json();
    assert!(told["cores"].as_u64() > Some(0) && told["memory_bytes"].as_u64() > told["memory_used_bytes"].as_u64());

    let id = host.archive(&name);
    let stored = "SELECT container_name FROM agents WHERE id = ?1";
    assert!(host.daemon.text(stored, [&id]).starts_with("shed:taos-archived-"));
    host.act(&format!("/api/agents/archived/{id}/restore")).expect(200);
    assert_eq!(host.daemon.text(stored, [&id]), format!("shed:{container}"));
    host.one_token_and_it_is_inside(&name);
    operator.delete(&format!("/api/agents/{name}/token")).expect(204);
    host.eventually("the revoked token leaves the container", || host.configured_token(&container).is_none());
    let id = host.archive(&name);
    operator.delete(&format!("/api/agents/archived/{id}?wait=60")).expect(200);
    assert_eq!(host.containers(), Vec::<String>::new());
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn what_a_node_cannot_have_is_refused_and_leaves_nothing() {
    let boxes = Boxes::with(&["shed"]);
    let (host, name) = (&boxes.host, boxes.host.name("a"));
    let source = host.mounts.path().join("shared");
    std::fs::create_dir(&source).unwrap();
    let mounts = json!([{"source": source.to_str().unwrap(), "target": "/srv/shared"}]);
    host.deploy_with(&name, json!({"target_worker": "shed", "mounts": mounts.clone()}))
        .expect_error(422, "validation_error");
    host.deploy_with(&name, json!({"target_worker": "shed", "image": "no-such-image"}))
        .expect_error(400, "unknown_image");
    assert_eq!((host.containers(), host.open_operations()), (Vec::new(), 0));
    // An agent that needs a folder of this box is made here, even if a node has more room.
    let here = host.name("c");
    host.deploy_with(&here, json!({"target_worker": "auto", "mounts": mounts})).expect(200);
    let record = host.daemon.record(&here);
    assert_eq!((&record["container"]["node"], &record["target_worker"]), (&Value::Null, &Value::Null));
    let id = host.archive(&here);
    host.daemon.operator().delete(&format!("/api/agents/archived/{id}?wait=60")).expect(200);
    // A single machine is no cluster, and the reply says so.
    let other = host.name("b");
    host.deploy_with(&other, json!({"target_worker": "shed/@big"})).expect_error(502, "container_failed");
    assert_eq!(host.containers(), Vec::<String>::new());
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_node_that_is_cut_off_stops_nobody_and_comes_back() {
    let boxes = Boxes::with(&["barn", "shed"]);
    let (host, operator) = (&boxes.host, boxes.host.daemon.operator());
    let names = |node: &str| (0..8).map(|n| host.name(&format!("{node}{n}"))).collect::<Vec<_>>();
    let (barn, shed) = (names("barn"), names("shed"));
    let here: Vec<String> = (0..4).map(|n| host.name(&format!("here{n}"))).collect();
    let begun: Vec<String> = [(&barn, "barn"), (&shed, "shed"), (&here, "controller")]
        .into_iter()
        .flat_map(|(names, node)| names.iter().map(move |name| (name, node)))
        .map(|(name, node)| {
            let body = json!({"name": name, "target_worker": node});
            text(&operator.post("/api/agents/deploy", body).expect(202).json(), "operation_id")
        })
        .collect();
    for operation in &begun {
        let ended = host.ended(operation);
        assert_eq!(ended["status"], "succeeded", "{ended}");
    }
    assert_eq!(host.containers().len(), 20);
    let tokens: Vec<String> =
        shed.iter().map(|name| host.configured_token(&host.container(name)).expect("a token")).collect();

    boxes.wires[1].cut();
    // Other nodes work at once, while the requests to this node wait for it.
    for name in &shed {
        operator.post(&format!("/api/agents/{name}/stop"), json!({})).expect(202);
    }
    host.act(&format!("/api/agents/{}/restart", barn[0])).expect(200);
    host.act(&format!("/api/agents/{}/restart", here[0])).expect(200);
    host.deploy_with(&host.name("late"), json!({"target_worker": "shed"}))
        .expect_error(503, "container_runtime_unavailable");
    operator.get(&format!("/api/agents/{}", host.name("late"))).expect_error(404, "agent_not_found");
    // An automatic choice skips the node that is away.
    host.deploy_with(&host.name("any"), json!({"target_worker": "auto"})).expect(200);
    assert_ne!(host.daemon.record(&host.name("any"))["container"]["node"], "shed");
    let refused = operator.get("/api/nodes/shed").expect_error(503, "container_runtime_unavailable").json();
    assert_eq!((&refused["node"], &refused["away"]), (&json!("shed"), &json!("hanging")));
    assert_eq!(boxes.row(&shed[0])["status"], "away");
    let away = operator.get(&format!("/api/agents/{}", shed[0])).expect(200);
    assert!(away.header("etag").is_some_and(|tag| tag.ends_with(".away\"")), "{:?}", away.header("etag"));
    assert_eq!(boxes.row(&barn[0])["status"], "running");
    host.eventually("what was asked of the node has ended", || host.open_operations() == 0);
    let stopped = operator.get(&format!("/api/operations?agent={}&kind=stop", shed[0])).expect(200).json();
    assert_eq!(stopped[0]["error"]["error"], "container_runtime_unavailable", "{stopped}");
    // A token that cannot be delivered is not activated, and an archiving does not lose the container.
    operator.post(&format!("/api/agents/{}/token/issue", shed[1]), json!({})).expect_error(502, "delivery_failed");
    operator.delete(&format!("/api/agents/{}?wait=60", shed[2])).expect_error(503, "container_runtime_unavailable");
    assert_eq!(host.daemon.record(&shed[2])["container"]["node"], "shed");
    operator.post(&format!("/api/agents/{}/freeze", shed[3]), json!({"reason": "a test"}));
    for (name, token) in shed.iter().zip(&tokens).filter(|(name, _)| **name != shed[3]) {
        let me = host.daemon.client(token).get("/api/auth/whoami").expect(200).json();
        assert_eq!(me["agent_name"], json!(name));
    }

    boxes.wires[1].mend();
    boxes.is(&shed[3], Status::Frozen);
    host.eventually("it is not away any more", || boxes.row(&shed[0])["status"] == "running");
    host.act(&format!("/api/agents/{}/stop", shed[0])).expect(200);
    boxes.is(&shed[0], Status::Stopped);
    operator.post(&format!("/api/agents/{}/token/issue", shed[1]), json!({})).expect(200);
    host.archive(&shed[2]);
    assert_eq!(host.containers().len(), 21, "nothing is lost and nothing doubled");
    for name in shed.iter().filter(|name| **name != shed[2] && **name != shed[3]).chain(&barn).chain(&here) {
        host.one_token_and_it_is_inside(name);
    }
    let log = host.daemon.log_text();
    assert_eq!(log.matches("node shed answers again").count(), 1, "{log}");
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn a_daemon_that_starts_while_its_node_is_away_serves_it_later() {
    let mut boxes = Boxes::with(&["shed"]);
    let name = boxes.host.name("a");
    boxes.host.deploy_with(&name, json!({"target_worker": "shed"})).expect(200);
    boxes.host.daemon.stop();
    // The state after a crash between two steps of a delivery.
    boxes
        .host
        .daemon
        .execute("UPDATE credentials SET state = 'revoked', revoked_at = 1 WHERE kind = 'agent_token'", []);
    boxes.wires[0].cut();
    boxes.host.daemon.spawn();
    let host = &boxes.host;
    host.eventually("the log says that it is away", || host.daemon.log_text().contains("The node shed is away"));
    assert_eq!(host.daemon.record(&name)["has_token"], json!(false));
    boxes.wires[0].mend();
    host.eventually("it has a token again", || host.daemon.record(&name)["has_token"] == json!(true));
    host.wait_until_delivered(&name);
    host.one_token_and_it_is_inside(&name);
}
