//! `user_ask` with `via: client`: the call returns a form and the client's user fills it in. The answer is stored as
//! the client's, never as the owner's (MCP contract, section 4).

use serde_json::{Value, json};

use crate::harness::{NOW, agent, code, message, modern};
use crate::support::{Client, Daemon, Reply};

/// A call of `user_ask` by a client with these capabilities. `more` adds parameters beside the arguments.
fn call(client: &Client, can: Value, arguments: &Value, more: &Value) -> Reply {
    let mut params = modern(json!({"name": "user_ask", "arguments": arguments}));
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = can;
    for (name, value) in more.as_object().into_iter().flatten() {
        params[name] = value.clone();
    }
    let client = client.with("MCP-Protocol-Version", NOW).with("Mcp-Method", "tools/call").with("Mcp-Name", "user_ask");
    client.post("/mcp", message("tools/call", &params))
}

fn forms() -> Value {
    json!({"elicitation": {"form": {}}})
}

#[track_caller]
fn asked(client: &Client, arguments: &Value, more: &Value) -> Value {
    call(client, forms(), arguments, more).expect(200).json()["result"].clone()
}

/// The parameters that a client sends when its user has filled in the form of this result.
fn filled(form: &Value, response: &Value) -> Value {
    json!({"requestState": form["requestState"], "inputResponses": {"answer": response}})
}

fn accepted(answer: &str) -> Value {
    json!({"action": "accept", "content": {"answer": answer}})
}

#[test]
fn a_form_is_shown_and_its_answer_is_the_clients() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    let question = json!({"question": "Which branch?", "options": ["main", "release"], "via": "client"});
    let form = asked(&robot, &question, &json!({}));
    assert_eq!(form["resultType"], "input_required", "{form}");
    let request = &form["inputRequests"]["answer"];
    assert_eq!((&request["method"], &request["params"]["mode"]), (&json!("elicitation/create"), &json!("form")));
    assert_eq!(request["params"]["message"], "Which branch?");
    let field = &request["params"]["requestedSchema"]["properties"]["answer"];
    assert_eq!(field["enum"], json!(["main", "release"]));
    // Until the user answers, nothing is stored, and nobody else is asked.
    assert_eq!(daemon.number("SELECT count(*) FROM requests", []), 0);
    // Only what the form offers is an answer.
    for odd in ["production", "2", "main release", ""] {
        assert_eq!(asked(&robot, &question, &filled(&form, &accepted(odd)))["resultType"], "input_required", "{odd}");
    }
    // `answered_by` is `client` for such an answer, so no user may have that name.
    daemon.operator().post("/api/users", json!({"username": "client"})).expect_error(422, "validation_error");
    let told = asked(&robot, &question, &filled(&form, &accepted("Release")));
    assert_eq!((&told["resultType"], &told["isError"]), (&json!("complete"), &json!(false)), "{told}");
    let told = &told["structuredContent"];
    assert_eq!((&told["status"], &told["answer"], &told["option"]), (&json!("answered"), &json!("release"), &json!(1)));
    assert_eq!(told["answered_by"], "client");
    let id = told["question_id"].as_str().expect("an id");
    let again = robot.get(&format!("/api/ui/ask/{id}")).expect(200).json();
    assert_eq!((&again["answered_by"], &again["answer"]), (&json!("client"), &json!("release")));
    let seen = daemon.operator().get(&format!("/api/requests/{id}")).expect(200).json();
    assert_eq!((&seen["state"], &seen["decided_by"]), (&json!("approved"), &json!("client")));
    assert_eq!(daemon.number("SELECT count(*) FROM requests WHERE decider_id IS NOT NULL", []), 0);
    assert_eq!(daemon.number("SELECT count(*) FROM messages", []), 0, "the owner gets no message");
    assert_eq!(daemon.number("SELECT count(*) FROM notifications", []), 0, "the owner gets no notification");
}

