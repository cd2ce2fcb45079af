//! Every `http` block is sent to a live daemon and must give exactly the status it names.

use crate::support::Daemon;
use crate::{fences, pages, replay};

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
                wrong.extend(replay::replay(&Daemon::start(), &blocks).err());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
