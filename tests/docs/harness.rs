//! Daemons for the blocks of pages: one without a container runtime, even if this machine has one, and one on the LXD
//! that `.ci/lxd` has provided.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::fences::{self, Block};
use crate::pages;
use crate::support::{Daemon, TempDir};

/// A daemon that finds no container runtime.
pub fn without_containers() -> Daemon {
    Daemon::with(&["--containers", "none"], &[])
}

/// A real LXD.
pub struct Lxd {
    socket: String,
    image: String,
}

impl Lxd {
    /// Finds the LXD that `.ci/lxd` has written down. The environment overrides its settings.
    pub fn find() -> Self {
        let folder = std::env::var("TAOSD_CI_DIR").unwrap_or_else(|_| "/var/lib/taosd-ci".to_owned());
        let written = fs::read_to_string(Path::new(&folder).join("env")).unwrap_or_default();
        let pairs: HashMap<&str, &str> = written.lines().filter_map(|line| line.split_once('=')).collect();
        let setting = |key: &str| std::env::var(key).ok().or_else(|| pairs.get(key).map(|value| (*value).to_owned()));
        let socket = setting("TAOSD_TEST_LXD_SOCKET").filter(|socket| Path::new(socket).exists());
        let (socket, image) = socket.zip(setting("TAOSD_TEST_LXD_IMAGE")).expect("LXD is missing: run .ci/lxd first");
        Self { socket, image }
    }

    /// Runs the blocks that need a container, with one daemon per page. Most of the time goes into waiting for
    /// containers to stop, so the pages, which share nothing, run in parallel.
    pub fn for_each_page(
        &self,
        is_one: impl Fn(&Block) -> bool + Sync,
        run: impl Fn(&Daemon, &[Block]) -> Result<(), String> + Sync,
    ) {
        let on_page = |page: pages::Page| {
            let blocks = fences::blocks(&page.file, &page.markdown).unwrap_or_else(|why| panic!("{why}"));
            if !blocks.iter().any(|block| block.needs_containers() && is_one(block)) {
                return None;
            }
            let dir = TempDir::new();
            let daemon = self.daemon(&dir);
            let wrong = run(&daemon, &blocks).err();
            purge_all(&daemon);
            wrong
        };
        let wrong: Vec<String> = std::thread::scope(|scope| {
            let running: Vec<_> = pages::all().into_iter().map(|page| scope.spawn(|| on_page(page))).collect();
            running.into_iter().filter_map(|page| page.join().expect("no panic")).collect()
        });
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    fn daemon(&self, dir: &TempDir) -> Daemon {
        let file = dir.path().join("taosd.toml");
        fs::write(&file, format!("[containers]\nruntime = \"lxd\"\nimage = \"{}\"\n", self.image)).expect("a file");
        Daemon::with(&["--config", file.to_str().expect("UTF-8"), "--containers-socket", &self.socket], &[])
    }
}

/// Deletes all agents and containers, even after a failure.
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
