//! A private scheme that the admin removed from the settings gets no code: neither for a new request, nor for one that
//! waits for its person.

use serde_json::json;

use crate::program::{Program, browser};
use crate::support::{Daemon, TempDir, wait_until};

#[test]
fn a_request_that_waits_is_over_and_a_new_one_is_refused() {
    let dir = TempDir::new();
    let file = dir.path().join("taosd.toml");
    let set = |scheme: &str| std::fs::write(&file, format!("[oauth]\nredirect_schemes = [\"{scheme}\"]\n")).unwrap();
    set("cursor");
    let daemon = Daemon::with(&["--config", file.to_str().unwrap(), "--containers", "none"], &[]);
    let program = Program::with(&daemon, "editor", &["cursor://editor/callback"]);
    let person = browser(&daemon, &daemon.token);
    let path = program.ask(&[("redirect_uri", "")]);
    person.get(&path).expect(200);
    set("vscode");
    daemon.signal("HUP");
    wait_until("the reload", || daemon.anonymous().get(&program.target(&[("redirect_uri", "")])).status == 400);
    person.get(&path).expect(404);
    let body = json!({"decision": "allow", "act_as": {"user": true}, "scope": ["messages"]});
    person.post(&path, body).expect_error(404, "authorization_expired");
}
