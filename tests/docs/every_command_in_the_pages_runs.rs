//! Every `bash` block runs, with the real `curl` and the real `taosctl`.

use crate::support::{Daemon, TempDir};
use crate::{fences, pages, script};

#[test]
fn every_command_in_the_pages_runs() {
    let has_taosctl = script::taosctl_is_there();
    let (mut wrong, mut waiting) = (Vec::new(), 0);
    for page in pages::all() {
        let blocks = fences::blocks(&page.file, &page.markdown).unwrap_or_else(|why| panic!("{why}"));
        let (run, wait): (Vec<_>, Vec<_>) = blocks
            .iter()
            .filter(|block| block.language() == "bash")
            .partition(|block| has_taosctl || !block.text.contains("taosctl"));
        waiting += wait.len();
        if run.is_empty() && wait.is_empty() && page.name.contains("/recipes/") {
            wrong.push(format!("{}: a recipe without a bash block", page.file));
        }
        wrong.extend(script::run(&Daemon::with(&["--containers", "none"], &[]), &TempDir::new(), &run).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if waiting > 0 {
        eprintln!("{waiting} bash blocks wait for taosctl's commands");
    }
}
