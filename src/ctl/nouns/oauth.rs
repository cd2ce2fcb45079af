//! `taosctl oauth`: what was granted to programs.

use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::Show;
use crate::ctl::verbs::verb::Verb;

const COLUMNS: &[Column] = &[
    Column("ID", "id"),
    Column("PROGRAM", "client_name"),
    Column("AGENT", "agent_name"),
    Column("BY", "username"),
    Column("SCOPE", "scope"),
    Column("LAST USED", "last_used_at"),
    Column("UNTIL", "expires_at"),
];

/// The noun.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "oauth",
    about: "What was granted to programs",
    entries: &[CommandEntry::Noun {
        name: "grants",
        about: "See and end what was granted to programs",
        entries: &[
            CommandEntry::Verb(Verb::new("list", "oauth_grants_list", Show::Table(COLUMNS))),
            CommandEntry::Verb(
                Verb::new("revoke", "oauth_grants_revoke", Show::Done("revoked", None))
                    .ask("End the grant {}? Its program has to ask again."),
            ),
        ],
    }],
};
