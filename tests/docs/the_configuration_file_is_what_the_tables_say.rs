//! `packaging/taosd.toml`: every key with its default, its bounds and its meaning, all commented out. The file is made
//! from the tables, and the daemon accepts every line of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use taosd::config::keys::{KEYS, LIMITS_AT_START, SettingKey, variable};
use taosd::config::{Config, Flags};
use taosd::limits::{LimitKey, Limits};

use crate::generated::{row, section, whole};
use crate::pages::root;
use crate::support::TempDir;

const FILE: &str = "packaging/taosd.toml";
/// The width of the file in columns.
const WIDTH: usize = 100;

const HEAD: &str = "\
# The settings of taosd. Every setting is commented out with # and no blank after it. It shows the default, or an
# example if there is no default.
#
# A flag overrides an environment variable, and both override this file. The daemon does not start with an unknown key
# or a value out of bounds. After a change run taosd config check --config FILE, then systemctl reload taosd. Settings
# marked (restart) need systemctl restart taosd. If the file has a mistake, a running daemon changes nothing, and its
# log lists the mistakes.
#
# Keep the keys of the top before the first [table]. Uncomment the line of a table, such as [containers], as well.
";

/// Writes text as comment lines of at most `WIDTH` columns.
fn comment(text: &str) -> String {
    let mut out = String::new();
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = String::from("#");
        }
        let _ = write!(line, " {word}");
    }
    out + &line + "\n"
}

fn plain(text: &str) -> String {
    text.replace('`', "")
}

fn about(key: &SettingKey) -> String {
    let mut text = format!("{} Default: {}.", key.about, plain(key.default));
    let also: Vec<&str> = [key.env, key.flag].into_iter().filter(|name| !name.is_empty()).collect();
    if !also.is_empty() {
        let _ = write!(text, " Also {}.", also.join(", "));
    }
    text + if key.reloads { "" } else { " (restart)" }
}

fn about_limit(key: &LimitKey) -> String {
    let restart = if LIMITS_AT_START.contains(&key.name) { " (restart)" } else { "" };
    format!("{} {} to {}.{restart}", key.about.trim(), key.min, key.max)
}

fn file() -> String {
    let mut out = HEAD.to_owned();
    let _ = writeln!(out, "\n# --- Places and addresses ---");
    for key in KEYS.iter().filter(|key| key.table.is_empty()) {
        let _ = write!(out, "\n{}#{} = {}\n", comment(&about(key)), key.name, key.example);
    }
    let _ = writeln!(
        out,
        "\n# --- Limits: times in seconds, sizes in bytes, rates per minute; also TAOSD_NAME in the environment ---"
    );
    for key in Limits::KEYS {
        let _ = write!(out, "\n{}#{} = {}\n", comment(&about_limit(key)), key.name, key.default);
    }
    let mut table = "";
    for key in KEYS.iter().filter(|key| !key.table.is_empty()) {
        if key.table != table {
            table = key.table;
            let _ = write!(
                out,
                "\n# --- [{table}] ---\n\n#[{}]\n",
                table.replace("nodes.NAME", "nodes.shed").replace("NAME", "hermes")
            );
        }
        let name = if key.name == "NAME" { "\"qwen2.5:7b\"" } else { key.name };
        let _ = write!(out, "\n{}#{name} = {}\n", comment(&about(key)), key.example);
    }
    out
}

/// The file with its settings uncommented.
fn uncommented(text: &str) -> String {
    let is_setting = |rest: &str| !rest.is_empty() && !rest.starts_with(' ');
    text.lines()
        .map(|line| line.strip_prefix('#').filter(|rest| is_setting(rest)).unwrap_or(line).to_owned() + "\n")
        .collect()
}

#[test]
fn the_file_is_made_from_the_tables() {
    whole(FILE, &file());
}

