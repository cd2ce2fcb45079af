//! Every `http` block is sent to a live daemon. The reply must have exactly the status that the block names, and the
//! content that the page shows.
//!
//! Blocks that need containers are sent to a daemon on a real LXD, if there is one.

use crate::harness::{self, Lxd};
use crate::replay::replay;
use crate::{fences, pages};

/// Pages without requests, because they are lists of links or made from tables.
const WITHOUT: &[&str] = &["agents/README", "agents/errors"];
/// Pages about running the box: commands as root, files of other programs.
const OPERATIONS: &str = "agents/operations/";

#[test]
fn every_request_in_the_pages_is_answered_as_printed() {
    let mut wrong = Vec::new();
    for page in pages::all() {
        match fences::blocks(&page.file, &page.markdown) {
            Err(why) => wrong.push(why),
            Ok(blocks) => {
                let has = blocks.iter().any(|block| block.language() == "http");
                let may_lack = page.name.starts_with(OPERATIONS);
                if has == WITHOUT.contains(&page.name.as_str()) && !may_lack {
                    wrong.push(format!("{}: http blocks: {has}", page.file));
                }
                wrong.extend(replay(&harness::without_containers(), &blocks, false).err());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "needs LXD: bash .ci/lxd"]
fn every_request_that_needs_a_container_is_answered_as_printed() {
    let harness = Lxd::find();
    harness.for_each_page(|block| block.language() == "http", |daemon, blocks| replay(daemon, blocks, true));
}
