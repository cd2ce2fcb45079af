//! `taosd config`: the settings as a start would read them, looked at before it is one.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::config::{Config, Origin};

/// `taosd config check`: says what was read from where, and warns of what a start would put up with.
///
/// # Errors
/// stdout cannot be written. That a setting cannot be used was told before there was a [`Config`].
pub fn check(config: &Config) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match config.file() {
        Some(file) => {
            writeln!(out, "file         {}: {}", file.display(), keys(config, |o| matches!(o, Origin::Line(_))))?
        }
        None => writeln!(out, "file         none; name one with --config or TAOSD_CONFIG")?,
    }
    writeln!(out, "environment  {}", keys(config, |origin| matches!(origin, Origin::Variable(_))))?;
    writeln!(out, "flags        {}", keys(config, |origin| matches!(origin, Origin::Flag(_))))?;
    for warning in warnings(config) {
        writeln!(out, "warning      {warning}")?;
    }
    writeln!(out, "ok           a start takes these settings")
}

/// The keys that were set in one way.
fn keys(config: &Config, is_one: impl Fn(&Origin) -> bool) -> String {
    let settings = config.settings();
    let keys: Vec<_> = settings.iter().filter(|one| is_one(&one.origin)).map(|one| one.key.as_str()).collect();
    if keys.is_empty() { "nothing set".into() } else { keys.join(", ") }
}

/// `taosd config show`: every setting in force, with its place.
///
/// # Errors
/// stdout cannot be written.
pub fn show(config: &Config) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for setting in config.settings() {
        let line = format!("{} = {}", setting.key, setting.value);
        writeln!(out, "{line:<48}  # {}", config.place(&setting.origin))?;
    }
    Ok(())
}

/// What is no reason not to start, but hardly meant.
fn warnings(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    for root in config.containers.mount_roots.iter().map(|root| &root.path).filter(|root| !root.is_dir()) {
        found.push(format!("containers.mount_roots: {} is no folder; nothing below it can be mounted", root.display()));
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
