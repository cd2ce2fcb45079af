//! A command that a page of the console names is one that `taosctl` has.

use std::process::{Command, Stdio};
use std::{fs, path::Path};

use regex::Regex;

#[test]
fn taosctl_knows_every_command_on_a_page() {
    let commands = Regex::new("<code>taosctl ([^<]*)</code>").expect("a pattern");
    let values = Regex::new(r"\{\{.*?\}\}").expect("a pattern");
    let (mut found, mut wrong) = (0, Vec::new());
    for dir in ["src/ui", "src/ui/core"] {
        let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)).expect("the pages");
        let files = files.map(|file| file.expect("a file").path());
        for page in files.filter(|path| path.extension().is_some_and(|ending| ending == "html")) {
            let page = fs::read_to_string(page).expect("a page");
            for shown in commands.captures_iter(&page) {
                found += 1;
                // Its words are not run, only read.
                let line = format!("\"$0\" {} --help", values.replace_all(&shown[1], "NAME"));
                let mut shell = Command::new("sh");
                let told = shell.args(["-c", &line, env!("CARGO_BIN_EXE_taosctl")]).stdin(Stdio::null()).output();
                let told = told.expect("a shell");
                if !told.status.success() {
                    wrong.push(format!("taosctl {}: {}", &shown[1], String::from_utf8_lossy(&told.stderr)));
                }
            }
        }
    }
    assert!(found > 10, "{found}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
