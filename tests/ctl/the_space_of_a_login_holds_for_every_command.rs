//! A space is named by its slug or name wherever a command takes one, and the space of the login is used where none is
//! named.

use serde_json::json;

use crate::run::{Ctl, url};
use crate::support::{Daemon, text};

#[test]
fn tasks_context_files_and_messages_are_those_of_the_logins_space() {
    let daemon = Daemon::with(&["--containers", "none"], &[]);
    let operator = daemon.operator();
    let space = operator.post("/api/spaces/create", json!({"name": "Work Shop"})).expect(201).json()["space"].clone();
    let id = text(&space, "id");
    let here = Ctl::bare();
    here.run_with_stdin(&["login", "--url", &url(&daemon), "--space", "Work Shop"], &daemon.token).expect(0);

    let made = here.json(&["tasks", "create", "Oil the saw"]);
    assert_eq!(made["space_id"].as_str().or(made["task"]["space_id"].as_str()), Some(id.as_str()), "{made}");
    assert!(here.ok(&["tasks", "list"]).contains("Oil the saw"));
    assert!(here.ok(&["tasks", "get", "Oil the saw"]).contains(&id));
    here.ok(&["context", "set", "blade", "dull"]);
    assert_eq!(here.ok(&["context", "get", "blade"]), "dull\n");
    assert!(here.ok(&["context", "list"]).contains("blade"));
    let file = here.file("plan.md", "# Plan\n");
    here.ok(&["upload", &file]);
    assert!(here.ok(&["files"]).contains("plan.md"));
    here.ok(&["send", "sharpen it"]);
    assert!(here.ok(&["messages", "search", "sharpen"]).contains("sharpen it"));
    let of_the_space = |path: &str| operator.get(&format!("/api/v1/{path}?space_id={id}")).expect(200).text();
    for (path, wanted) in [("tasks", "Oil the saw"), ("context", "blade"), ("uploads", "plan.md")] {
        assert!(of_the_space(path).contains(wanted), "{path}");
    }

    // Without that login the default space is used, and this one by its slug or name.
    let other = Ctl::operator(&daemon);
    assert!(!other.ok(&["tasks", "list"]).contains("Oil the saw"));
    assert!(!other.ok(&["files"]).contains("plan.md"));
    for name in ["work-shop", "Work Shop"] {
        assert!(other.ok(&["tasks", "list", "--space", name]).contains("Oil the saw"), "{name}");
        assert!(other.ok(&["files", "--space", name]).contains("plan.md"), "{name}");
    }
    assert!(other.ok(&["tasks", "next", "--space", "work-shop"]).contains("Oil the saw"));
    // A flag comes before the login.
    let default = text(&operator.get("/auth/me").expect(200).json(), "space_id");
    assert!(!here.ok(&["tasks", "list", "--space", &default]).contains("Oil the saw"));
}
