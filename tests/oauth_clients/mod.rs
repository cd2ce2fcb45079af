//! Published OAuth libraries, unchanged, against the real daemon, one file a family.
//!
//! They need Python 3 with `venv`, Node with `npm`, and the package indexes. The packages are installed once and
//! shared.

mod authlib;
mod nginx;
mod oauth4webapi;
mod offline;
mod openid_client;
mod requests_oauth2client;
mod services;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::support::{Daemon, python, text};
use serde_json::json;

/// The page with the examples that these tests run.
const PAGE: &str = include_str!("../../docs/agents/recipes/letting-a-service-check-tokens.md");

/// Only one test at a time copies the modules.
static COPYING: Mutex<()> = Mutex::new(());

/// A daemon with its URL, and the token and the key of an agent.
struct Box {
    daemon: Daemon,
    url: String,
    agent_token: String,
    key: String,
}

impl Box {
    fn new() -> Self {
        Self::of(Daemon::start())
    }

    fn of(daemon: Daemon) -> Self {
        let id = daemon.agent("atlas");
        let agent_token = daemon.agent_token("atlas", &["tasks.*", "messages.*"]).token().to_owned();
        let key = json!({"name": "k", "agent_id": id, "audience": "both"});
        let key = text(&daemon.operator().post("/credentials/agent-pat", key).expect(201).json(), "token");
        let url = format!("http://{}", daemon.address);
        Self { daemon, url, agent_token, key }
    }

    /// Registers a program by hand. Returns its id and secret.
    fn program(&self) -> (String, String) {
        let wanted =
            json!({"name": "library", "introspect": true, "redirect_uris": ["http://127.0.0.1:4711/callback"]});
        let made = self.daemon.operator().post("/api/oauth/clients", wanted).expect(201).json();
        (text(&made, "id"), text(&made, "client_secret"))
    }
}

fn drive_python(args: &[&str]) {
    python::drive("oauth_clients/python", args);
}

/// Runs a module of the Node clients.
fn drive_node(module: &str, args: &[&str]) -> String {
    let packages = packages();
    let mut node = Command::new("node");
    run(node.arg(packages.join(module)).args(args).current_dir(&packages))
}

/// Returns the folder with the packages and the modules that use them. A module finds its packages relative to its own
/// file.
fn packages() -> PathBuf {
    let _alone = COPYING.lock();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oauth_clients/node");
    let dir = python::installed("oauth-node", &own.join("package.json"), |dir| {
        std::fs::create_dir_all(dir).expect("a folder");
        std::fs::copy(own.join("package.json"), dir.join("package.json")).expect("a copy");
        let mut npm = Command::new("npm");
        npm.current_dir(dir).args(["install", "--silent", "--no-package-lock", "--no-audit", "--no-fund"]);
        run(&mut npm);
    });
    for entry in std::fs::read_dir(&own).expect("the modules").flatten() {
        std::fs::copy(entry.path(), dir.join(entry.file_name())).expect("a copy");
    }
    dir
}

fn run(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{command:?}\n{text}\n{}", String::from_utf8_lossy(&done.stderr));
    text
}
