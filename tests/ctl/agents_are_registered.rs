//! Builds and registrations on the command line.

use serde_json::json;

use crate::run::{Ctl, field};
use crate::support::Daemon;

#[test]
fn a_build_is_registered_and_tells_its_key_once() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let build = ["agents", "register-build", "--name", "mailer", "--description", "Sends mail"];
    assert_eq!(field(&ctl.ok(&build), "status"), "BuildOnly");
    let said = ["--registration-metadata", r#"{"image": "mailer:2"}"#];
    let register = [
        "agents",
        "register",
        "--name",
        "mailer",
        "--description",
        "",
        "--acp-url",
        "http://localhost:1",
        "--acp-type",
        "async",
    ];
    let told = ctl.json(&[&register[..], &said[..]].concat());
    assert_eq!((&told["status"], &told["registration_metadata"]), (&json!("Ready"), &json!({"image": "mailer:2"})));
    assert!(told["agent_api_key"].as_str().is_some_and(|key| key.starts_with("taos_key_")));
    assert_eq!(ctl.json(&register)["agent_api_key"], json!(null));
    ctl.run(&[&register[..], &["--registration-metadata", "[]"]].concat()).expect_error(2, "usage");
    let refused = ["agents", "register-build", "--name", "Not A Name", "--description", ""];
    let refused = ctl.run(&refused).expect_error(1, "validation_error");
    assert!(refused.stderr.contains("detail: name: must be 1 to 64"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("status_code"), "{}", refused.stderr);
}
