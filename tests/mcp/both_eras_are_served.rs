//! JSON-RPC and the two eras of the protocol (MCP contract, section 3).

use serde_json::{Value, json};

use crate::harness::{Asks, NOW, code, message, modern};
use crate::support::Daemon;

const OURS: [&str; 5] = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

#[test]
fn what_is_no_message_is_refused() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    let send = |body: &str| code(&operator.send("POST", "/mcp", Some(body.as_bytes())));
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    for bad in ["", "{", "nothing", deep.as_str(), r#"{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}"#] {
        assert_eq!(send(bad), (400, -32700), "{bad}");
    }
    for bad in ["[]", "7", r#"{"id":1,"method":"ping"}"#, r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#] {
        assert_eq!(send(bad), (400, -32600), "{bad}");
    }
    let reply = operator.post("/mcp", json!({"id": "a", "method": "ping"}));
    assert_eq!(reply.json()["id"], "a");
}

#[test]
fn a_legacy_client_agrees_on_a_revision_and_needs_no_session() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    for asked in ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "2026-07-28", "1999-01-01"] {
        let agreed = operator.result("initialize", json!({"protocolVersion": asked, "capabilities": {}}));
        let expected = if OURS[1..].contains(&asked) { asked } else { "2025-11-25" };
        assert_eq!(agreed["protocolVersion"], expected);
        assert_eq!(agreed["serverInfo"]["name"], "taosd");
        assert!(agreed["instructions"].as_str().is_some_and(|text| text.len() <= 2048), "{agreed}");
        assert!(agreed["capabilities"]["resources"].get("subscribe").is_none(), "{agreed}");
        assert!(agreed.get("_meta").is_none() && agreed.get("resultType").is_none());
    }
    // The header does not matter for `initialize`.
    operator.with("MCP-Protocol-Version", NOW).result("initialize", json!({"protocolVersion": "2025-06-18"}));
    assert_eq!(operator.result("ping", json!({})), json!({}));
    for version in &OURS[1..] {
        operator.with("MCP-Protocol-Version", version).result("tools/list", json!({}));
    }
    let reply = operator.with("MCP-Protocol-Version", "2030-01-01").ask("tools/list", json!({}));
    assert_eq!(code(&reply), (400, -32022));
    assert_eq!(reply.json()["error"]["data"], json!({"supported": OURS, "requested": "2030-01-01"}));
    for method in ["server/discover", "subscriptions/listen", "logging/setLevel", "nothing"] {
        // A legacy client would take 404 as the end of its session.
        assert_eq!(code(&operator.ask(method, json!({}))), (200, -32601), "{method}");
    }
}

#[test]
fn a_modern_request_says_its_revision_itself() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    let found = operator.result_now("server/discover", json!({}));
    assert_eq!(found["supportedVersions"], json!(OURS));
    assert_eq!(found["resultType"], "complete");
    assert_eq!(found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "taosd");
    assert_eq!((&found["ttlMs"], &found["cacheScope"]), (&json!(300_000), &json!("private")));
    for (method, ttl) in [
        ("tools/list", 300_000),
        ("prompts/list", 300_000),
        ("resources/list", 5_000),
        ("resources/templates/list", 3_600_000),
    ] {
        let list = operator.result_now(method, json!({}));
        assert_eq!((&list["ttlMs"], &list["cacheScope"]), (&json!(ttl), &json!("private")), "{method}");
        let legacy = operator.result(method, json!({}));
        assert!(legacy.get("ttlMs").is_none() && legacy.get("cacheScope").is_none(), "{method}");
    }
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "nothing"] {
        assert_eq!(code(&operator.ask_now(method, json!({"protocolVersion": NOW}))), (404, -32601), "{method}");
    }
}

#[test]
fn the_headers_of_a_modern_request_must_say_what_its_body_says() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    let body = message("tools/call", &modern(json!({"name": "auth_whoami"})));
    let send = |headers: &[(&str, &str)], body: &Value| {
        let client = headers.iter().fold(operator.clone(), |client, (name, value)| client.with(name, value));
        code(&client.post("/mcp", body.clone()))
    };
    let (version, method) = (("MCP-Protocol-Version", NOW), ("Mcp-Method", "tools/call"));
    assert_eq!(send(&[version, method, ("Mcp-Name", "auth_whoami")], &body), (200, 0));
    assert_eq!(send(&[version, method, ("Mcp-Name", "  =?base64?YXV0aF93aG9hbWk=?= ")], &body), (200, 0));
    for bad in [
        &[][..],
        &[version],
        &[version, method],
        &[method, ("Mcp-Name", "auth_whoami")],
        &[version, method, ("Mcp-Name", "auth_whoamI")],
        &[version, ("Mcp-Method", "tools/Call"), ("Mcp-Name", "auth_whoami")],
        &[("MCP-Protocol-Version", "2025-11-25"), method, ("Mcp-Name", "auth_whoami")],
    ] {
        assert_eq!(send(bad, &body), (400, -32020), "{bad:?}");
    }
    let mut other = body.clone();
    other["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2031-01-01");
    let named = [("MCP-Protocol-Version", "2031-01-01"), method, ("Mcp-Name", "auth_whoami")];
    assert_eq!(send(&named, &other), (400, -32022));
    let mut bare = body.clone();
    bare["params"]["_meta"].as_object_mut().unwrap().remove("io.modelcontextprotocol/clientCapabilities");
    assert_eq!(send(&[version, method, ("Mcp-Name", "auth_whoami")], &bare), (400, -32602));
    let none = message("tools/list", &json!({}));
    assert_eq!(send(&[version, ("Mcp-Method", "tools/list")], &none), (400, -32602));
}

#[test]
fn what_a_method_is_asked_for_wrongly_is_an_error_of_its_own() {
    let daemon = Daemon::start();
    let operator = daemon.operator();
    for (method, params) in [
        ("tools/call", json!({"name": "no_such"})),
        ("tools/call", json!({})),
        ("tools/call", json!({"name": "auth_whoami", "arguments": [1]})),
        ("tools/list", json!({"cursor": "x"})),
        ("resources/list", json!({"cursor": "x"})),
        ("resources/list", json!({"cursor": 7})),
        ("resources/read", json!({})),
        ("prompts/get", json!({})),
        ("prompts/get", json!({"name": "no-such"})),
        ("prompts/get", json!({"name": "catch-up", "arguments": {"space_id": 7}})),
    ] {
        assert_eq!(code(&operator.ask(method, params.clone())), (200, -32602), "{method} {params}");
        assert_eq!(code(&operator.ask_now(method, params.clone())), (200, -32602), "{method} {params}");
    }
}
