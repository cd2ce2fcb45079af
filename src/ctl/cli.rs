//! The whole command as clap sees it: the global flags and the tree of nouns.

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, Command, value_parser};

use super::verbs::entry;
use super::{completion, nouns};

/// Seconds an answer may take where `--timeout` says nothing. A repeat under the same key may be held for 10.
const TIMEOUT: &str = "30";

/// The command.
pub fn command() -> Command {
    let root = Command::new("taosctl")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Talks to taosd: agents, their tokens, users and grants")
        .after_help(
            "Server and login: flags, then TAOS_URL with TAOS_TOKEN or TAOS_TOKEN_FILE, then the nearest \
             .taos/config.toml, the active profile, what `taosctl login` saved, and last the local socket. Keys (axp_…) \
             are exchanged by themselves.\nExit codes: 0 ok, 1 refused by the server, 2 usage or no valid login, 3 \
             unreachable.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .args(globals());
    entry::add_all(root, nouns::ALL).subcommand(completion::command())
}

fn globals() -> impl Iterator<Item = Arg> {
    let text = |id: &'static str, value: &'static str, help: &'static str| {
        Arg::new(id).long(id).value_name(value).help(help).value_parser(NonEmptyStringValueParser::new())
    };
    let args = [
        text("url", "URL", "The daemon: http://HOST:PORT or unix:PATH"),
        text("token", "TOKEN", "The credential; others can see it in the process list, so prefer --token-file"),
        text("token-file", "FILE", "A file that holds the credential; - reads stdin"),
        text("profile", "NAME", "The profile to use; overrides all other sources"),
        text("idempotency-key", "KEY", "Key that makes a repeat of a changing command safe; random if absent"),
        Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print the reply on one line"),
        Arg::new("timeout")
            .long("timeout")
            .value_name("SECONDS")
            .default_value(TIMEOUT)
            .value_parser(value_parser!(u64).range(1..=3600))
            .help("Seconds to wait for a reply"),
    ];
    args.into_iter().map(|arg| arg.global(true).help_heading("Options of every command"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_well_formed() {
        command().debug_assert();
    }
}
