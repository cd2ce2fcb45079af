//! `taosctl tripwires`.

use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;

const COLUMNS: &[Column] = &[
    Column("ID", "id"),
    Column("PATH", "path"),
    Column("KIND", "kind"),
    Column("FREEZE", "freeze"),
    Column("PLANTED", "planted"),
    Column("TOUCHES", "touches"),
    Column("LAST", "touched_at"),
    Column("FROM", "touched_by"),
];

/// The noun.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "tripwires",
    about: "Decoy credentials in agents' containers",
    entries: &[
        CommandEntry::Verb(Verb::new("plant", "tripwires_plant", ShowAs::Record)),
        CommandEntry::Verb(
            Verb::new("list", "tripwires_list", ShowAs::Table(COLUMNS)).empty("taosctl tripwires plant AGENT --help"),
        ),
        CommandEntry::Verb(Verb::new("remove", "tripwires_remove", ShowAs::Done("removed", None))),
    ],
};
