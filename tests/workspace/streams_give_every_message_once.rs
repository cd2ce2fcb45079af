//! The event stream of a space: every message once and in order, over disconnects, gaps and losses.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{AxReply, Daemon, SOON, text};
use crate::workspace::events::{Event, Events};
use crate::workspace::harness::{Actor, agent, contents, let_in, member};

const PATH: &str = "/api/v1/sse/messages";

fn open(daemon: &Daemon, who: &Actor, last: Option<&str>) -> Events {
    let headers: Vec<(&str, &str)> = last.map(|id| ("Last-Event-ID", id)).into_iter().collect();
    let events = Events::open(&daemon.address, who.client.token(), PATH, &headers);
    assert_eq!(events.status, 200, "{}", events.head);
    events
}

fn data(event: &Event) -> Value {
    serde_json::from_str(&event.data).unwrap()
}

fn next(events: &mut Events, name: &str) -> Event {
    std::iter::from_fn(|| events.next()).find(|event| event.event == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn a_client_that_comes_back_misses_nothing() {
    let mut daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let robot = agent(&daemon, &ann, "robot");
    let mut events = open(&daemon, &robot, None);
    let hello = events.next().unwrap();
    assert_eq!((hello.event.as_str(), data(&hello)["space_id"].clone()), ("connected", json!(ann.space)));
    let sent = ann.send(json!({"content": "hello @robot"}));
    assert_eq!(sent["delivery"]["nobody_listening"], json!(false));
    assert_eq!(sent["delivery"]["recipients"][0]["listening"], json!(true));
    let message = events.next().unwrap();
    assert_eq!((message.event.as_str(), data(&message)), ("message", sent["message"].clone()));
    assert_eq!(message.id, format!("{}.1", ann.space));
    let mention = events.next().unwrap();
    assert_eq!((mention.event.as_str(), mention.id.as_str(), mention.data), ("mention", "", message.data.clone()));
    assert_eq!(ann.receipts(&sent["message"]), [("robot".to_owned(), "fetched".to_owned())]);
    drop(events);
    ann.say(&ann.space, "while away");
    let mut events = open(&daemon, &robot, Some(&message.id));
    assert_eq!(data(&next(&mut events, "message"))["content"], json!("while away"));
    ann.say(&ann.space, "live");
    assert_eq!(data(&next(&mut events, "message"))["content"], json!("live"));
    daemon.restart();
    let again = |who: &Actor| Actor { client: daemon.client(who.client.token()), ..who.clone() };
    let (ann, robot) = (again(&ann), again(&robot));
    ann.say(&ann.space, "after the restart");
    let mut events = open(&daemon, &robot, Some(&message.id));
    let seqs: Vec<Value> = (0..3).map(|_| data(&next(&mut events, "message"))["seq"].clone()).collect();
    assert_eq!(seqs, [json!(2), json!(3), json!(4)]);
}

#[test]
fn more_than_can_be_replayed_is_a_gap() {
    let daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0")]);
    let ann = member(&daemon, "ann");
    let robot = agent(&daemon, &ann, "robot");
    for n in 1..=510 {
        ann.say(&ann.space, &format!("m{n}"));
    }
    let mut events = open(&daemon, &robot, Some(&format!("{}.3", ann.space)));
    assert_eq!(events.next().unwrap().event, "connected");
    let gap = events.next().unwrap();
    assert_eq!((gap.event.as_str(), data(&gap)), ("gap", json!({"after_seq": 3, "next_seq": 11})));
    let seqs: Vec<Value> = (0..500).map(|_| data(&next(&mut events, "message"))["seq"].clone()).collect();
    assert_eq!((seqs[0].clone(), seqs[499].clone()), (json!(11), json!(510)));
    // The list has the messages of the gap.
    assert_eq!(contents(&robot.list("after_seq=3&limit=7")).last().unwrap(), "m10");
    let mut events = open(&daemon, &robot, Some(&format!("{}.10", ann.space)));
    assert_eq!(next(&mut events, "message").id, format!("{}.11", ann.space), "exactly 500 are no gap");
}

#[test]
fn hostile_places_are_refused() {
    let daemon = Daemon::start();
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    ann.say(&ann.space, "x");
    bob.say(&bob.space, "y");
    let of_bob = format!("{}.1", bob.space);
    let of_nobody = "00000000-0000-7000-8000-000000000000.1";
    for bad in [
        of_bob.as_str(),
        of_nobody,
        "1",
        "",
        ".",
        "x.1",
        &format!("{}.-1", ann.space),
        &format!("{}.1e9", ann.space),
        &format!("{}.99999999999999999999", ann.space),
        &"9".repeat(5000),
    ] {
        let reply = ann.client.with("Last-Event-ID", bad).get(PATH);
        reply.expect_ax(422, "invalid_request");
    }
    let refused = |id: &str| ann.client.with("Last-Event-ID", id).get(PATH).body;
    assert_eq!(refused(&of_bob), refused(of_nobody), "nothing tells whether the other space exists");
    for query in
        ["after_seq=-1", "after_seq=x", "after_seq=99999999999999999999", "before_seq=0", "limit=501", "wait=61"]
    {
        ann.client.get(&format!("/api/v1/messages?{query}")).expect_ax(422, "invalid_request");
    }
    ann.client.get("/api/v1/messages?after_seq=1&before_seq=2").expect_ax(422, "invalid_request");
    // A position beyond the last message: the stream starts after the last message.
    let mut events = open(&daemon, &ann, Some(&format!("{}.1000", ann.space)));
    assert_eq!(data(&events.next().unwrap())["after_seq"], json!(1));
    ann.client.get(&format!("{PATH}?space_id={}", bob.space)).expect_ax(404, "space_not_found");
}

#[test]
fn a_token_in_the_query_opens_this_route_alone_and_is_not_logged() {
    let daemon = Daemon::with(&[], &[("RUST_LOG", "debug")]);
    let ann = member(&daemon, "ann");
    let key = ann.client.post("/api/v1/keys", json!({"name": "k"})).expect(201).json();
    let exchanged =
        daemon.client(&text(&key, "token")).post("/auth/exchange", json!({"requested_ttl": 8})).expect(200).json();
    let jwt = text(&exchanged, "access_token");
    let anonymous = daemon.anonymous();
    assert_eq!(anonymous.get(&format!("{PATH}?token={jwt}")).status, 200);
    anonymous.get(&format!("{PATH}?token={}", ann.client.token())).expect_ax(401, "invalid_token");
    anonymous.get(&format!("{PATH}?token={}", text(&key, "token"))).expect_ax(401, "invalid_token");
    anonymous.get(&format!("{PATH}?token=")).expect_ax(401, "invalid_token");
    anonymous.get(PATH).expect_ax(401, "not_authenticated");
    anonymous.get(&format!("/api/v1/messages?token={jwt}")).expect_ax(401, "not_authenticated");
    // The token in the header takes precedence.
    daemon.client("taos_user_x").get(&format!("{PATH}?token={jwt}")).expect_ax(401, "invalid_token");
    let mut events = Events::open(&daemon.address, &jwt, PATH, &[]);
    let took = events.until_end();
    assert!(took < Duration::from_secs(12), "it ends with its token: {took:?}");
    let log = daemon.log_text();
    assert!(log.contains(PATH) && !log.contains(&jwt[..40]) && !log.contains("token="), "no token in the log");
}

#[test]
fn a_stream_ends_with_its_credential_or_its_space() {
    let daemon = Daemon::start();
    let (ann, bob) = (member(&daemon, "ann"), member(&daemon, "bob"));
    let robot = agent(&daemon, &ann, "robot");
    let_in(&ann, json!({"username": "bob", "role": "viewer"}));
    let path = format!("{PATH}?space_id={}", ann.space);
    let mut of_bob = Events::open(&daemon.address, bob.client.token(), &path, &[]);
    let mut of_robot = Events::open(&daemon.address, robot.client.token(), &path, &[]);
    assert_eq!(
        (of_bob.next().unwrap().event, of_robot.next().unwrap().event),
        ("connected".into(), "connected".into())
    );
    ann.client.delete(&format!("/api/v1/spaces/{}/members/{}", ann.space, bob.id)).expect(204);
    let lost = Instant::now();
    ann.say(&ann.space, "not for bob");
    assert_eq!(of_bob.next(), None, "nothing written after that moment is told");
    assert!(lost.elapsed() < SOON);
    assert_eq!(next(&mut of_robot, "message").id, format!("{}.1", ann.space));
    ann.client.delete("/api/agents/robot/token").expect(204);
    assert!(of_robot.until_end() < SOON);
}

#[test]
fn a_list_waits_for_what_comes() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let robot = agent(&daemon, &ann, "robot");
    ann.say(&ann.space, "before");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| robot.list("wait=20&addressed=true"));
        let end = Instant::now() + Duration::from_secs(10);
        // An agent that waits counts as listening. The messages are sent until the wait has begun or has ended.
        loop {
            let sent = ann.send(json!({"content": "@robot", "channel": "probe"}));
            if sent["delivery"]["recipients"][0]["listening"] == json!(true) || waiting.is_finished() {
                break;
            }
            assert!(Instant::now() < end, "it never listens");
        }
        let list = waiting.join().unwrap();
        assert_eq!(list["messages"][0]["content"], json!("@robot"));
    });
    let start = Instant::now();
    let last = robot.list("limit=1")["last_seq"].clone();
    assert_eq!(robot.list(&format!("wait=1&after_seq={last}"))["count"], json!(0));
    assert!(start.elapsed() >= Duration::from_secs(1));
    let start = Instant::now();
    assert_eq!(robot.list("wait=20&unread_only=true&mark_read=true&limit=1")["marked_read_count"], json!(1));
    assert!(start.elapsed() < Duration::from_secs(10), "what is unread already is not waited for");
}

