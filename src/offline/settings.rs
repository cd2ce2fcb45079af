//! `taosd config`: shows and checks the settings as a start would read them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::config::{Config, Origin, Setting};

/// `taosd config check`: the settings by source, and warnings about settings that a start accepts. A setting that
/// cannot be used was reported before there was a [`Config`].
pub fn check(config: &Config) -> String {
    let file = match config.file() {
        Some(file) => format!("{}: {}", file.display(), keys(config, |origin| matches!(origin, Origin::Line(_)))),
        None => "none; name one with --config or TAOSD_CONFIG".to_owned(),
    };
    let environment = keys(config, |origin| matches!(origin, Origin::Variable(_)));
    let flags = keys(config, |origin| matches!(origin, Origin::Flag(_)));
    let warnings: String = warnings(config).iter().map(|warning| format!("warning      {warning}\n")).collect();
    format!(
        "file         {file}\nenvironment  {environment}\nflags        {flags}\n{warnings}\
         ok           a start takes these settings\n"
    )
}

/// The keys that were set in one way, such as by flags.
fn keys(config: &Config, is_one: impl Fn(&Origin) -> bool) -> String {
    let settings = config.settings();
    let keys: Vec<_> = settings.iter().filter(|one| is_one(&one.origin)).map(|one| one.key.as_str()).collect();
    if keys.is_empty() { "nothing set".into() } else { keys.join(", ") }
}

/// `taosd config show`: every setting in force, with its source.
pub fn show(config: &Config) -> String {
    let line = |setting: &Setting| {
        let set = format!("{} = {}", setting.key, setting.value);
        format!("{set:<48}  # {}\n", config.place(&setting.origin))
    };
    config.settings().iter().map(line).collect()
}

/// Warnings about settings that do not prevent a start but are probably a mistake.
fn warnings(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(config.log_warning());
    for root in config.containers.mount_roots.iter().map(|root| &root.path).filter(|root| !root.is_dir()) {
        found.push(format!(
            "containers.mount_roots: {} is not a folder; deployments cannot mount anything below it",
            root.display()
        ));
    }
    if let Some(socket) = config.containers.runtime.socket.as_ref().filter(|socket| !socket.exists()) {
        found.push(format!("containers_socket: {} is not there", socket.display()));
    }
    if let Some(parent) = config.socket.parent().filter(|parent| !parent.is_dir() && *parent != config.data_dir) {
        found.push(format!("socket: the folder {} is not there", parent.display()));
    }
    if let Some(webhook) = &config.webhook
        && others_may_read(&webhook.secret_file)
    {
        found.push(format!(
            "webhook.secret_file: {} can be read by others; chmod 640 it",
            webhook.secret_file.display()
        ));
    }
    for file in config.channels.iter().filter_map(|channel| channel.token_file.as_ref()) {
        if others_may_read(file) {
            found.push(format!("channel: {} can be read by others; chmod 640 it", file.display()));
        }
    }
    for channel in
        config.channels.iter().filter(|channel| channel.token.is_some() && channel.place.starts_with("http:"))
    {
        found.push(format!("channel: {} gets its token without encryption", channel.place));
    }
    if config.containers.frameworks.values().any(|framework| !framework.env.is_empty())
        && let Some(file) = config.file().filter(|file| others_may_read(file))
    {
        found.push(format!("frameworks: {} can be read by others; chmod 640 it if env holds a secret", file.display()));
    }
    for address in config.listen.iter().filter(|address| !address.ip().is_loopback()) {
        found.push(format!("listen: {address} can be reached from the network, without encryption"));
    }
    found
}

fn others_may_read(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.permissions().mode() & 0o004 != 0)
}
