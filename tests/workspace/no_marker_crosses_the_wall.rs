//! Walls: two spaces full of markers. Each side calls every route of the table with the other's ids and names, and
//! searches for its marker. No reply contains a marker of the other side. What is refused looks as if it did not exist.

use serde_json::{Map, Value, json};
use taosd::api::{ApiRoute, routes};
use taosd::rest::route::BodyKind;

use crate::support::{Daemon, text};
use crate::workspace::events::Events;
use crate::workspace::harness::{Actor, agent, let_in, member};

/// An owner, whose spaces are full of markers that must not be seen from outside, and the ids of everything there.
struct Side {
    owner: Actor,
    robot: Actor,
    marker: &'static str,
    /// The ids and names to put into a path or a body.
    names: Vec<String>,
}

fn side(daemon: &Daemon, name: &str, marker: &'static str) -> Side {
    let owner = member(daemon, name);
    let robot = agent(daemon, &owner, &format!("{marker}-robot"));
    let space =
        owner.client.post("/api/spaces/create", json!({"name": marker, "description": marker})).expect(201).json();
    let workshop = text(&space["space"], "id");
    let mut names = vec![owner.space.clone(), workshop.clone(), robot.id.clone()];
    for place in [&owner.space, &workshop] {
        let channel = format!("{marker}-channel");
        let body = json!({"content": format!("{marker} @{marker}-robot"), "space_id": place, "channel": channel,
            "metadata": {"m": marker}, "client_id": format!("{marker}-{place}")});
        let message = owner.send(body)["message"].clone();
        let reply = owner.send(json!({"content": marker, "space_id": place, "parent_id": message["id"]}));
        names.extend([text(&message, "id"), text(&reply["message"], "id")]);
        let task = json!({"title": marker, "space_id": place, "description": marker});
        names.push(text(&owner.client.post("/api/v1/tasks", task).expect(201).json(), "id"));
        let context = json!({"key": format!("{marker}-key"), "value": marker, "space_id": place});
        owner.client.post("/api/v1/context", context).expect(200);
    }
    let direct = owner.send(json!({"content": marker, "channel": format!("dm:{marker}-robot")}));
    names.push(text(&direct["message"], "id"));
    names.push(format!("{marker}-key"));
    names.push(format!("{marker}-robot"));
    Side { owner, robot, marker, names }
}

/// A field's value that names something of the other side, or at least is valid.
fn filled(name: &str, foreign: &str) -> Option<Value> {
    Some(match name {
        "space_id" | "parent_id" | "assignee_id" | "agent_id" | "agent" | "message_id" | "after" | "id" => {
            json!(foreign)
        }
        "key" => json!(foreign),
        // A text that the caller writes itself must not look like a leak.
        "content" | "title" | "body" | "value" | "query" | "status" | "emoji" | "artifact_type" | "name" => {
            json!("plain")
        }
        "resource" => json!(format!("space:{foreign}")),
        "principal" => json!(format!("agent:{foreign}")),
        "channel" => json!(format!("dm:{foreign}")),
        "role" => json!("viewer"),
        "prefix" => json!(""),
        "limit" => json!(100),
        "depends_on" => json!([foreign]),
        _ => return None,
    })
}

/// Sends every request of the table with the name of this thing of the other side. Returns the replies.
fn ask_everything(caller: &Actor, foreign: &str) -> Vec<(String, u16, String)> {
    let mut answers = Vec::new();
    for route in routes().iter().flat_map(|table| table.iter()) {
        let left_out = ["messages_stream", "notifications_stream", "docs_get", "knowledge_put"];
        let ends_something =
            route.id.starts_with("users_") || route.id.starts_with("sessions_") || route.id.starts_with("keys_");
        if left_out.contains(&route.id) || ends_something || route.path.starts_with("/auth") {
            continue;
        }
        let path: Vec<String> = route
            .path
            .split('/')
            .map(|segment| if segment.starts_with('{') { foreign.to_owned() } else { segment.to_owned() })
            .collect();
        let query: Vec<String> = route
            .query
            .iter()
            .filter_map(|field| Some((field.name, filled(field.name, foreign)?)))
            .map(|(name, value)| format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        let target = format!("{}?{}", path.join("/"), query.join("&"));
        let body = match route.body {
            BodyKind::Json(fields) => {
                let filled =
                    |field: &taosd::rest::field::Field| Some((field.name.to_owned(), filled(field.name, foreign)?));
                Some(Value::Object(fields.iter().filter_map(filled).collect()))
            }
            _ => None,
        };
        let reply = caller.client.try_send(
            route.method.as_str(),
            target.trim_end_matches('?'),
            body.as_ref().map(|body| body.to_string().into_bytes()).as_deref(),
        );
        let Ok(reply) = reply else { continue };
        answers.push((format!("{} {target}", route.method), reply.status, reply.text()));
        answers.extend(ask_tool(caller, route, foreign));
    }
    answers
}

/// The same request as a tool of the Model Context Protocol, if the route is a tool.
fn ask_tool(caller: &Actor, route: &ApiRoute, foreign: &str) -> Option<(String, u16, String)> {
    let tool = route.tool?;
    let mut arguments = Map::new();
    for field in tool.path {
        arguments.insert(field.name.to_owned(), json!(foreign));
    }
    let body = match route.body {
        BodyKind::Json(fields) => fields,
        _ => &[],
    };
    let taken = route.query.iter().chain(body).filter(|field| !tool.omits.contains(&field.name));
    arguments.extend(taken.filter_map(|field| Some((field.name.to_owned(), filled(field.name, foreign)?))));
    let params = json!({"name": tool.name, "arguments": arguments});
    let reply =
        caller.client.post("/mcp", json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}));
    assert!(reply.json().get("result").is_some(), "{} is a tool: {}", tool.name, reply.text());
    Some((format!("tool {} {params}", tool.name), reply.status, reply.text()))
}

