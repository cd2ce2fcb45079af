//! Knowledge on the command line.

use crate::run::{Ctl, field};
use crate::support::Daemon;

#[test]
fn a_folder_becomes_a_source_and_is_found() {
    let daemon = Daemon::start();
    let ctl = Ctl::operator(&daemon);
    let dir = ctl.home().join("guides");
    std::fs::create_dir_all(dir.join("deep")).expect("folders");
    std::fs::write(dir.join("a.md"), "# Alpha\n\nA zebra.\n").expect("a file");
    std::fs::write(dir.join("deep/b.md"), "beta zebra grass\n").expect("a file");
    std::fs::write(dir.join("c.txt"), "zebra\n").expect("a file");
    std::os::unix::fs::symlink(&dir, dir.join("deep/loop")).expect("a link");
    let dir = dir.to_str().expect("UTF-8");
    assert_eq!(field(&ctl.ok(&["knowledge", "put", "app:zoo", dir]), "added"), "2");
    assert_eq!(field(&ctl.ok(&["knowledge", "put", "app:zoo", dir]), "unchanged"), "2");
    let found = ctl.json(&["knowledge", "search", "zebra", "grass", "--source-id", "app:zoo"]);
    assert_eq!((found.as_array().map(Vec::len), found[0]["source_url"].as_str()), (Some(1), Some("deep/b.md")));
    let id = found[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(ctl.ok(&["knowledge", "get", &id]), "beta zebra grass\n");
    assert_eq!(ctl.ok(&["knowledge", "list", "--source-id", "app:zoo"]).lines().count(), 3);
    assert!(ctl.ok(&["knowledge", "sources"]).contains("app:zoo"));
    assert!(ctl.ok(&["knowledge", "prompt", "--source-id", "app:zoo"]).contains("# Alpha"));
    assert_eq!(ctl.ok(&["knowledge", "rm", "app:zoo", "--yes"]), "deleted: app:zoo\n");
    ctl.run(&["knowledge", "rm", "app:zoo", "--yes"]).expect_error(1, "source_not_found");
    ctl.run(&["knowledge", "put", "taos-core", dir]).expect_error(1, "source_reserved");
    ctl.run(&["knowledge", "put", "app:zoo", "/nonexistent"]).expect_error(2, "usage");
    ctl.run(&["knowledge", "search"]).expect(2);
}
