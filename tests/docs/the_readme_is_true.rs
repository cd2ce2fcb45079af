//! The commands of the README work as printed, and what it claims is true. The same holds for the settings page and for
//! the pages beside the README.

use std::fs;
use std::path::Path;
use std::process::Command;

use taosd::config::{Config, DEFAULT_LISTEN, Flags};

use crate::fences::{self, Block};
use crate::pages::root;
use crate::script;
use crate::support::{Daemon, TempDir};

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("README.md")
}

fn settings() -> String {
    fs::read_to_string(root().join("docs/agents/operations/settings.md")).expect("the page")
}

fn blocks(language: &str) -> Vec<Block> {
    let blocks = fences::blocks("README.md", &readme()).unwrap_or_else(|why| panic!("{why}"));
    blocks.into_iter().filter(|block| block.language() == language).collect()
}

#[test]
fn the_commands_after_the_first_start_run_as_printed() {
    let daemon = Daemon::start();
    let default = DEFAULT_LISTEN.to_string();
    let mut commands = blocks("bash");
    assert!(commands.iter().any(|block| block.text.contains(&default)), "the first call names the default address");
    for block in &mut commands {
        block.text = block.text.replace(&default, &daemon.address);
    }
    let shown =
        script::run(&daemon, &TempDir::new(), &commands.iter().collect::<Vec<_>>()).unwrap_or_else(|e| panic!("{e}"));
    for part in ["\"username\":\"operator\"", "\"status\":\"created\"", "\"token\":\"taos_agent_"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
}

#[test]
fn the_ready_line_is_shown_as_the_daemon_prints_it() {
    let shown = blocks("text")
        .into_iter()
        .find_map(|block| block.text.lines().find(|line| line.starts_with("taosd listening on")).map(str::to_owned));
    let home = "/home/you";
    let data = format!("{home}/.local/state/taosd");
    let printed = format!("taosd listening on http://{DEFAULT_LISTEN} data={data} socket={data}/taosd.sock");
    assert_eq!(shown.as_deref(), Some(printed.as_str()));
    let daemon = Daemon::start();
    assert!(daemon.socket().exists(), "the socket is in the data directory");
}

#[test]
fn the_example_of_a_configuration_file_is_taken() {
    let dir = TempDir::new();
    let all = fences::blocks("settings.md", &settings()).unwrap_or_else(|why| panic!("{why}"));
    let toml: Vec<Block> = all.into_iter().filter(|block| block.language() == "toml").collect();
    assert!(!toml.is_empty(), "no example");
    for block in toml {
        let file = dir.path().join("taosd.toml");
        fs::write(&file, &block.text).expect("a file");
        let config = Config::load(&Flags { config: Some(file), ..Flags::default() });
        let config = config.unwrap_or_else(|e| panic!("{}: {e}", block.place));
        assert_eq!(config.data_dir, Path::new("/var/lib/taosd"));
        assert!(config.models.is_some());
    }
}

#[test]
fn every_path_that_the_readme_and_its_neighbours_link_is_there() {
    for file in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/upgrading.md", "docs/security.md"]
    {
        let text = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let folder = root().join(file).parent().expect("a folder").to_owned();
        let parser = pulldown_cmark::Parser::new_ext(&text, pulldown_cmark::Options::ENABLE_TABLES);
        for event in parser {
            if let pulldown_cmark::Event::Start(pulldown_cmark::Tag::Link { dest_url, .. }) = event {
                let elsewhere = dest_url.starts_with("https://");
                let path = dest_url.split('#').next().unwrap_or_default();
                assert!(elsewhere || folder.join(path).exists(), "{file} links {dest_url}");
            }
        }
    }
}

#[test]
fn the_readme_is_short_and_each_test_it_names_is_there() {
    let text = readme();
    assert!(text.lines().count() <= 150, "{} lines", text.lines().count());
    let named: Vec<(&str, &str)> = text
        .split("`cargo test --test ")
        .skip(1)
        .map(|rest| rest.split('`').next().unwrap_or_default().split_once(' ').unwrap_or((rest, "")))
        .map(|(target, name)| {
            (target.split('`').next().unwrap_or_default(), name.split(' ').next().unwrap_or_default())
        })
        .collect();
    assert!(named.len() >= 8, "{named:?}");
    for (target, name) in named {
        let files = fs::read_dir(root().join("tests").join(target)).unwrap_or_else(|e| panic!("{target}: {e}"));
        let is_there = |file: fs::DirEntry| file.file_name().to_string_lossy().starts_with(name);
        assert!(files.flatten().any(is_there), "the README names {target} {name}");
    }
}

#[test]
fn the_exit_codes_are_those_of_the_table() {
    let (dir, daemon) = (TempDir::new(), Daemon::start());
    let damaged = dir.path().join("damaged.db");
    fs::write(&damaged, "no database").expect("a file");
    let (damaged, data, fresh) = (damaged.display(), daemon.data.display(), dir.path().join("fresh"));
    let fresh = fresh.display();
    for (arguments, code, what) in [
        ("--help".to_owned(), 0, "success"),
        (format!("operator-token --data-dir {fresh}"), 1, "failure"),
        ("serve --no-such-flag".to_owned(), 2, "a flag"),
        (format!("serve --data-dir {data} --listen 127.0.0.1:0"), 3, "another daemon"),
        (format!("config check --config {damaged}"), 2, "a flag"),
        (format!("check {damaged}"), 4, "the database is damaged"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_taosd")).args(arguments.split(' ')).output().expect("it runs");
        assert_eq!(output.status.code(), Some(code), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(settings().contains(&format!("| {code} | {what}")), "the page does not say {code}: {what}");
    }
}
