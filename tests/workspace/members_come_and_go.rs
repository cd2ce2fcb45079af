//! Members of a space: its owner adds them with a role and an end, which take effect at once.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{AxReply, Daemon, text};
use crate::workspace::harness::{Actor, agent, member};

#[test]
fn an_owner_lets_users_and_agents_in_and_out() {
    let daemon = Daemon::start();
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    let robot = agent(&daemon, &bob, "robot");
    let members = format!("/api/v1/spaces/{}/members", ann.space);

    bob.client.get(&members).expect_ax(404, "space_not_found");
    bob.client.post(&members, json!({"username": "bob", "role": "owner"})).expect_ax(403, "space_forbidden");
    ann.client.post(&members, json!({"username": "nobody", "role": "viewer"})).expect_ax(404, "principal_not_found");
    // Ann may not see Bob's agent, so she cannot name it either.
    ann.client.post(&members, json!({"agent": "robot", "role": "viewer"})).expect_ax(404, "principal_not_found");
    ann.client.post(&members, json!({"role": "viewer"})).expect_ax(422, "invalid_request");

    let made = ann.client.post(&members, json!({"username": "bob", "role": "viewer"})).expect(201).json();
    assert_eq!((made["username"].clone(), made["role"].clone()), (json!("bob"), json!("viewer")));
    bob.client.get(&format!("/api/v1/spaces/{}", ann.space)).expect(200);
    let spaces = bob.client.get("/api/v1/spaces").expect(200).json();
    let defaults: Vec<_> = spaces["spaces"].as_array().unwrap().iter().map(|s| s["is_default"].clone()).collect();
    assert_eq!(defaults, [json!(true), json!(false)]);
    bob.client.post(&members, json!({"username": "bob", "role": "owner"})).expect_ax(403, "forbidden");
    ann.client.post(&members, json!({"username": "bob", "role": "owner"})).expect(200);
    bob.client.post(&members, json!({"agent": "robot", "role": "editor"})).expect(201);
    assert_eq!(robot.client.get("/api/v1/spaces").expect(200).json()["spaces"].as_array().unwrap().len(), 2);
    assert_eq!(robot.client.get("/auth/me").json()["bound_agent"]["default_space_id"], json!(bob.space));
    let names: Vec<String> = robot.client.get(&members).expect(200).json()["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| format!("{} {} {}", text(m, "username"), text(m, "type"), text(m, "role")))
        .collect();
    assert_eq!(names, ["ann user owner", "bob user owner", "robot agent editor"]);

    ann.client.delete(&format!("{members}/{}", ann.id)).expect_ax(409, "member_at_home");
    ann.client.delete(&format!("{members}/{}", robot.id)).expect(204);
    robot.client.get(&members).expect_ax(404, "space_not_found");
    ann.client.delete(&format!("{members}/{}", robot.id)).expect_ax(404, "member_not_found");
    bob.client.delete(&format!("{members}/{}", bob.id)).expect(204);
    bob.client.get(&members).expect_ax(404, "space_not_found");
    bob.client.delete(&format!("{members}/{}", bob.id)).expect_ax(403, "space_forbidden");
}

#[test]
fn an_agent_that_lives_in_a_space_goes_home_when_it_is_removed() {
    let daemon = Daemon::start();
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    let robot = agent(&daemon, &bob, "robot");
    let members = format!("/api/v1/spaces/{}/members", ann.space);
    ann.client.post(&members, json!({"username": "bob", "role": "editor"})).expect(201);
    bob.client.post("/api/v1/agents/robot/placement", json!({"space_id": ann.space})).expect(200);
    robot.client.get(&members).expect(200);
    // The agent is there by its owner's role. Without that it sees nothing.
    ann.client.delete(&format!("{members}/{}", bob.id)).expect(204);
    robot.client.get(&members).expect_ax(404, "space_not_found");
    ann.client.delete(&format!("{members}/{}", robot.id)).expect(204);
    assert_eq!(robot.client.get("/auth/me").json()["space_id"], json!(bob.space));
    // A deleted user's spaces are deleted too. Agents of others that live there return to their own spaces.
    ann.client.post(&members, json!({"username": "bob", "role": "editor"})).expect(201);
    bob.client.post("/api/v1/agents/robot/placement", json!({"space_id": ann.space})).expect(200);
    daemon.operator().delete("/api/users/ann").expect(204);
    assert_eq!(robot.client.get("/auth/me").json()["space_id"], json!(bob.space));
    bob.client.get(&members).expect_ax(404, "space_not_found");
}

#[test]
fn a_grant_on_a_space_ends_at_its_time() {
    let daemon = Daemon::start();
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    let slug = ann.client.get(&format!("/api/v1/spaces/{}", ann.space)).json()["slug"].as_str().unwrap().to_owned();
    let wanted = json!({"principal": "user:bob", "resource": format!("space:{slug}"), "role": "viewer",
        "expires_in_seconds": 2});
    let foreign = bob.client.post("/api/grants", wanted.clone()).expect_error(403, "space_forbidden");
    let unknown = json!({"principal": "user:bob", "resource": "space:nowhere", "role": "viewer"});
    assert_eq!(foreign.body, bob.client.post("/api/grants", unknown).expect(403).body);
    let grant = ann.client.post("/api/grants", wanted).expect(201).json();
    assert_eq!(grant["resource"], json!(format!("space:{}", ann.space)));
    assert!(grant["expires_at"].is_string(), "{grant}");
    let path = format!("/api/v1/spaces/{}", ann.space);
    bob.client.get(&path).expect(200);
    let end = Instant::now() + Duration::from_secs(10);
    while bob.client.get(&path).status == 200 {
        assert!(Instant::now() < end, "the grant does not end");
        std::thread::sleep(Duration::from_millis(100));
    }
    bob.client.get(&path).expect_ax(404, "space_not_found");
    assert_eq!(bob.client.get("/api/v1/spaces").json()["spaces"].as_array().unwrap().len(), 1);
    // A role on an agent ends in the same way.
    let robot = agent(&daemon, &ann, "robot");
    let on_agent = json!({"principal": "user:bob", "resource": format!("agent:{}", robot.id), "role": "viewer",
        "expires_in_seconds": 1});
    ann.client.post("/api/grants", on_agent).expect(201);
    let end = Instant::now() + Duration::from_secs(10);
    while bob.client.get("/api/agents/robot").status == 200 {
        assert!(Instant::now() < end, "the grant does not end");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(bob.client.get("/api/agents").json(), json!([]));
    // Both grants leave nothing but their audit rows.
    let ended = |resource: &str| {
        let listed = ann.client.get("/api/grants").expect(200).json();
        let there =
            listed.as_array().unwrap().iter().any(|g| text(g, "resource") == resource && g["expires_at"].is_string());
        let count = "SELECT count(*) FROM audit WHERE action = 'grants.end' AND resource = ?1";
        !there && daemon.number(count, [resource]) == 1
    };
    let end = Instant::now() + Duration::from_secs(10);
    for resource in [format!("space:{}", ann.space), format!("agent:{}", robot.id)] {
        while !ended(&resource) {
            assert!(Instant::now() < end, "the grant on {resource} is not taken away");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    // A grant that has ended can be given again.
    let again = json!({"principal": "user:bob", "resource": format!("space:{}", ann.space), "role": "editor"});
    assert_eq!(ann.client.post("/api/grants", again).expect(201).json()["expires_at"], json!(null));
    bob.client.get(&path).expect(200);
}

#[test]
fn who_sees_an_agent_is_told_of_no_space_that_it_alone_was_let_into() {
    let daemon = Daemon::start();
    let (ann, bob, cyd) = (member(&daemon, "ann"), member(&daemon, "bob"), member(&daemon, "cyd"));
    let robot = agent(&daemon, &bob, "robot");
    let attic = ann.client.post("/api/spaces/create", json!({"name": "Attic"})).expect(201).json();
    let members = format!("/api/v1/spaces/{}/members", text(&attic["space"], "id"));
    ann.client.post(&members, json!({"username": "bob", "role": "owner"})).expect(201);
    bob.client.post(&members, json!({"agent": "robot", "role": "editor"})).expect(201);
    daemon.grant("user:cyd", &robot.id, "viewer");
    let names = |who: &Actor| -> Vec<String> {
        let record = who.client.get("/api/v1/agents/robot").expect(200).json();
        record["allowed_spaces"].as_array().unwrap().iter().map(|space| text(space, "name")).collect()
    };
    assert_eq!((names(&robot), names(&bob)), (vec!["bob".into(), "Attic".into()], vec!["bob".into(), "Attic".into()]));
    assert_eq!(names(&cyd), Vec::<String>::new());
    bob.client.delete(&format!("{members}/{}", bob.id)).expect(204);
    assert_eq!((names(&robot), names(&bob)), (vec!["bob".into(), "Attic".into()], vec!["bob".into()]));
    let listed = bob.client.get("/api/v1/agents").expect(200).text();
    assert!(!listed.contains("Attic"), "{listed}");
}

#[test]
fn the_owner_is_a_member_once() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let members = format!("/api/v1/spaces/{}/members", ann.space);
    let owner = json!({"username": "ann", "role": "viewer"});
    ann.client.post(&members, owner.clone()).expect_ax(409, "member_at_home");
    // An earlier version added the owner.
    daemon.execute(
        "INSERT INTO grants (id, principal_user_id, space_id, role, granted_by, granted_at)
            VALUES ('g', ?1, ?2, 'viewer', 'user:ann', 0)",
        [&ann.id, &ann.space],
    );
    let listed = ann.client.get(&members).expect(200).json()["members"].clone();
    assert_eq!((listed.as_array().map(Vec::len), &listed[0]["role"]), (Some(1), &json!("owner")), "{listed}");
}
