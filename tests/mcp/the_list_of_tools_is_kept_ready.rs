//! The list of tools is made once for all callers that may use the same tools, and sent compressed to clients that
//! accept it. It never contains a tool that its caller may not use (MCP contract, section 4).

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::harness::{Asks, NOW, agent, message, modern};
use crate::support::{Client, Daemon, Reply};

/// Sends a request. The reply need not be plain JSON.
fn send(client: &Client, message: &Value) -> Reply {
    client.try_send("POST", "/mcp", Some(message.to_string().as_bytes())).expect("a reply").expect(200)
}

fn unzipped(reply: &Reply) -> Vec<u8> {
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    let mut text = Vec::new();
    GzDecoder::new(&reply.body[..]).read_to_end(&mut text).expect("one gzip file");
    text
}

#[test]
fn who_takes_gzip_gets_the_same_list_in_an_eighth_of_the_bytes() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    let zipping = robot.with("Accept-Encoding", "gzip, deflate");
    for id in [json!(1), json!(-7), json!("x"), json!("\u{fc} \"}{\u{1}".repeat(30))] {
        let ask = |client: &Client| {
            let mut legacy = message("tools/list", &json!({}));
            legacy["id"] = id.clone();
            let mut now = message("tools/list", &modern(json!({})));
            now["id"] = id.clone();
            let modern = client.with("MCP-Protocol-Version", NOW).with("Mcp-Method", "tools/list");
            [send(client, &legacy), send(&modern, &now)]
        };
        for (plain, zipped) in ask(&robot).iter().zip(&ask(&zipping)) {
            assert_eq!(plain.header("content-encoding"), None);
            assert_eq!(
                (plain.header("vary"), zipped.header("vary")),
                (Some("Accept-Encoding"), Some("Accept-Encoding"))
            );
            assert_eq!(zipped.header("cache-control"), Some("no-store"));
            assert_eq!(unzipped(zipped), plain.body);
            assert_eq!(plain.json()["id"], id);
            assert!(zipped.body.len() < plain.body.len() / 8 + id.to_string().len(), "{}", zipped.body.len());
        }
    }
    let refused = robot.with("Accept-Encoding", "gzip;q=0").ask("tools/list", json!({}));
    assert_eq!(refused.header("content-encoding"), None);
}

/// The names in a list.
fn names(list: &[u8]) -> Vec<String> {
    let list: Value = serde_json::from_slice(list).expect("JSON");
    let tools = list["result"]["tools"].as_array().expect("a list").iter();
    tools.map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn each_scope_has_its_own_list_whoever_asked_before() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    daemon.agent("robot");
    let every = operator.tools();
    let scopes = [
        "agents.list",
        "agents.read",
        "spaces.list",
        "tasks.list",
        "tasks.read",
        "messages.list",
        "messages.read",
        "context.list",
        "context.read",
        "ui.notify",
    ];
    // More sets of tools than the daemon keeps ready, each requested twice.
    for scope in scopes.iter().chain(&scopes) {
        let robot = daemon.agent_token("robot", &[scope]);
        let plain = names(&robot.ask("tools/list", json!({})).body);
        let zipped = unzipped(&send(&robot.with("Accept-Encoding", "gzip"), &message("tools/list", &json!({}))));
        assert_eq!(plain, names(&zipped));
        assert!(plain.len() >= 2 && plain.len() < every.len() / 2, "{scope}: {plain:?}");
        for name in &every {
            let told = robot.tool(name, json!({"no": 1}));
            assert_eq!(plain.contains(name), !told.to_string().contains("scope_denied"), "{scope}: {name}: {told}");
        }
        assert_eq!(operator.tools(), every);
    }
}
