//! `taosctl completion`: scripts for shells.

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use crate::ctl::core::output::Output;

/// The verb's name.
pub(super) const NAME: &str = "completion";

/// The verb.
pub(super) fn command() -> Command {
    let shell = Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell));
    Command::new(NAME).about("Print a shell's completion script").arg(shell)
}

/// The script of the shell that was asked for. `whole` is the command that it completes.
pub(super) fn run(mut whole: Command, matches: &ArgMatches) -> Output {
    let shell = matches.get_one::<Shell>("shell").copied().unwrap_or(Shell::Bash);
    // Into memory first: writing to a closed pipe makes the generator panic.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut whole, "taosctl", &mut script);
    Output::text(String::from_utf8_lossy(&script).into_owned())
}