#[test]
fn what_an_agent_works_on_is_told_and_not_kept() {
    let daemon = Daemon::start();
    let ann = member(&daemon, "ann");
    let robot = agent(&daemon, &ann, "robot");
    let robot = Actor { client: daemon.agent_token("robot", &["agents.processing", "events.read"]), ..robot };
    let message = ann.say(&ann.space, "@robot work");
    let mut events = open(&daemon, &ann, None);
    assert_eq!(events.next().unwrap().event, "connected");
    let status =
        json!({"message_id": message["id"], "status": "thinking", "progress": {"done": 1}, "agent_name": "forged"});
    assert_eq!(robot.client.post("/api/v1/agents/processing-status", status).expect(202).json(), json!({"ok": true}));
    let told = events.next().unwrap();
    let wanted = json!({"message_id": message["id"], "status": "thinking", "progress": {"done": 1},
        "agent_id": robot.id, "agent_name": "robot"});
    assert_eq!((told.event.as_str(), data(&told)), ("agent_processing", wanted));
    ann.client.post("/api/v1/agents/processing-status", json!({"message_id": "x", "status": "x"})).expect(403);
    let large = json!({"message_id": "x", "status": "x", "detail": {"x": "y".repeat(9000)}});
    robot.client.post("/api/v1/agents/processing-status", large).expect_ax(422, "invalid_request");
    robot.client.post("/api/v1/tool-calls", json!({"tool_name": "grep", "tool_call_id": "1"})).expect(202);
    let state = ann.client.get("/api/v1/agents/robot/state").expect(200).json();
    assert_eq!(state["agent_state"]["expected_response"], json!("unknown"));
    let _ear = open(&daemon, &robot, None);
    let state = ann.client.get("/api/v1/agents/robot/state").expect(200).json();
    assert_eq!(state["agent_state"]["expected_response"], json!("immediate"));
}
