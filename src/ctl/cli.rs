//! The whole command as clap sees it: the global flags and the tree of nouns.

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{Arg, ArgAction, Command, value_parser};

use super::core::format::Format;
use super::verbs::entry;
use super::{completion, examples, nouns};
use crate::say;

/// The default of `--timeout` in seconds. The server may hold a repeated request with the same key for 10 seconds.
const TIMEOUT: &str = "30";

/// The command.
pub fn command() -> Command {
    let root = Command::new("taosctl")
        .version(env!("CARGO_PKG_VERSION"))
        .term_width(say::help_width())
        .about("Talks to taosd: agents, their tokens, users and grants")
        .after_help(
            "You may also put the verb first, as in kubectl and incus: taosctl get agents, taosctl describe agent NAME, taosctl start \
             NAME, taosctl logs NAME -f.\nServer and login: flags, then TAOS_URL with TAOS_TOKEN or TAOS_TOKEN_FILE, then the nearest \
             .taos/config.toml, the active profile, what `taosctl login` saved, and last the local socket. taosctl exchanges keys (axp_…) automatically.\nExit codes: 0 ok, 1 refused by the server, 2 usage or no valid login, 3 \
             unreachable.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .args(globals());
    examples::dress(entry::add_all(root, nouns::ALL).subcommand(completion::command()))
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
        text("idempotency-key", "KEY", "A key that makes it safe to repeat a changing command; random if absent"),
        Arg::new("format")
            .long("output")
            .alias("format")
            .short('o')
            .value_name("FORMAT")
            .value_parser(PossibleValuesParser::new(Format::SLUGS))
            .help("How to print: table, wide, json, yaml, jsonl or name"),
        Arg::new("json").long("json").action(ArgAction::SetTrue).help("The same as -o json: the reply on one line"),
        Arg::new("fields")
            .long("fields")
            .value_name("FIELD,…")
            .value_delimiter(',')
            .value_parser(NonEmptyStringValueParser::new())
            .help("Print only these fields, as JSON"),
        Arg::new("quiet")
            .long("quiet")
            .short('q')
            .action(ArgAction::SetTrue)
            .help("Print only names, and no notes or progress"),
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
