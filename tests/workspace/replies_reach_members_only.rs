//! Who has left a space gets nothing more of it: no reply to a direct message, and no receipt of a reply to an old message.

use serde_json::{Value, json};

use crate::support::{AxReply, Daemon, text};
use crate::workspace::harness::{Actor, agent, let_in, member, operator};

fn leave(owner: &Actor, who: &Actor) {
    owner.client.delete(&format!("/api/v1/spaces/{}/members/{}", owner.space, who.id)).expect(204);
}

fn reply(space: &str, to: &Value, content: &str) -> Value {
    json!({"content": content, "space_id": space, "parent_id": text(&to["message"], "id")})
}

#[test]
fn a_reply_to_who_has_left_is_refused_if_it_was_direct_and_else_is_for_the_others() {
    let daemon = Daemon::start();
    let (ann, bo) = (member(&daemon, "ann"), member(&daemon, "bo"));
    let robot = agent(&daemon, &ann, "robot");
    let_in(&ann, json!({"username": "bo", "role": "editor"}));
    let to_robot = bo.send(json!({"content": "hello", "space_id": ann.space, "channel": "dm:robot"}));
    let open = bo.send(json!({"content": "for all", "space_id": ann.space}));
    let answered = robot.send(reply(&ann.space, &to_robot, "a direct answer"));
    assert_eq!(answered["delivery"]["recipients"][0]["name"], "bo");
    let answered = robot.send(reply(&ann.space, &open, "an open answer"));
    assert_eq!(answered["delivery"]["recipients"][0]["name"], "bo");

    leave(&ann, &bo);
    let send = |body: Value| robot.client.post("/api/v1/messages", body);
    send(json!({"content": "x", "channel": "dm:bo"})).expect_ax(422, "invalid_request");
    send(reply(&ann.space, &to_robot, "too late")).expect_ax(422, "invalid_request");
    let alone = robot.send(reply(&ann.space, &open, "for those who stayed"));
    assert_eq!(alone["delivery"]["recipients"], json!([]));

    let_in(&ann, json!({"username": "bo", "role": "viewer"}));
    let again = robot.send(reply(&ann.space, &to_robot, "again"));
    assert_eq!(again["delivery"]["recipients"][0]["name"], "bo");
    daemon.operator().patch("/api/users/bo", json!({"disabled": true})).expect(200);
    send(reply(&ann.space, &to_robot, "too late")).expect_ax(422, "invalid_request");
}

#[test]
fn agents_that_left_get_none_either_and_an_admin_needs_no_membership() {
    let daemon = Daemon::start();
    let (ann, bo) = (member(&daemon, "ann"), member(&daemon, "bo"));
    let (robot, guest) = (agent(&daemon, &ann, "robot"), agent(&daemon, &bo, "guest"));
    let_in(&ann, json!({"username": "bo", "role": "owner"}));
    bo.client
        .post(&format!("/api/v1/spaces/{}/members", ann.space), json!({"agent": "guest", "role": "editor"}))
        .expect(201);
    let open = guest.send(json!({"content": "for all", "space_id": ann.space}));
    assert_eq!(robot.send(reply(&ann.space, &open, "x"))["delivery"]["recipients"][0]["name"], "guest");
    leave(&ann, &guest);
    assert_eq!(robot.send(reply(&ann.space, &open, "x"))["delivery"]["recipients"], json!([]));
    let boss = operator(&daemon);
    for channel in ["main", "dm:robot"] {
        let asked = boss.send(json!({"content": "well?", "space_id": ann.space, "channel": channel}));
        let told = robot.send(reply(&ann.space, &asked, "well"));
        assert_eq!(told["delivery"]["recipients"][0]["name"], json!(boss.name), "{channel}");
    }
}
