//! Tokens for another service, signed with ES256 and verified by PyJWT, jose and jsonwebtoken. jsonwebtoken does not
//! know EdDSA.

use std::process::Command;

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use crate::support::{Daemon, TempDir, text};

const SERVICE: &str = "https://wiki.lan";

/// Returns a box with a service that takes ES256, an agent's token for it, and the folder of the settings.
fn at() -> (super::Box, String, TempDir) {
    let dir = TempDir::new();
    let file = dir.path().join("taosd.toml");
    std::fs::write(&file, format!("[[oauth.resources]]\nuri = \"{SERVICE}\"\nalg = \"ES256\"\n")).expect("a file");
    let daemon = Daemon::with(&["--config", file.to_str().expect("UTF-8"), "--containers", "none"], &[]);
    let at = super::Box::of(daemon);
    let key = at.key.as_str();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={key}&resource={SERVICE}&scope=tasks",
        key.split('.').next().expect("an id")
    );
    let client = at.daemon.anonymous().with("Content-Type", "application/x-www-form-urlencoded");
    let told = client.send("POST", "/oauth/token", Some(form.as_bytes())).expect(200).json();
    let token = text(&told, "access_token");
    let header = BASE64URL_NOPAD.decode(token.split('.').next().expect("a header").as_bytes()).expect("base64url");
    assert_eq!(serde_json::from_slice::<Value>(&header).expect("JSON")["alg"], "ES256");
    (at, token, dir)
}

#[test]
#[ignore = "needs Python, and its package index"]
fn pyjwt_verifies_a_token_for_a_service() {
    let (at, token, _dir) = at();
    super::drive_python(&["pyjwt_service", &at.url, SERVICE, &token]);
}

#[test]
#[ignore = "needs Node, and its package index"]
fn jose_and_jsonwebtoken_verify_a_token_for_a_service() {
    let ((at, token, _dir), packages) = (at(), super::packages());
    let run = |token: &str| {
        let mut node = Command::new("node");
        node.args(["service.mjs", &at.url, SERVICE, token]).current_dir(&packages).output().expect("node")
    };
    let done = run(&token);
    assert!(String::from_utf8_lossy(&done.stdout).contains("jose: atlas\njsonwebtoken: atlas"), "{done:?}");
    let done = run(&format!("{}AAAAAA", &token[..token.len() - 6]));
    assert!(!done.status.success() && done.stdout.is_empty(), "{done:?}");
}
