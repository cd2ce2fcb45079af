//! If a program's token lacks a scope word for a tool, an HTTP challenge names the words to ask for. So the program can
//! ask its person again. With a token of another kind the same refusal is a result (MCP contract, section 4).

use serde_json::{Value, json};

use crate::program::{Program, browser, of, parameter};
use crate::support::{Client, Daemon};

const MCP: (&str, &str) = ("resource", "http://localhost/mcp");

fn call(client: &Client, tool: &str, arguments: Value) -> crate::support::Reply {
    let params = json!({"name": tool, "arguments": arguments});
    client
        .with("Host", "localhost")
        .post("/mcp", json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}))
}

/// The access token of a complete login with these scope words.
fn token(program: &Program<'_>, person: &Client, act_as: Value, words: &[&str]) -> String {
    let path = program.ask(&[MCP, ("scope", &words.join(" "))]);
    let code = parameter(&program.allow(person, &path, act_as, words), "code").expect("a code");
    of(&program.show_code(&code, &[MCP]).expect(200).json(), "access_token")
}

#[test]
fn a_tool_beyond_the_words_of_a_click_is_a_challenge_that_names_them() {
    let daemon = Daemon::start();
    let (program, person) = (Program::named(&daemon, "client"), browser(&daemon, &daemon.token));
    let narrow = daemon.client(&token(&program, &person, json!({"user": true}), &["messages:read", "tasks"]));
    assert_eq!(call(&narrow, "messages_list", json!({})).expect(200).json()["result"]["isError"], false);
    let refused = call(&narrow, "messages_send", json!({"content": "x"})).expect(403);
    let error = refused.json();
    assert_eq!((&error["id"], &error["error"]["code"]), (&json!(7), &json!(403)));
    assert_eq!(error["error"]["data"]["error"], "scope_denied");
    let challenge = refused.header("www-authenticate").expect("a challenge");
    assert_eq!(
        challenge,
        "Bearer error=\"insufficient_scope\", scope=\"tasks search messages:read messages:write\", \
         resource_metadata=\"http://localhost/.well-known/oauth-protected-resource/mcp\""
    );
    // The program asks its person for exactly these words.
    let scope = challenge.split(" scope=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("words");
    let words: Vec<&str> = scope.split(' ').collect();
    let wider = daemon.client(&token(&program, &person, json!({"user": true}), &words));
    assert_eq!(call(&wider, "messages_send", json!({"content": "x"})).expect(200).json()["result"]["isError"], false);
    // A refusal stays a result if no word allows the tool, or if the reason is another one.
    let refused = call(&narrow, "user_ask", json!({"question": "x"})).expect(200).json();
    assert_eq!(refused["result"]["isError"], true);
    let refused = call(&narrow, "tasks_get", json!({"task_id": "nothing"})).expect(200).json();
    assert_eq!(refused["result"]["isError"], true);
}

#[test]
fn a_static_token_and_a_host_without_logins_get_a_result() {
    let daemon = Daemon::with(&[], &[("TAOSD_ALLOWED_HOSTS", "box.lan")]);
    daemon.agent("robot");
    let robot = daemon.agent_token("robot", &["messages.list"]);
    let refused = call(&robot, "messages_send", json!({"content": "x"})).expect(200);
    assert!(refused.header("www-authenticate").is_none() && refused.json()["result"]["isError"] == true);
    let (program, person) = (Program::named(&daemon, "client"), browser(&daemon, &daemon.token));
    let narrow = daemon.client(&token(&program, &person, json!({"new_agent": "narrow"}), &["messages:read"]));
    call(&narrow, "messages_send", json!({"content": "x"})).expect(403);
    let params = json!({"name": "messages_send", "arguments": {"content": "x"}});
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
    let refused = narrow.with("Host", "box.lan").post("/mcp", body).expect(200);
    assert!(refused.header("www-authenticate").is_none() && refused.json()["result"]["isError"] == true);
}