#[test]
fn who_declines_has_answered_nothing_and_what_is_no_answer_is_asked_for_again() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    let question = json!({"question": "How many?", "via": "client", "idempotency_key": "how-many"});
    let form = asked(&robot, &question, &json!({}));
    let field = &form["inputRequests"]["answer"]["params"]["requestedSchema"]["properties"]["answer"];
    assert_eq!((&field["type"], &field["maxLength"]), (&json!("string"), &json!(4096)));
    for odd in
        [json!({}), json!({"action": "accept"}), accepted(" "), accepted(&"x".repeat(4097)), json!({"action": "maybe"})]
    {
        assert_eq!(asked(&robot, &question, &filled(&form, &odd))["resultType"], "input_required", "{odd}");
    }
    let other = json!({"requestState": form["requestState"], "inputResponses": {"other": accepted("3")}});
    assert_eq!(asked(&robot, &question, &other)["resultType"], "input_required");
    let told = asked(&robot, &question, &filled(&form, &json!({"action": "decline"})));
    assert_eq!(told["structuredContent"]["status"], "withdrawn", "{told}");
    assert!(told["structuredContent"].get("answered_by").is_none(), "{told}");
    // A repeat with the same key gets the first result and is not done again.
    let again = asked(&robot, &question, &filled(&form, &json!({"action": "decline"})));
    assert_eq!(again["structuredContent"], told["structuredContent"]);
    assert_eq!(daemon.number("SELECT count(*) FROM requests", []), 1);
}

#[test]
fn a_state_counts_for_its_caller_and_its_call_alone() {
    let daemon = Daemon::start();
    let (robot, other) = (agent(&daemon, "robot"), agent(&daemon, "other"));
    let question = json!({"question": "How many?", "via": "client"});
    let form = asked(&robot, &question, &json!({}));
    let good = filled(&form, &accepted("3"));
    assert_eq!(code(&call(&other, forms(), &question, &good)), (200, -32602), "another caller");
    let changed = json!({"question": "Delete all?", "via": "client"});
    assert_eq!(code(&call(&robot, forms(), &changed, &good)), (200, -32602), "another question");
    let state = form["requestState"].as_str().unwrap();
    for bad in [json!(""), json!("x"), json!(7), json!(format!("B{}", &state[1..])), json!(&state[..state.len() - 4])] {
        let tampered = json!({"requestState": bad, "inputResponses": {"answer": accepted("3")}});
        assert_eq!(code(&call(&robot, forms(), &question, &tampered)), (200, -32602), "{bad}");
    }
    // An answer without a state does not count: the form is shown again.
    let bare = json!({"inputResponses": {"answer": accepted("3")}});
    assert_eq!(asked(&robot, &question, &bare)["resultType"], "input_required");
    assert_eq!(daemon.number("SELECT count(*) FROM requests", []), 0);
}

#[test]
fn a_client_without_forms_is_told_so() {
    let daemon = Daemon::start();
    let robot = agent(&daemon, "robot");
    let question = json!({"question": "How many?", "via": "client"});
    for can in [json!({}), json!({"elicitation": {"url": {}}}), json!({"sampling": {}})] {
        let told = call(&robot, can, &question, &json!({})).expect(200).json()["result"].clone();
        assert_eq!(told["isError"], true, "{told}");
        assert!(told["content"][0]["text"].as_str().unwrap().contains("elicitation.form"), "{told}");
    }
    // A client that names no mode supports forms.
    let shown = call(&robot, json!({"elicitation": {}}), &question, &json!({})).expect(200).json();
    assert_eq!(shown["result"]["resultType"], "input_required");
    // A wrong question is refused before anybody is asked.
    let wrong = asked(&robot, &json!({"question": "", "via": "client"}), &json!({}));
    assert_eq!(wrong["isError"], true, "{wrong}");
    // The tool has no argument for the answer, which comes only from the form.
    let sly = json!({"question": "How many?", "client_answer": "3"});
    assert_eq!(asked(&robot, &sly, &json!({}))["isError"], true);
    // A user's credential may not ask either, because it has no owner to ask.
    let form = asked(&daemon.operator(), &question, &json!({}));
    let told = asked(&daemon.operator(), &question, &filled(&form, &accepted("3")));
    assert!(told["content"][0]["text"].as_str().unwrap().contains("agent_required"), "{told}");
}
