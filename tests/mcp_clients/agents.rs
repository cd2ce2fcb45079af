//! Claude Code and Codex from npm, unchanged, with the settings of the page: they connect, list the tools and call one.
//! A small program of ours acts as the model that calls the tool.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::{packages, settings, shell, with_robot};
use crate::support::{Client, Daemon, TempDir};

/// A program that acts as a model which sends one message.
pub struct Model {
    process: Child,
    port: u16,
}

impl Model {
    pub fn saying(text: &str) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp_clients/agents/model.mjs");
        let mut node = Command::new("node");
        node.arg(program).arg("messages_send").arg(json!({"content": text}).to_string()).stdout(Stdio::piped());
        let mut process = node.spawn().expect("node");
        let mut port = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut port).expect("its port");
        Self { process, port: port.trim().parse().expect("a port") }
    }

    /// Returns the command that runs Claude Code with this model. It gives the model all tools at once.
    pub fn claude(&self) -> String {
        format!(
            "ANTHROPIC_BASE_URL=http://127.0.0.1:{} ANTHROPIC_API_KEY=none ENABLE_TOOL_SEARCH=false \
             CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 \
             claude -p 'Say hello.' --allowedTools mcp__box__messages_send </dev/null",
            self.port
        )
    }

    /// Returns the command that runs Codex with this model.
    pub fn codex(&self) -> String {
        format!(
            "codex exec --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox -m none -c model_provider=ours \
             -c 'model_providers.ours={{name=\"ours\",base_url=\"http://127.0.0.1:{}/v1\",wire_api=\"responses\"}}' \
             'Say hello.' </dev/null",
            self.port
        )
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the newest message that an agent or its owner sees.
pub fn newest(client: &Client) -> String {
    let said = client.get("/api/v1/messages?limit=1").expect(200).json();
    said["messages"][0]["content"].as_str().unwrap_or("").to_owned()
}

fn url(daemon: &Daemon) -> String {
    format!("http://{}", daemon.address)
}

#[test]
#[ignore = "needs Node, and its package index"]
fn claude_code_connects_lists_and_calls_with_the_settings_of_the_page() {
    let (daemon, robot) = with_robot();
    let (packages, home) = (packages("agents"), TempDir::new());
    shell(&packages, home.path(), robot.token(), &settings("claude-code", &url(&daemon)));
    let listed = shell(&packages, home.path(), robot.token(), "claude mcp list");
    assert!(listed.contains("Connected"), "{listed}");
    let model = Model::saying("from Claude Code");
    shell(&packages, home.path(), robot.token(), &model.claude());
    assert_eq!(newest(&robot), "from Claude Code");
}

#[test]
#[ignore = "needs Node, and its package index"]
fn claude_code_has_a_key_exchanged_each_time_it_connects() {
    let daemon = Daemon::start();
    let made = daemon.operator().post("/api/v1/keys", json!({"name": "claude", "audience": "mcp"})).expect(201).json();
    let key = made["token"].as_str().expect("a key");
    let (packages, home) = (packages("agents"), TempDir::new());
    // Claude Code finds the helper in `PATH` like any other command, and `TAOS_URL` tells the helper where the box is.
    let bin = Path::new(env!("CARGO_BIN_EXE_taosctl")).parent().expect("a folder").display();
    let with_taosctl = format!("export PATH=\"$PATH:{bin}\" TAOS_URL={};", url(&daemon));
    let add = settings("claude-code-key", &url(&daemon));
    shell(&packages, home.path(), key, &format!("{with_taosctl} {add}"));
    let model = Model::saying("from Claude Code with a key");
    shell(&packages, home.path(), key, &format!("{with_taosctl} {}", model.claude()));
    assert_eq!(newest(&daemon.operator()), "from Claude Code with a key");
}

#[test]
#[ignore = "needs Node, and its package index"]
fn codex_connects_lists_and_calls_with_the_settings_of_the_page() {
    let (daemon, robot) = with_robot();
    let (packages, home) = (packages("agents"), TempDir::new());
    shell(&packages, home.path(), robot.token(), &settings("codex", &url(&daemon)));
    let listed = shell(&packages, home.path(), robot.token(), "codex mcp list");
    assert!(listed.contains("Bearer token") && listed.contains("TAOS_TOKEN"), "{listed}");
    let model = Model::saying("from Codex");
    shell(&packages, home.path(), robot.token(), &model.codex());
    assert_eq!(newest(&robot), "from Codex");
}
