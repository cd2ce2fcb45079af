//! Lifecycle, deployments and operations that need no running container.

use serde_json::{Value, json};

use super::{Case, agents::crowd, case};
use crate::harness::Harness;
use crate::support::{Reply, text};

pub const CASES: &[Case] = &[
    case("agents_pause", "", |w| pause(w, "pause", "paused", true)),
    case("agents_resume", "", |w| pause(w, "resume", "resumed", false)),
    case("agents_wake", "", wake),
    case("agents_bulk_start", "", |w| bulk(w, "start")),
    case("agents_bulk_stop", "", |w| bulk(w, "stop")),
    case("agents_bulk_restart", "", |w| bulk(w, "restart")),
    case("agents_bulk_start", "container_runtime_unavailable", |_| bulk_without_runtime("start")),
    case("agents_bulk_stop", "container_runtime_unavailable", |_| bulk_without_runtime("stop")),
    case("agents_bulk_restart", "container_runtime_unavailable", |_| bulk_without_runtime("restart")),
    case("agents_containers", "", |w| {
        let none = Harness::without_runtime().operator().get("/api/agents/containers").expect(200);
        assert_eq!(none.json(), json!([]));
        w.operator().get("/api/agents/containers").expect(200)
    }),
    case("agents_containers", "container_runtime_unavailable", |_| {
        Harness::with_dead_runtime().operator().get("/api/agents/containers")
    }),
    case("agents_containers", "container_failed", |_| {
        Harness::with_broken_runtime().operator().get("/api/agents/containers")
    }),
    case("agents_logs", "too_many_streams", |_| {
        let none = Harness::with(&[("TAOSD_MAX_STREAMS_PER_CREDENTIAL", "0")]);
        let request = none.request_for("agents_logs");
        none.give_container(&request);
        none.operator().get(&format!("{}?follow=true", request.path))
    }),
    case("agents_deploy", "", |w| {
        let name = w.name();
        let reply = w.operator().post("/api/agents/deploy", json!({"name": name, "image": "i"})).expect(202);
        let (body, record) = (reply.json(), w.daemon.record(&name));
        assert_eq!((&body["status"], &body["id"]), (&json!("deploying"), &record["id"]));
        let place = format!("/api/operations/{}", text(&body, "operation_id"));
        assert_eq!(reply.header("location"), Some(place.as_str()));
        let ended = w.operator().get(&format!("{place}?wait=60")).expect(200).json();
        assert_eq!((&ended["status"], &ended["error"]["error"]), (&json!("failed"), &json!("container_failed")));
        assert_eq!(w.daemon.record(&name)["status"], "failed");
        reply
    }),
    case("agents_deploy", "container_failed", |w| {
        w.operator().post("/api/agents/deploy?wait=60", json!({"name": w.name(), "image": "i"}))
    }),
    case("agents_deploy", "unknown_image", |w| {
        let body = json!({"name": w.name(), "image": "no-such-image"});
        let reply = w.operator().post("/api/agents/deploy?wait=60", body);
        assert_eq!(reply.json()["known"], json!(["bb"]));
        reply
    }),
    case("agents_deploy", "container_runtime_unavailable", |_| {
        let harness = Harness::without_runtime();
        let reply = harness.operator().post("/api/agents/deploy", json!({"name": "gone", "image": "i"}));
        harness.operator().get("/api/agents/gone").expect_error(404, "agent_not_found");
        assert_eq!(reply.json()["away"], json!("absent"));
        reply
    }),
    case("agents_deploy", "invalid_agent_name", |w| deploy(w, json!({"name": "é"}))),
    case("agents_deploy", "invalid_model", |w| deploy(w, json!({"model": " "}))),
    case("agents_deploy", "model_not_reachable", |w| deploy(w, json!({"model": "none such"}))),
    case("agents_deploy", "model_not_on_worker", |w| deploy(w, json!({"model": "far", "target_worker": "w1"}))),
    case("agents_deploy", "node_not_found", |w| {
        let reply = deploy(w, json!({"target_worker": "barn"}));
        assert_eq!(reply.json()["known"], json!(["shed"]));
        reply
    }),
    case("agents_deploy", "node_needs_public_url", |w| {
        let name = w.name();
        let body = json!({"name": name, "image": "i", "target_worker": "shed/@big"});
        let reply = w.operator().post("/api/agents/deploy", body);
        w.operator().get(&format!("/api/agents/{name}")).expect_error(404, "agent_not_found");
        reply
    }),
    case("agents_deploy", "unknown_framework", |w| {
        let reply = deploy(w, json!({"framework": "none-such"}));
        assert_eq!(reply.json()["known"], json!(["none"]));
        reply
    }),
    case("agents_deploy", "create_not_allowed", |w| {
        w.member().post("/api/agents/deploy", json!({"name": w.name(), "image": "i"}))
    }),
    case("agents_deploy", "slug_collision_unresolvable", |w| {
        crowd(w, "swarm");
        deploy(w, json!({"name": "swarm"}))
    }),
    case("agents_calls", "", |w| {
        let name = w.agent();
        let agent = w.daemon.agent_token(&name, &["agents.read"]);
        (0..3).for_each(|_| drop(agent.get("/api/auth/whoami").expect(200)));
        let reply = w.operator().get(&format!("/api/agents/{name}/calls")).expect(200);
        let told = reply.json();
        assert_eq!((&told["total"], told["hours"].as_array().map(Vec::len)), (&json!(3), Some(24)), "{told}");
        reply
    }),
    case("agents_deploy_status", "", |w| {
        let name = w.agent();
        let op = w.operation("deploy", "succeeded", Some(&text(&w.daemon.record(&name), "id")));
        let reply = w.operator().get(&format!("/api/agents/{name}/deploy-status")).expect(200);
        assert_eq!((&reply.json()["status"], &reply.json()["operation_id"]), (&json!("success"), &json!(op)));
        reply
    }),
    case("agents_deploy_status", "deploy_task_not_found", |w| {
        w.operator().get(&format!("/api/agents/{}/deploy-status", w.agent()))
    }),
    case("operations_list", "", |w| {
        let name = w.agent();
        let op = w.operation("archive", "failed", Some(&text(&w.daemon.record(&name), "id")));
        let reply = w.operator().get(&format!("/api/operations?status=failed&kind=archive&agent={name}")).expect(200);
        assert_eq!((reply.json().as_array().map(Vec::len), &reply.json()[0]["id"]), (Some(1), &json!(op)));
        reply
    }),
    case("operations_get", "", |w| {
        let name = w.agent();
        let op = w.operation("stop", "queued", Some(&text(&w.daemon.record(&name), "id")));
        let path = format!("/api/operations/{op}");
        let reply = w.operator().get(&path).expect(200);
        assert_eq!((&reply.json()["agent_name"], &reply.json()["cancellable"]), (&json!(name), &json!(true)));
        w.member().get(&path).expect_error(404, "operation_not_found");
        w.member_on(&name, "viewer").get(&path).expect(200);
        reply
    }),
    case("operations_cancel", "", |w| {
        let path = format!("/api/operations/{}", w.operation("start", "queued", None));
        let reply = w.operator().send("POST", &format!("{path}/cancel"), None).expect(200);
        assert_eq!(reply.json(), w.operator().get(&path).expect(200).json());
        reply
    }),
    case("operations_cancel", "operation_finished", |w| cancel(w, "succeeded")),
    case("operations_cancel", "not_cancellable", |w| cancel(w, "running")),
];

