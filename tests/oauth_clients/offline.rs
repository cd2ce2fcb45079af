//! PyJWT and jose: tokens verified offline, with exactly the examples of the documentation.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use super::PAGE;
use crate::support::text;

/// The one block of the page in this language.
fn example(language: &str) -> &'static str {
    let fence = format!("```{language}\n");
    let from = PAGE.find(&fence).expect("a block") + fence.len();
    let block = &PAGE[from..];
    &block[..block.find("```").expect("its end")]
}

/// A good token for `tasks` and one for another audience.
fn tokens(at: &super::Box) -> [String; 2] {
    ["ax-api", "ax-mcp"].map(|audience| {
        let wish = json!({"audience": audience, "scope": "tasks"});
        let told = at.daemon.client(&at.key).post("/auth/exchange", wish).expect(200).json();
        text(&told, "access_token")
    })
}

#[test]
#[ignore = "needs Python, and its package index"]
fn pyjwt_verifies_a_token_as_the_page_shows() {
    let (at, dir) = (super::Box::new(), crate::support::TempDir::new());
    let file: PathBuf = dir.path().join("example.py");
    std::fs::write(&file, example("python")).expect("a file");
    let [good, bad] = tokens(&at);
    super::drive_python(&["pyjwt_client", &at.url, file.to_str().expect("UTF-8"), &good, &bad]);
}

#[test]
#[ignore = "needs Node, and its package index"]
fn jose_verifies_a_token_as_the_page_shows() {
    let (at, packages) = (super::Box::new(), super::packages());
    std::fs::write(packages.join("example.mjs"), example("js")).expect("a file");
    let run = |token: &str| {
        let mut node = Command::new("node");
        node.args(["example.mjs", token]).env("TAOS_URL", &at.url).current_dir(&packages).output().expect("node")
    };
    let [good, bad] = tokens(&at);
    let done = run(&good);
    assert!(String::from_utf8_lossy(&done.stdout).contains("atlas may: tasks"), "{done:?}");
    for token in [bad, format!("{}AAAAAA", &good[..good.len() - 6])] {
        let done = run(&token);
        assert!(!done.status.success() && done.stdout.is_empty(), "{done:?}");
    }
}
