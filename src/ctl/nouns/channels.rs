//! `taosctl channels`.

use crate::ctl::core::flags::Flag;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;

const COLUMNS: &[Column] = &[
    Column("ID", "id"),
    Column("KIND", "kind"),
    Column("URL", "url"),
    Column("LEVEL", "min_level"),
    Column("EVENTS", "events"),
    Column("UPDATED", "updated_at"),
];

/// The flag is `--to`, because `--url` is the address of the daemon.
const TO: &[Flag] = &[Flag::Named("url", "to")];

/// The noun `channels` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "channels",
    about: "Where a user gets notifications outside the box, such as on a phone",
    entries: &[
        CommandEntry::Verb(
            Verb::new("list", "channels_list", ShowAs::Table(COLUMNS)).own().empty("taosctl channels create --help"),
        ),
        CommandEntry::Verb(Verb::new("create", "channels_create", ShowAs::Record).flags(TO).own()),
        CommandEntry::Verb(Verb::new("update", "channels_update", ShowAs::Record).flags(TO)),
        CommandEntry::Verb(
            Verb::new("delete", "channels_delete", ShowAs::Done("deleted", None))
                .ask("Delete channel {}? Nothing is sent there any more."),
        ),
        CommandEntry::Verb(Verb::new("test", "channels_test", ShowAs::Record)),
    ],
};
