//! `taosctl box`.

use super::database_check;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;

const COLUMNS: &[Column] = &[Column("KEY", "key"), Column("VALUE", "value"), Column("SOURCE", "source")];

/// The noun `box` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "box",
    about: "The box itself: its state, its settings, its database, what can be deployed on it",
    entries: &[
        CommandEntry::Verb(Verb::new("status", "box_status", ShowAs::Record)),
        CommandEntry::Verb(Verb::new("settings", "box_settings", ShowAs::Table(COLUMNS))),
        CommandEntry::Verb(Verb::new("choices", "agents_deploy_choices", ShowAs::Record)),
        database_check::ENTRY,
    ],
};
