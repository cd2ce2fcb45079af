//! `taosctl backup`, `taosctl backups` and `taosctl download-backup`.

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgMatches, Command};

use super::download;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::path;
use crate::ctl::login::context::Context;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;

const COLUMNS: &[Column] =
    &[Column("FILE", "file"), Column("BYTES", "bytes"), Column("CREATED", "created_at"), Column("BLAKE3", "blake3")];

/// Makes a backup.
pub const BACKUP: CommandEntry = CommandEntry::Verb(Verb::new("backup", "backups_create", ShowAs::Record));
/// Lists the backups.
pub const BACKUPS: CommandEntry =
    CommandEntry::Verb(Verb::new("backups", "backups_list", ShowAs::Table(COLUMNS)).empty("taosctl backup"));
/// Downloads a backup.
pub const FETCH: CommandEntry =
    CommandEntry::Own { name: "download-backup", routes: &["backups_download"], command, run };

fn command(name: &'static str) -> Command {
    let file = Arg::new("file").value_name("FILE").required(true).value_parser(NonEmptyStringValueParser::new());
    Command::new(name)
        .about(path::route("backups_download").title)
        .arg(file.help("Its name, as taosctl backups shows it"))
        .args(download::place_args())
}

fn run(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let file = matches.get_one::<String>("file").map_or("", String::as_str);
    // A backup holds everything that the box knows.
    download::fetch(context, matches, "backups_download", file, 0o600)
}
