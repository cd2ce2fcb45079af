//! The operator's Unix socket: the operator needs no token, other users get nothing, and browsers are refused.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::harness::Harness;

const WHOAMI: &str = "/api/auth/whoami";
/// The user id of `nobody`.
const NOBODY: u32 = 65_534;

#[test]
fn the_operator_needs_no_token_on_its_socket() {
    let harness = Harness::new();
    let who = harness.daemon.on_socket().get(WHOAMI).expect(200).json();
    assert_eq!(
        (&who["username"], &who["role"], &who["kind"]),
        (&json!("operator"), &json!("admin"), &json!("unix_socket"))
    );
    assert_eq!((&who["credential_id"], &who["expires_at"]), (&json!(null), &json!(null)));
    harness.daemon.on_socket().with("Host", "any.example").post("/api/agents", json!({"name": "a"})).expect(200);
    assert_eq!(harness.daemon.record("a")["owner"], "operator");
    // If a token is sent, it counts, and gives only its own scope.
    let narrow = format!("Bearer {}", harness.daemon.user_token("operator", &[]).token());
    harness.daemon.on_socket().with("Authorization", &narrow).get("/api/agents").expect_error(403, "scope_denied");
}

#[test]
fn what_a_browser_sends_is_refused_on_the_socket() {
    let harness = Harness::new();
    for (name, value) in [("Origin", "null"), ("Origin", "http://localhost"), ("Cookie", "a=b")] {
        let refused = harness.daemon.on_socket().with(name, value).get(WHOAMI);
        refused.expect_error(403, "browser_refused");
    }
}

#[test]
fn modes_keep_others_out() {
    let harness = Harness::new();
    let mode = |path: &Path| fs::metadata(path).expect("a file").mode() & 0o777;
    assert_eq!((mode(&harness.daemon.data), mode(&harness.daemon.socket())), (0o700, 0o660));
    for entry in fs::read_dir(&harness.daemon.data).expect("the data directory").flatten() {
        if entry.path() != harness.daemon.socket() {
            assert_eq!(mode(&entry.path()), 0o600, "{}", entry.path().display());
        }
    }
}

#[test]
#[ignore = "needs root: it becomes another user"]
fn another_user_is_refused_even_where_the_modes_would_let_it_in() {
    let harness = Harness::new();
    let refused = curl_as_nobody(&harness);
    assert!(!refused.status.success(), "the modes let it in: {refused:?}");
    let open = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    open(harness.daemon.data.parent().expect("a directory"), 0o755);
    open(&harness.daemon.data, 0o711);
    open(&harness.daemon.socket(), 0o666);
    let reply = curl_as_nobody(&harness);
    let text = String::from_utf8_lossy(&reply.stdout).into_owned();
    assert!(text.ends_with(" 401") && text.contains("\"auth_required\""), "{text} {reply:?}");
}

fn curl_as_nobody(harness: &Harness) -> Output {
    Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "10", "--write-out", " %{http_code}", "--unix-socket"])
        .arg(harness.daemon.socket())
        .arg(format!("http://localhost{WHOAMI}"))
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .expect("curl")
}