#[test]
fn nothing_of_one_space_is_in_any_answer_to_another() {
    let daemon = Daemon::with(&[], &[("TAOSD_REQUESTS_PER_MINUTE", "0"), ("TAOSD_FAILED_LOGINS_PER_MINUTE", "0")]);
    let (ann, bob) = (side(&daemon, "ann", "zanzibar"), side(&daemon, "bob", "quetzal"));
    let stream = |who: &Actor| Events::open(&daemon.address, who.client.token(), "/api/v1/sse/messages", &[]);
    let (mut of_ann, mut of_robot) = (stream(&ann.owner), stream(&ann.robot));
    for caller in [&ann.owner, &ann.robot] {
        // A reply may repeat a name that the caller sent. So each request names one thing, and that name is no leak.
        for foreign in &bob.names {
            for (request, status, answer) in ask_everything(caller, foreign) {
                let leaked = answer.replace(foreign.as_str(), "").contains(bob.marker);
                assert!(!leaked, "{} {request} -> {status}: {answer}", caller.name);
            }
        }
        for query in ["", "limit=500", "addressed=true", "unread_only=true", "after_seq=0"] {
            assert!(!caller.list(query).to_string().contains(bob.marker), "{query}");
        }
        let query = json!({"query": bob.marker, "limit": 100});
        let found = caller.client.post("/api/v1/search/messages", query).expect(200).json();
        let own: Vec<_> =
            found["results"].as_array().unwrap().iter().filter(|one| one["author"]["name"] == "bob").collect();
        assert!(own.is_empty(), "{own:?}");
    }
    bob.owner.say(&bob.owner.space, bob.marker);
    bob.robot.say(&bob.owner.space, &format!("@ann @{}-robot {}", ann.marker, bob.marker));
    ann.owner.say(&ann.owner.space, "the end of it");
    for events in [&mut of_ann, &mut of_robot] {
        let told: Vec<_> =
            std::iter::from_fn(|| events.next()).take_while(|one| !one.data.contains("the end of it")).collect();
        let of_bob = told.iter().filter(|one| one.data.contains("\"bob\"") || one.data.contains(&bob.owner.space));
        assert_eq!(of_bob.count(), 0, "{told:?}");
    }
}

#[test]
fn a_foreign_thing_and_a_thing_that_never_was_look_the_same() {
    let daemon = Daemon::start();
    let (ann, bob) = (side(&daemon, "ann", "zanzibar"), side(&daemon, "bob", "quetzal"));
    let never = "01890000-0000-7000-8000-000000000000";
    let of = |path: &str, foreign: &str| -> (Vec<u8>, Vec<u8>) {
        let answer = |id: &str| ann.owner.client.get(&path.replace("ID", id)).body;
        (answer(foreign), answer(never))
    };
    let message = text(&bob.owner.list("")["messages"][0], "id");
    for path in [
        "/api/v1/spaces/ID",
        "/api/v1/spaces/ID/members",
        "/api/v1/spaces/ID/usage",
        "/api/v1/messages?space_id=ID",
        "/api/v1/tasks?space_id=ID",
        "/api/v1/context?space_id=ID",
        "/api/v1/agents?space_id=ID",
        "/api/v1/sse/messages?space_id=ID",
    ] {
        let (foreign, unknown) = of(path, &bob.owner.space);
        assert_eq!(foreign, unknown, "{path}");
    }
    for path in ["/api/v1/messages/ID", "/api/v1/messages/ID/replies", "/api/v1/messages/ID/receipts"] {
        let (foreign, unknown) = of(path, &message);
        assert_eq!(foreign, unknown, "{path}");
    }
    let write = |path: &str, body: Value| ann.owner.client.post(path, body).expect(403).body;
    for (path, field) in [("/api/v1/messages", "content"), ("/api/v1/tasks", "title")] {
        let body = |space: &str| json!({field: "x", "space_id": space});
        assert_eq!(write(path, body(&bob.owner.space)), write(path, body(never)), "{path}");
    }
}

#[test]
fn who_joins_sees_and_who_leaves_sees_no_more() {
    let daemon = Daemon::start();
    let (ann, bob) = (side(&daemon, "ann", "zanzibar"), side(&daemon, "bob", "quetzal"));
    let space = format!("space_id={}", bob.owner.space);
    let sees = |who: &Actor| {
        let list = who.client.get(&format!("/api/v1/messages?{space}"));
        let found = who.client.post("/api/v1/search/messages", json!({"query": "quetzal"})).expect(200).json();
        (list.status, found["count"] != json!(0))
    };
    assert_eq!(sees(&ann.owner), (404, false));
    let_in(&bob.owner, json!({"username": "ann", "role": "viewer"}));
    assert_eq!(sees(&ann.owner), (200, true));
    assert_eq!(sees(&ann.robot), (404, false), "an agent is where it lives and where it was let in");
    let members = format!("/api/v1/spaces/{}/members/{}", bob.owner.space, ann.owner.id);
    ann.owner.client.delete(&members).expect(204);
    assert_eq!(sees(&ann.owner), (404, false));
}
