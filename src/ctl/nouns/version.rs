//! `taosctl version`: the versions of this program and of the daemon.

use clap::{ArgMatches, Command};
use serde_json::{Map, Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::path;
use crate::ctl::login::context::Context;
use crate::ctl::login::session::Session;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show;

/// The version of this program.
pub(super) const OWN: &str = env!("CARGO_PKG_VERSION");

/// `taosctl version`.
pub const ENTRY: CommandEntry = CommandEntry::Own { name: "version", routes: &["healthz"], command, run };

fn command(name: &'static str) -> Command {
    Command::new(name).about("Show the versions of taosctl and of the daemon")
}

fn run(context: &Context, _: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let daemon = of_daemon(&session).ok();
    let shown = json!({"taosctl": OWN, "taosd": daemon, "server": session.connection.server.to_string()});
    if context.json {
        return Ok(show::one_line(&shown));
    }
    let output = show::record(&shown)?;
    Ok(if daemon.is_none() {
        output.with_note("note: the daemon does not answer; run: taosctl doctor")
    } else {
        output
    })
}

/// The version of the daemon.
///
/// # Errors
/// The daemon does not reply, or the reply has no version.
pub(super) fn of_daemon(session: &Session<'_>) -> Result<String, Failure> {
    let route = path::route("healthz");
    let reply: Value = session.send_for_json(route, &path::target(route, &[], &Map::new()), None)?;
    let wrong = || Failure::Unexpected("The answer has no version.".to_owned());
    reply["version"].as_str().map(str::to_owned).ok_or_else(wrong)
}