#[test]
fn as_it_is_it_sets_nothing_and_uncommented_it_sets_every_key_to_its_default() {
    let dir = TempDir::new();
    let load = |text: &str| {
        let path = dir.path().join("taosd.toml");
        fs::write(&path, text).expect("a file");
        Config::load(&Flags { config: Some(path), ..Flags::default() }).unwrap_or_else(|e| panic!("{e}\n{text}"))
    };
    let text = fs::read_to_string(root().join(FILE)).expect(FILE);
    let defaults = load("");
    assert_eq!(defaults.differences(&load(&text)), []);
    let secret = dir.path().join("webhook.secret");
    fs::write(&secret, "0123456789abcdef").expect("a secret");
    let node = KEYS.iter().find(|key| key.name == "token").expect("a node's token").example;
    let token = format!(r#"{{"fingerprint":"{}","secret":"s"}}"#, "ab".repeat(32));
    let token = format!("\"{}\"", data_encoding::BASE64.encode(token.as_bytes()));
    let whole = uncommented(&text).replace("/etc/taosd/webhook.secret", secret.to_str().expect("UTF-8"));
    let all = load(&whole.replace(node, &token));
    assert_eq!(all.limits, Limits::default());
    let shown: BTreeMap<_, _> = all.settings().into_iter().map(|one| (one.key, (one.value, one.origin))).collect();
    for key in KEYS {
        let name = format!("{}.{}", key.table, key.name).replace("frameworks.NAME", "frameworks.hermes");
        let name = name.replace("nodes.NAME", "nodes.shed");
        let name = name.trim_start_matches('.').replace("models.NAME", "models.qwen2.5:7b");
        let name = name.replace("hermes.env", "hermes.env.HERMES_MODE");
        let (_, origin) = shown.get(&name).unwrap_or_else(|| panic!("{name} is not set"));
        assert!(matches!(origin, taosd::config::Origin::Line(_)), "{name}: {origin:?}");
    }
    // A line shows the default, or an example if the default cannot be written down.
    for change in defaults.differences(&all).iter().filter(|change| change.reloads) {
        let is_example = [
            "allowed_hosts",
            "channel_hosts",
            "channel",
            "public_url",
            "oauth.redirect_schemes",
            "oauth.resources",
            "containers.image",
            "containers.mount_roots",
            "frameworks.",
            "models.",
            "nodes.",
            "webhook.",
        ];
        assert!(is_example.iter().any(|start| change.key.starts_with(start)), "{}: {}", change.key, change.text);
    }
}

#[test]
fn the_tables_of_the_settings_page_are_the_lists_in_the_code() {
    let mut table = row(&["Key", "Environment", "Flag", "Default", "What it is"]) + &row(&["---"; 5]);
    let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
    for key in KEYS {
        let heading = if key.table.is_empty() { String::new() } else { format!("`[{}]` ", key.table) };
        let name = format!("{heading}`{}`{}", key.name, if key.reloads { "" } else { " (restart)" });
        let (flag, more) = key.flag.split_once(", ").unwrap_or((key.flag, ""));
        let flag = if more.is_empty() { code(flag) } else { format!("{}, {more}", code(flag)) };
        table += &row(&[&name, &code(key.env), &flag, key.default, key.about]);
    }
    section("docs/agents/operations/settings.md", "settings", &table);
    let mut table = row(&["Key", "Default", "From", "To", "What it bounds"]) + &row(&["---"; 5]);
    for key in Limits::KEYS {
        let numbers = [key.default, key.min, key.max].map(|number| number.to_string());
        let restart = if LIMITS_AT_START.contains(&key.name) { " (restart)" } else { "" };
        let name = format!("`{}`{restart}", key.name);
        table += &row(&[&name, &numbers[0], &numbers[1], &numbers[2], key.about.trim()]);
    }
    section("docs/agents/operations/settings.md", "limits", &table);
}

#[test]
fn the_variable_of_a_limit_is_as_the_file_says() {
    assert_eq!(variable("head_timeout"), "TAOSD_HEAD_TIMEOUT");
}
