//! Twenty agents are deployed, archived, restored and purged at once. Nothing leaks.

use serde_json::{Value, json};

use crate::harness::Host;
use crate::support::{Client, text};

const AGENTS: usize = 20;

/// Sends one request for each item, and waits for the end of the operations. Returns their results.
fn all(
    host: &Host,
    of: &[String],
    send: impl Fn(&Client, &str) -> (String, String, Option<Value>) + Sync,
) -> Vec<Value> {
    let one = |item: &String| {
        let operator = host.daemon.operator();
        let (method, path, body) = send(&operator, item);
        let promised = operator.call(&method, &path, body.as_ref()).expect(202);
        let operation = text(&promised.json(), "operation_id");
        assert_eq!(promised.header("location"), Some(format!("/api/operations/{operation}").as_str()));
        loop {
            let record = operator.get(&format!("/api/operations/{operation}?wait=60")).expect(200).json();
            if !record["finished_at"].is_null() {
                assert_eq!(record["status"], "succeeded", "{record}");
                return record["result"].clone();
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = of.iter().map(|item| scope.spawn(|| one(item))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
#[ignore = "needs Incus or LXD: bash .ci/lxd"]
fn twenty_agents_at_once_leak_no_container_credential_operation_or_socket() {
    let host = Host::rest();
    let names: Vec<String> = (0..AGENTS).map(|n| host.name(&n.to_string())).collect();
    all(&host, &names, |_, name| ("POST".into(), "/api/agents/deploy".into(), Some(json!({"name": name}))));
    assert_eq!((host.containers().len(), host.sockets(), host.open_operations()), (AGENTS, AGENTS, 0));
    for name in &names {
        host.one_token_and_it_is_inside(name);
    }
    let live = host.daemon.number(
        "SELECT count(*) FROM credentials WHERE state IN ('active', 'pending', 'grace') AND agent_id IS NOT NULL",
        [],
    );
    assert_eq!(live, AGENTS as i64);

    let archived = all(&host, &names, |_, name| ("DELETE".into(), format!("/api/agents/{name}"), None));
    let live = "SELECT count(*) FROM credentials WHERE state NOT IN ('revoked', 'expired') AND agent_id IS NOT NULL";
    assert_eq!((host.containers().len(), host.sockets(), host.open_operations()), (AGENTS, 0, 0));
    assert_eq!(host.daemon.number(live, []), 0, "no token lives");
    assert!(host.containers().iter().all(|name| name.starts_with("taos-archived-")));

    let ids: Vec<String> = archived.iter().map(|result| text(result, "id")).collect();
    let (back, gone) = ids.split_at(AGENTS / 2);
    let restored = all(&host, back, |_, id| ("POST".into(), format!("/api/agents/archived/{id}/restore"), None));
    for (result, id) in restored.iter().zip(back) {
        assert_eq!((&result["id"], &result["container_renamed"]), (&json!(id), &json!(true)));
        host.one_token_and_it_is_inside(&text(result, "name"));
    }
    all(&host, gone, |_, id| ("DELETE".into(), format!("/api/agents/archived/{id}"), None));
    assert_eq!((host.containers().len(), host.sockets(), host.open_operations()), (AGENTS / 2, AGENTS / 2, 0));

    let names: Vec<String> = restored.iter().map(|result| text(result, "name")).collect();
    all(&host, &names, |_, name| ("DELETE".into(), format!("/api/agents/{name}"), None));
    all(&host, back, |_, id| ("DELETE".into(), format!("/api/agents/archived/{id}"), None));
    assert_eq!((host.containers(), host.sockets(), host.open_operations()), (Vec::new(), 0, 0));
    assert_eq!(host.daemon.number("SELECT count(*) FROM agents", []), 0);
    assert_eq!(host.daemon.number("SELECT count(*) FROM credentials WHERE agent_id IS NOT NULL", []), 0);
}
