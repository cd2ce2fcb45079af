//! Every `bash` block runs, with the real `curl` and the real `taosctl`.

use std::io::Write as _;

use crate::fences::{self, Block};
use crate::harness::{self, Lxd};
use crate::support::{Daemon, TempDir};
use crate::{pages, script};

/// Runs the commands of a page that need containers if `containers` is true, and else the others.
fn run(daemon: &Daemon, blocks: &[Block], containers: bool) -> Result<(), String> {
    let has_taosctl = script::taosctl_is_there();
    let (run, wait): (Vec<_>, Vec<_>) = blocks
        .iter()
        .filter(|block| block.language() == "bash" && block.needs_containers() == containers)
        .partition(|block| has_taosctl || !block.text.contains("taosctl"));
    if !wait.is_empty() {
        // The test harness shows the output of `eprintln!` only if a test fails.
        let _ =
            writeln!(std::io::stderr(), "{}: and {} more wait for the verbs of taosctl", wait[0].place, wait.len() - 1);
    }
    script::run(daemon, &TempDir::new(), &run).map(|_| ())
}

#[test]
fn every_command_in_the_pages_runs() {
    let mut wrong = Vec::new();
    for page in pages::all() {
        let blocks = fences::blocks(&page.file, &page.markdown).unwrap_or_else(|why| panic!("{why}"));
        if page.name.contains("/recipes/") && !blocks.iter().any(|block| block.language() == "bash") {
            wrong.push(format!("{}: a recipe without a bash block", page.file));
        }
        wrong.extend(run(&harness::without_containers(), &blocks, false).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "needs LXD: bash .ci/lxd"]
fn every_command_that_needs_a_container_runs() {
    let harness = Lxd::find();
    harness.for_each_page(|block| block.language() == "bash", |daemon, blocks| run(daemon, blocks, true));
}
