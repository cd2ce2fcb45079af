//! `taosctl grants`.

use super::subjects;
use crate::ctl::core::flags::Flag;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;

/// The columns of a list of grants.
pub const COLUMNS: &[Column] = &[
    Column("ID", "id"),
    Column("PRINCIPAL", "principal"),
    Column("RESOURCE", "resource"),
    Column("ROLE", "role"),
    Column("BY", "granted_by"),
    Column("AT", "granted_at"),
    Column("UNTIL", "expires_at"),
];

/// The noun `grants` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "grants",
    about: "Roles on agents and in spaces",
    entries: &[
        CommandEntry::Verb(
            Verb::new("list", "grants_list", ShowAs::Table(COLUMNS))
                .dressed(subjects::named)
                .empty("taosctl grants create user:NAME agent:NAME viewer"),
        ),
        CommandEntry::Verb(Verb::new("create", "grants_create", ShowAs::Record).flags(&[
            Flag::First("principal"),
            Flag::First("resource"),
            Flag::First("role"),
        ])),
        CommandEntry::Verb(Verb::new("delete", "grants_delete", ShowAs::Done("deleted", None)).ask("Delete grant {}?")),
    ],
};
