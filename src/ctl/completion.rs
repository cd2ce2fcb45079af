//! `taosctl completion`: scripts for shells.

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use crate::ctl::cli;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::login::context::Context;
use crate::ctl::verbs::entry::Entry;

/// The verb.
pub const ENTRY: Entry = Entry::Own { name: "completion", routes: &[], command, run };

fn command(name: &'static str) -> Command {
    let shell = Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell));
    Command::new(name).about("Print a shell's completion script").arg(shell)
}

fn run(_: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let shell = matches.get_one::<Shell>("shell").copied().unwrap_or(Shell::Bash);
    // Into memory first: writing to a closed pipe makes the generator panic.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "taosctl", &mut script);
    Ok(Output::text(String::from_utf8_lossy(&script).into_owned()))
}
