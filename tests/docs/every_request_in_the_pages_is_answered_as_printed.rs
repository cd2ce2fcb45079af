//! Every `http` block is sent to a live daemon and must give exactly the status it names, and the reply that is shown.
//!
//! Blocks that need containers go to a daemon on the LXD that `.ci/lxd` provides. Without one they are left out with one
//! line that says so; with `TAOSD_REQUIRE_LXD=1` that is a failure.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use crate::replay::{Needs, replay};
use crate::support::{Daemon, TempDir};
use crate::{fences, pages};

/// Pages that are lists of links or made from tables: they have no requests.
const WITHOUT: &[&str] = &["agents/README", "agents/errors"];

#[test]
fn every_request_in_the_pages_is_answered_as_printed() {
    let mut wrong = Vec::new();
    for page in pages::all() {
        match fences::blocks(&page.file, &page.markdown) {
            Err(why) => wrong.push(why),
            Ok(blocks) => {
                let has = blocks.iter().any(|block| block.language() == "http");
                if has == WITHOUT.contains(&page.name.as_str()) {
                    wrong.push(format!("{}: http blocks: {has}", page.file));
                }
                wrong.extend(replay(&Daemon::with(&["--containers", "none"], &[]), &blocks, Needs::Nothing).err());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_request_that_needs_a_container_is_answered_as_printed() {
    let Some((socket, image)) = lxd() else {
        assert_ne!(std::env::var("TAOSD_REQUIRE_LXD").as_deref(), Ok("1"), "LXD is missing");
        // Not `eprintln!`: that is shown for failing tests only.
        let _ = writeln!(std::io::stderr(), "tests/docs: left out the requests that need a container (see .ci/lxd)");
        return;
    };
    let dir = TempDir::new();
    let file = dir.path().join("taosd.toml");
    fs::write(&file, format!("[containers]\nruntime = \"lxd\"\nimage = \"{image}\"\n")).expect("a file");
    let arguments = ["--config", file.to_str().expect("UTF-8"), "--containers-socket", &socket];
    let replayed = |page: pages::Page| {
        let blocks = fences::blocks(&page.file, &page.markdown).unwrap_or_else(|why| panic!("{why}"));
        if !blocks.iter().any(|block| Needs::Containers.of(block)) {
            return None;
        }
        let daemon = Daemon::with(&arguments, &[]);
        let wrong = replay(&daemon, &blocks, Needs::Containers).err();
        purge_all(&daemon);
        wrong
    };
    // Most of it is waiting for containers to stop: the pages, which share nothing, wait together.
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = pages::all().into_iter().map(|page| scope.spawn(|| replayed(page))).collect();
        running.into_iter().filter_map(|page| page.join().expect("no panic")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The LXD that `.ci/lxd` wrote down, and its small image.
fn lxd() -> Option<(String, String)> {
    let folder = std::env::var("TAOSD_CI_DIR").unwrap_or_else(|_| "/var/lib/taosd-ci".to_owned());
    let written = fs::read_to_string(Path::new(&folder).join("env")).unwrap_or_default();
    let pairs: HashMap<&str, &str> = written.lines().filter_map(|line| line.split_once('=')).collect();
    let setting = |key: &str| std::env::var(key).ok().or_else(|| pairs.get(key).map(|value| (*value).to_owned()));
    let socket = setting("TAOSD_TEST_LXD_SOCKET").filter(|socket| Path::new(socket).exists())?;
    Some((socket, setting("TAOSD_TEST_LXD_IMAGE")?))
}

/// Leaves no container behind, whatever went wrong before.
fn purge_all(daemon: &Daemon) {
    let each = |list: &str, key: &str| -> Vec<String> {
        let rows = daemon.operator().get(list).json();
        rows.as_array().into_iter().flatten().filter_map(|row| row[key].as_str().map(str::to_owned)).collect()
    };
    for name in each("/api/agents", "name") {
        daemon.operator().delete(&format!("/api/agents/{name}?wait=60"));
    }
    for id in each("/api/agents/archived", "id") {
        daemon.operator().delete(&format!("/api/agents/archived/{id}?wait=60"));
    }
}
