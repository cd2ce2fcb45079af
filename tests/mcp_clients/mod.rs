//! Published MCP clients, unchanged, against the real daemon: both generations of both SDKs, the Inspector, Claude Code
//! and Codex, each with the settings that `taosctl mcp config` prints and the page `recipes/mcp` shows; and the
//! official conformance suite.
//!
//! Needs Python 3 with `venv`, Node with `npm`, and the package indexes.

mod agents;
mod door;
mod fixture;
mod logins;
mod rounds;
mod stand;
mod suite;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Client, Daemon, TempDir, python};
use serde_json::json;

const CLIENTS: &[&str] =
    &["claude-code", "claude-code-key", "codex", "vscode", "cursor", "inspector", "python", "typescript"];

/// Returns a daemon with an agent, and the client of that agent.
fn with_robot() -> (Daemon, Client) {
    let daemon = Daemon::start();
    daemon.agent("robot");
    let issued = daemon.operator().post("/api/agents/robot/token/issue", json!({})).expect(200).json();
    let robot = daemon.client(issued["token"].as_str().expect("a token"));
    (daemon, robot)
}

fn run(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{command:?}\n{text}\n{}", String::from_utf8_lossy(&done.stderr));
    text
}

/// Returns the settings of a client for the daemon at this URL.
fn settings(client: &str, url: &str) -> String {
    let home = TempDir::new();
    let mut taosctl = Command::new(env!("CARGO_BIN_EXE_taosctl"));
    taosctl.env_clear().env("HOME", home.path()).env("TAOS_URL", url);
    run(taosctl.args(["mcp", "config", client]))
}

/// Returns the folder with the packages of a list. They are installed once for each list.
fn packages(folder: &str) -> PathBuf {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp_clients").join(folder).join("package.json");
    python::installed(&format!("mcp-{folder}"), &list, |dir| {
        std::fs::create_dir_all(dir).expect("a folder");
        std::fs::copy(&list, dir.join("package.json")).expect("a copy");
        let mut npm = Command::new("npm");
        npm.current_dir(dir).args(["install", "--silent", "--no-package-lock", "--no-audit", "--no-fund"]);
        run(&mut npm);
    })
}

/// Runs a shell line with the commands of these packages, and with `home` as the home directory.
fn shell(packages: &Path, home: &Path, token: &str, line: &str) -> String {
    run(command(packages, home, token).args(["-c", line]))
}

/// Returns the shell that [`shell`] uses.
fn command(packages: &Path, home: &Path, token: &str) -> Command {
    let path = format!("{}:{}", packages.join("node_modules/.bin").display(), std::env::var("PATH").expect("PATH"));
    let mut shell = Command::new("sh");
    shell.env("PATH", path).env("HOME", home).env("TAOS_TOKEN", token).current_dir(home);
    shell
}

#[test]
fn the_page_shows_the_settings_that_taosctl_prints() {
    let page = include_str!("../../docs/agents/recipes/mcp.md");
    for client in CLIENTS {
        let settings = settings(client, "http://127.0.0.1:6969");
        assert!(page.contains(&format!("\n{settings}```")), "{client}: the page lacks\n{settings}");
    }
    // If only the socket is known, the settings contain the address inside containers.
    assert_eq!(settings("codex", "unix:/run/taosd.sock"), settings("codex", "http://127.0.0.1:6969"));
}

#[test]
#[ignore = "needs Python, and its package index"]
fn both_generations_of_the_python_sdk_use_the_box() {
    let (daemon, robot) = with_robot();
    let url = format!("http://{}/mcp", daemon.address);
    python::drive("mcp_clients/python_1", &[&url, robot.token()]);
    python::drive("mcp_clients/python_2", &[&url, robot.token()]);
    // The repeated request with the same key got a reply, but was not done again.
    let said = robot.get("/api/v1/messages").expect(200).json();
    let texts: Vec<&str> =
        said["messages"].as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap()).collect();
    assert_eq!(texts, ["from python 2", "from python 1"]);
}

#[test]
#[ignore = "needs Node, and its package index"]
fn both_generations_of_the_typescript_sdk_and_the_inspector_use_the_box() {
    let (daemon, robot) = with_robot();
    let (packages, home) = (packages("node"), TempDir::new());
    let url = format!("http://{}", daemon.address);
    let drive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp_clients/node/drive.mjs");
    // A module finds its packages relative to its own file.
    std::fs::copy(drive, packages.join("drive.mjs")).expect("a copy");
    let mut node = Command::new("node");
    print!("{}", run(node.arg(packages.join("drive.mjs")).arg(format!("{url}/mcp")).arg(robot.token())));
    std::fs::write(packages.join("settings.mjs"), settings("typescript", &url)).expect("a program");
    let mut node = Command::new("node");
    let printed = run(node.arg(packages.join("settings.mjs")).env("TAOS_TOKEN", robot.token()));
    assert!(printed.contains("messages_send"), "{printed}");
    let printed = shell(&packages, home.path(), robot.token(), &settings("inspector", &url));
    assert!(printed.contains("\"messages_send\""), "{printed}");
    let call = settings("inspector", &url).replace("tools/list\n", "tools/call --tool-name auth_whoami\n");
    let printed = shell(&packages, home.path(), robot.token(), &call);
    assert!(printed.contains("robot"), "{printed}");
}
