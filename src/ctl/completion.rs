//! `taosctl completion`: scripts for shells, and what they ask for while a person types.

use std::env;
use std::ffi::OsString;

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use clap_complete::env::Shells;

use super::grammar;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::say;

/// The verb's name.
pub(super) const NAME: &str = "completion";
/// What a script sets when it asks; its value is the shell.
const ASKED: &str = "TAOSCTL_COMPLETE";

/// The verb.
pub(super) fn command() -> Command {
    let shell = Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell));
    Command::new(NAME).about("Print a shell's completion script").arg(shell.help("The shell")).after_help(
        "The script asks taosctl itself, so that it offers the names of agents, operations, spaces and users that there \
         are now.",
    )
}

/// The script of the shell that was asked for.
pub(super) fn run(matches: &ArgMatches) -> Result<Output, Failure> {
    let shell = matches.get_one::<Shell>("shell").copied().unwrap_or(Shell::Bash).to_string();
    script(&shell).map(Output::text)
}

/// The script of a shell.
///
/// # Errors
/// There is no such shell.
pub fn script(shell: &str) -> Result<String, Failure> {
    let unknown = || Failure::usage(format!("There is no completion for {shell}."), "Use bash, zsh or fish.");
    let shells = Shells::builtins();
    // Into memory first: writing to a closed pipe makes the generator panic.
    let mut script = Vec::new();
    let completer = shells.completer(shell).ok_or_else(unknown)?;
    completer.write_registration(ASKED, "taosctl", "taosctl", "taosctl", &mut script).map_err(Failure::Output)?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// What a shell's script has asked for; the exit code. `None` where none asks.
pub(super) fn offer(whole: fn() -> Command, args: &[OsString]) -> Option<u8> {
    let shell = env::var(ASKED).ok().filter(|shell| !shell.is_empty())?;
    let shells = Shells::builtins();
    let completer = shells.completer(&shell)?;
    // Before `--` stands this program, after it what was typed.
    let typed = args.iter().position(|arg| arg == "--").map_or(args.len(), |at| at + 1);
    let mut offered = Vec::new();
    let mut command = grammar::with_verbs_first(whole());
    command.build();
    let done = completer.write_complete(
        &mut command,
        args[typed..].to_vec(),
        env::current_dir().ok().as_deref(),
        &mut offered,
    );
    let printed = done.and_then(|()| say::out(&String::from_utf8_lossy(&offered)));
    Some(u8::from(printed.is_err()))
}