fn pause(w: &Harness, verb: &str, told: &str, paused: bool) -> Reply {
    let name = w.agent();
    w.daemon.execute("UPDATE agents SET paused = ?2 WHERE slug = ?1", (&name, !paused));
    let reply = w.operator().post(&format!("/api/agents/{name}/{verb}"), json!({})).expect(200);
    assert_eq!(reply.json(), json!({"status": told, "name": name, "paused": paused}));
    assert_eq!(w.daemon.record(&name)["paused"], json!(paused));
    reply
}

/// A bulk operation includes only agents that the member may edit. The result reports those without a container.
fn bulk(w: &Harness, verb: &str) -> Reply {
    let (mine, seen) = (w.agent(), w.agent());
    let member = w.member_on(&mine, "editor");
    w.agent();
    let who = text(&member.get("/api/auth/whoami").expect(200).json(), "username");
    w.daemon.grant(&format!("user:{who}"), &text(&w.daemon.record(&seen), "id"), "viewer");
    let reply = member.post(&format!("/api/agents/bulk/{verb}"), json!({})).expect(200);
    let mut results = json!({});
    results[&mine] = json!({"success": false, "error": "agent_has_no_container"});
    assert_eq!(reply.json(), json!({"action": verb, "results": results}));
    reply
}

fn bulk_without_runtime(verb: &str) -> Reply {
    let harness = Harness::without_runtime();
    harness.give_container(&harness.request_for("agents_start"));
    harness.operator().post(&format!("/api/agents/bulk/{verb}"), json!({}))
}

fn deploy(w: &Harness, fields: Value) -> Reply {
    let mut body = json!({"name": w.name(), "image": "i"});
    for (field, value) in fields.as_object().expect("an object") {
        body[field] = value.clone();
    }
    w.operator().post("/api/agents/deploy", body)
}

fn cancel(w: &Harness, status: &str) -> Reply {
    let id = w.operation("stop", status, None);
    w.operator().send("POST", &format!("/api/operations/{id}/cancel"), None)
}

fn wake(w: &Harness) -> Reply {
    let request = w.request_for("agents_wake");
    w.give_container(&request);
    let record = || w.operator().get(request.path.trim_end_matches("/wake")).expect(200).json();
    let set = |body: Value| w.operator().patch(&request.path, body).expect(200);
    let reply = set(json!({"wake": "start", "idle_stop_minutes": 30}));
    let told = reply.json();
    assert_eq!(
        (&told["wake"], &told["idle_stop_minutes"], &told["sleeping"]),
        (&json!("start"), &json!(30), &json!(false))
    );
    let after = record();
    assert_eq!((&after["wake"], &after["idle_stop_minutes"]), (&json!("start"), &json!(30)));
    assert_eq!(set(json!({"wake": "resume"})).json()["idle_stop_minutes"], json!(30), "what is not sent stays");
    let revision = record()["revision"].clone();
    assert_eq!(set(json!({})).json()["revision"], revision, "nothing has changed");
    reply
}
