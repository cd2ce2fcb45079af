//! MCP clients, unchanged, log in with a click of a person: Claude Code, Codex, the Python SDK's OAuth provider, and
//! the official suite's check of authorization servers. The test sends the click over HTTP.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::agents::{Model, newest};
use super::{command, packages, run, shell};
use crate::support::{Client, Daemon, TempDir, python, text, wait_until};

/// Returns a daemon with the shortest lifetime of access tokens, and the browser of its operator.
fn with_person() -> (Daemon, Client) {
    let daemon = Daemon::with(&[], &[("TAOSD_OAUTH_ACCESS_TTL", "60")]);
    let opened = daemon.anonymous().post("/api/sessions", json!({"token": daemon.token})).expect(200);
    let cookie = opened.header("set-cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
    let person = daemon.anonymous().with("Cookie", &cookie).with("Sec-Fetch-Site", "same-origin");
    (daemon, person)
}

/// The person follows a program's link and allows it as a new agent. Returns the address that the browser is redirected
/// to.
fn allow(daemon: &Daemon, person: &Client, link: &str, agent: &str) -> String {
    let target = &link[link.find("/oauth/").unwrap_or_else(|| panic!("{link}"))..];
    // The program has the box's URL from its settings, so the request must use the same host.
    let page = daemon.anonymous().with("Host", &daemon.address).get(target).expect(200).text();
    let from = page.find("/oauth/consent/").unwrap_or_else(|| panic!("{page}"));
    let path = &page[from..from + "/oauth/consent/".len() + 43];
    person.get(path).expect(200);
    let body = json!({"decision": "allow", "act_as": {"new_agent": agent}, "scope": ["messages", "tasks"]});
    text(&person.post(path, body).expect(200).json(), "redirect_to")
}

/// Opens an address of the program, as the browser does.
fn open(address: &str) {
    run(Command::new("curl").args(["-sS", "--fail", "-o", "/dev/null", address]));
}

/// Waits for a link to the daemon in a file, and returns the first.
fn link(file: &Path) -> String {
    let found = || {
        let said = fs::read_to_string(file).unwrap_or_default();
        let from = said[..said.find("/oauth/authorize?")?].rfind("http://")?;
        said[from..].split_once('\n').map(|(link, _)| link.trim().to_owned())
    };
    wait_until("a link", || found().is_some());
    found().expect("a link")
}

/// Runs the login of a client: it writes a link to `file`, the person allows it, and the client must succeed.
fn log_in(daemon: &Daemon, person: &Client, mut client: Command, file: &Path, agent: &str) {
    let mut client = client.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("it starts");
    open(&allow(daemon, person, &link(file), agent));
    assert!(ended(&mut client), "{}", fs::read_to_string(file).unwrap_or_default());
}

fn ended(client: &mut Child) -> bool {
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(60) {
        if let Some(status) = client.try_wait().expect("a child") {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = client.kill();
    let _ = client.wait();
    false
}

/// Returns the only grant.
fn grant(daemon: &Daemon) -> Value {
    let all = daemon.operator().get("/api/oauth/grants").expect(200).json();
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
    all[0].clone()
}

fn revoke(daemon: &Daemon) {
    daemon.operator().delete(&format!("/api/oauth/grants/{}", text(&grant(daemon), "id"))).expect(204);
}

fn refreshes(daemon: &Daemon) -> i64 {
    daemon.number("SELECT count(*) FROM audit WHERE action = 'oauth.grant.refresh'", [])
}

#[test]
#[ignore = "needs Node, and its package index"]
fn claude_code_logs_in_by_a_click_calls_refreshes_and_is_shut_out() {
    let (daemon, person) = with_person();
    let (packages, home) = (packages("agents"), TempDir::new());
    let sh = |line: &str| shell(&packages, home.path(), "", line);
    sh(&format!("claude mcp add --transport http box http://{}/mcp", daemon.address));
    assert!(sh("claude mcp list").contains("Needs authentication"));
    // Claude Code logs in only on a terminal, and opens the browser that `BROWSER` names.
    let (browser, file) = (home.path().join("browser"), home.path().join("link"));
    fs::write(&browser, format!("#!/bin/sh\necho \"$1\" >> {}\n", file.display())).expect("a script");
    run(Command::new("chmod").arg("755").arg(&browser));
    let mut login = command(&packages, home.path(), "");
    login.env("BROWSER", &browser).args(["-c", "script -qec 'claude mcp login box' /dev/null"]);
    log_in(&daemon, &person, login, &file, "claude");
    assert!(sh("claude mcp list").contains("Connected"));
    let given = grant(&daemon);
    assert_eq!((&given["agent_name"], &given["scope"]), (&json!("claude"), &json!("messages tasks")));
    let model = Model::saying("from Claude Code by a click");
    sh(&model.claude());
    assert_eq!(newest(&daemon.operator()), "from Claude Code by a click");
    let said = daemon.operator().get("/api/v1/messages?limit=1").expect(200).json();
    assert_eq!(said["messages"][0]["display_name"], "claude");
    // When a token has expired, or is about to, Claude Code gets the next by itself.
    let before = refreshes(&daemon);
    std::thread::sleep(Duration::from_secs(61));
    assert!(sh("claude mcp list").contains("Connected"));
    assert!(refreshes(&daemon) > before);
    revoke(&daemon);
    assert!(sh("claude mcp list").contains("Needs authentication"));
}

#[test]
#[ignore = "needs Node, and its package index"]
fn codex_logs_in_by_a_click_calls_refreshes_and_is_shut_out() {
    let (daemon, person) = with_person();
    let (packages, home) = (packages("agents"), TempDir::new());
    let sh = |line: &str| shell(&packages, home.path(), "", line);
    let file = home.path().join("link");
    let mut add = command(&packages, home.path(), "");
    add.args(["-c", &format!("codex mcp add box --url http://{}/mcp > {} 2>&1", daemon.address, file.display())]);
    log_in(&daemon, &person, add, &file, "codex");
    assert!(sh("codex mcp list").contains("OAuth"));
    assert_eq!(text(&grant(&daemon), "agent_name"), "codex");
    let model = Model::saying("from Codex by a click");
    sh(&model.codex());
    assert_eq!(newest(&daemon.operator()), "from Codex by a click");
    let before = refreshes(&daemon);
    std::thread::sleep(Duration::from_secs(61));
    let model = Model::saying("from Codex, a minute later");
    sh(&model.codex());
    assert_eq!(newest(&daemon.operator()), "from Codex, a minute later");
    assert!(refreshes(&daemon) > before);
    revoke(&daemon);
    let model = Model::saying("from Codex, too late");
    assert!(sh(&format!("{} 2>&1", model.codex())).contains("AuthRequired"));
    assert_eq!(newest(&daemon.operator()), "from Codex, a minute later");
}

#[test]
#[ignore = "needs Node, and its package index"]
fn the_suites_judge_of_authorization_servers_finds_nothing() {
    let (daemon, person) = with_person();
    let (packages, results) = (packages("suite"), TempDir::new());
    let url = format!("http://{}", daemon.address);
    let program = json!({"client_name": "suite", "redirect_uris": ["http://127.0.0.1/callback"]});
    let id = text(&daemon.anonymous().post("/oauth/register", program).expect(201).json(), "client_id");
    let file = results.path().join("link");
    let mut judge = command(&packages, results.path(), "");
    let line = format!(
        "conformance authorization --url {url} --client-id {id} --resource {url}/mcp --port {} -o {} > {} 2>&1",
        free_port(),
        results.path().display(),
        file.display()
    );
    judge.args(["-c", &line]);
    log_in(&daemon, &person, judge, &file, "suite");
    let told = fs::read_to_string(&file).expect("what it says");
    assert!(told.contains("Total: 2 passed, 0 failed"), "{told}");
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
#[ignore = "needs Python, and its package index"]
fn the_python_sdks_provider_logs_in_and_refreshes() {
    let (daemon, _) = with_person();
    python::run_module("mcp_clients/python_2", "login.py", &[&format!("http://{}", daemon.address), &daemon.token]);
    assert!(refreshes(&daemon) > 0);
}
