//! `taosctl operations`.

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgMatches, Command};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::path;
use crate::ctl::login::context::Context;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::{self, ShowAs};
use crate::ctl::verbs::slow;
use crate::ctl::verbs::verb::Verb;
use crate::ctl::verbs::{names, place};

const COLUMNS: &[Column] = &[
    Column("ID", "id"),
    Column("KIND", "kind"),
    Column("AGENT", "agent_name"),
    Column("STATUS", "status"),
    Column("STEP", "step"),
    Column("CREATED", "created_at"),
];

/// The noun `operations` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "operations",
    about: "Slow work: its progress and its results",
    entries: &[
        CommandEntry::Verb(
            Verb::new("list", "operations_list", ShowAs::Table(COLUMNS)).empty("taosctl agents start NAME").followed(),
        ),
        CommandEntry::Verb(Verb::new("get", "operations_get", ShowAs::Record).at_once()),
        CommandEntry::Own { name: "wait", routes: &["operations_get"], command: wait_command, run: wait },
        CommandEntry::Verb(Verb::new("cancel", "operations_cancel", ShowAs::Record)),
    ],
};

fn wait_command(name: &'static str) -> Command {
    let id = Arg::new("id").value_name("ID").required(true).value_parser(NonEmptyStringValueParser::new());
    let id = place::described(id, "/api/operations/", "id", false);
    Command::new(name).about("Wait for the end of an operation; exit with 1 if it failed").arg(id)
}

fn wait(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let id = matches.get_one::<String>("id").map_or("", String::as_str);
    let session = context.session()?;
    let ids = names::resolve(&session, path::route("operations_get").path, &[id])?;
    let operation = slow::follow(&session, ids.first().map_or(id, String::as_str))?;
    show::reply(&session, &ShowAs::Record, &[], &operation)
}
