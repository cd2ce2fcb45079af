//! Helpers that these tests share: requests of both eras, and the results of tools.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, Reply};

/// The newest revision of the protocol.
pub const NOW: &str = "2026-07-28";

/// The requests of an MCP client.
pub trait Asks {
    /// A request of a legacy client.
    fn ask(&self, method: &str, params: Value) -> Reply;
    /// A request of a modern client, with its headers.
    fn ask_now(&self, method: &str, params: Value) -> Reply;
    /// The result of a legacy request, which must not be refused.
    fn result(&self, method: &str, params: Value) -> Value;
    /// The result of a modern request, which must not be refused.
    fn result_now(&self, method: &str, params: Value) -> Value;
    /// The result of a tool, whatever it says.
    fn tool(&self, name: &str, arguments: Value) -> Value;
    /// The structured result of a tool, which must succeed.
    fn done(&self, name: &str, arguments: Value) -> Value;
    /// The error of a tool, which must refuse.
    fn refused(&self, name: &str, arguments: Value) -> Value;
    /// The names of the tools that are offered.
    fn tools(&self) -> Vec<String>;
}

/// The parameters of a modern request.
pub fn modern(mut params: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(NOW);
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    params
}

pub fn message(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

impl Asks for Client {
    #[track_caller]
    fn ask(&self, method: &str, params: Value) -> Reply {
        self.post("/mcp", message(method, &params))
    }

    #[track_caller]
    fn ask_now(&self, method: &str, params: Value) -> Reply {
        let mut client = self.with("MCP-Protocol-Version", NOW).with("Mcp-Method", method);
        if let Some(name) = params.get("name").or(params.get("uri")).and_then(Value::as_str) {
            client = client.with("Mcp-Name", name);
        }
        client.post("/mcp", message(method, &modern(params)))
    }

    #[track_caller]
    fn result(&self, method: &str, params: Value) -> Value {
        let reply = self.ask(method, params).expect(200).json();
        assert!(reply["result"].is_object(), "{reply}");
        reply["result"].clone()
    }

    #[track_caller]
    fn result_now(&self, method: &str, params: Value) -> Value {
        let reply = self.ask_now(method, params).expect(200).json();
        assert!(reply["result"].is_object(), "{reply}");
        reply["result"].clone()
    }

    #[track_caller]
    fn tool(&self, name: &str, arguments: Value) -> Value {
        self.result("tools/call", json!({"name": name, "arguments": arguments}))
    }

    #[track_caller]
    fn done(&self, name: &str, arguments: Value) -> Value {
        let result = self.tool(name, arguments);
        assert_eq!(result["isError"], false, "{name}: {result}");
        let told: Value = serde_json::from_str(result["content"][0]["text"].as_str().expect("a text")).expect("JSON");
        assert_eq!(told, result["structuredContent"]);
        told
    }

    #[track_caller]
    fn refused(&self, name: &str, arguments: Value) -> Value {
        let result = self.tool(name, arguments);
        assert_eq!((&result["isError"], result.get("structuredContent")), (&json!(true), None), "{name}: {result}");
        let told: Value = serde_json::from_str(result["content"][0]["text"].as_str().expect("a text")).expect("JSON");
        for field in ["error", "detail", "fix", "doc_url"] {
            assert!(told[field].is_string(), "{field} is missing in {told}");
        }
        told
    }

    #[track_caller]
    fn tools(&self) -> Vec<String> {
        let list = self.result("tools/list", json!({}));
        let names = list["tools"].as_array().expect("a list").iter().map(|tool| tool["name"].as_str().expect("a name"));
        names.map(str::to_owned).collect()
    }
}

/// An agent of the operator's, with an agent's default scope.
pub fn agent(daemon: &Daemon, name: &str) -> Client {
    daemon.agent(name);
    let issued = daemon.operator().post(&format!("/api/agents/{name}/token/issue"), json!({})).expect(200).json();
    daemon.client(issued["token"].as_str().expect("a token"))
}

/// The HTTP status, and the code of the JSON-RPC error or 0.
pub fn code(reply: &Reply) -> (u16, i64) {
    (reply.status, reply.json()["error"]["code"].as_i64().unwrap_or(0))
}
