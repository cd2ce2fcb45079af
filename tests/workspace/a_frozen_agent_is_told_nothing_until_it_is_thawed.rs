//! A frozen agent gets no message, by whatever call it waits. The receipts stay queued, and the sender sees that. After
//! the thaw the agent gets every message.

use serde_json::json;

use super::harness::{agent, contents, member};
use crate::support::{AxReply, Daemon, text};

#[test]
fn what_it_is_sent_stays_queued_and_arrives_after_the_thaw() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let robot = agent(&daemon, &ann, "robot");
    let freeze = |verb: &str| ann.client.post(&format!("/api/agents/robot/{verb}"), json!({"reason": "x"})).expect(200);
    let before = ann.say(&ann.space, "@robot before");
    assert_eq!(contents(&robot.list("after_seq=0")), ["@robot before"]);

    let seq = before["seq"].as_i64().unwrap();
    let (waiting, path) = (robot.client.clone(), format!("/api/v1/messages?after_seq={seq}&wait=30"));
    let waiting = std::thread::spawn(move || waiting.get(&path));
    // Once it is listed as online, it waits.
    let listens = || ann.client.get(&format!("/api/v1/agents/{}/presence", robot.id)).expect(200).json();
    while listens()["presence"] != json!("online") {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    freeze("freeze");
    let sent = ann.send(json!({"content": "@robot while frozen", "space_id": ann.space}));
    let told = &sent["delivery"]["recipients"][0];
    assert_eq!((text(told, "state"), &told["listening"]), ("queued".to_owned(), &json!(false)), "{sent}");
    assert_eq!(sent["delivery"]["nobody_listening"], json!(true), "{sent}");
    let answer = waiting.join().expect("an answer");
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert!(!answer.text().contains("while frozen"));
    robot.client.get("/api/v1/messages").expect_ax(401, "agent_frozen");
    let of = |message| ann.receipts(message).into_iter().map(|(_, state)| state).collect::<Vec<_>>();
    assert_eq!((of(&before), of(&sent["message"])), (vec!["fetched".to_owned()], vec!["queued".to_owned()]));

    freeze("thaw");
    assert_eq!(of(&sent["message"]), ["queued"], "a thaw alone fetches nothing");
    assert_eq!(contents(&robot.list(&format!("after_seq={seq}"))), ["@robot while frozen"]);
    assert_eq!(of(&sent["message"]), ["fetched"]);
}
