//! `taosctl completion`: completion scripts for shells, and the suggestions that the scripts ask for.

use std::env;
use std::ffi::OsString;

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use clap_complete::env::Shells;

use super::grammar;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::say;

/// The name of the command.
pub(super) const NAME: &str = "completion";
/// The variable that a script sets when it asks for suggestions; its value is the shell.
const ASKED: &str = "TAOSCTL_COMPLETE";

/// Builds the command for clap.
pub(super) fn command() -> Command {
    let shell = Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell));
    Command::new(NAME).about("Print a shell's completion script").arg(shell.help("The shell")).after_help(
        "The script asks taosctl itself, so that it offers the names of agents, operations, spaces and users that there \
         are now.",
    )
}

/// Returns the script of the shell on the command line.
pub(super) fn run(matches: &ArgMatches) -> Result<Output, Failure> {
    let shell = matches.get_one::<Shell>("shell").copied().unwrap_or(Shell::Bash).to_string();
    script(&shell).map(Output::text)
}

/// The script of a shell.
///
/// # Errors
/// [`Failure::Usage`] if there is no completion for this shell.
pub fn script(shell: &str) -> Result<String, Failure> {
    let unknown = || Failure::usage(format!("There is no completion for {shell}."), "Use bash, zsh or fish.");
    let shells = Shells::builtins();
    // Writes into memory first: the generator panics when it writes to a closed pipe.
    let mut script = Vec::new();
    let completer = shells.completer(shell).ok_or_else(unknown)?;
    completer.write_registration(ASKED, "taosctl", "taosctl", "taosctl", &mut script).map_err(Failure::Output)?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// Prints the suggestions if a completion script asks for them, and returns the exit code. Otherwise returns `None`.
pub(super) fn offer(whole: fn() -> Command, args: &[OsString]) -> Option<u8> {
    let shell = env::var(ASKED).ok().filter(|shell| !shell.is_empty())?;
    let shells = Shells::builtins();
    let completer = shells.completer(&shell)?;
    // The words before `--` are this program, the words after it are the typed command line.
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
