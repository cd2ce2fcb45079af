//! `taosctl users sessions`.

use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;

const COLUMNS: &[Column] = &[
    Column("ID", "id"),
    Column("OPENED WITH", "opened_with"),
    Column("CREATED", "created_at"),
    Column("EXPIRES", "expires_at"),
    Column("LAST USED", "last_used_at"),
];

/// The noun `users sessions` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "sessions",
    about: "A user's web sessions",
    entries: &[
        CommandEntry::Verb(
            Verb::new("list", "users_sessions_list", ShowAs::Table(COLUMNS)).own().empty("taosctl open"),
        ),
        CommandEntry::Verb(
            Verb::new("end", "users_sessions_end", ShowAs::Record).own().ask("Sign {} out of every browser?"),
        ),
    ],
};
