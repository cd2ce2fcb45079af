//! `taosctl oauth`: grants to programs, programs registered by an admin, and what a token allows.

use crate::ctl::core::flags::Flag;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::ShowAs;
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

const CLIENTS: &[Column] = &[
    Column("ID", "id"),
    Column("NAME", "name"),
    Column("REDIRECT", "redirect_uris"),
    Column("SECRET", "has_secret"),
    Column("INTROSPECT", "introspect"),
    Column("BY", "created_by"),
    Column("CREATED", "created_at"),
];
const ADD: &[Flag] = &[Flag::First("name"), Flag::Named("redirect_uris", "redirect")];

/// The noun `oauth` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "oauth",
    about: "Programs: their grants, registrations and tokens",
    entries: &[
        CommandEntry::Noun {
            name: "grants",
            about: "See and end what was granted to programs",
            entries: &[
                CommandEntry::Verb(
                    Verb::new("list", "oauth_grants_list", ShowAs::Table(COLUMNS))
                        .empty("taosctl docs letting-programs-log-in"),
                ),
                CommandEntry::Verb(
                    Verb::new("revoke", "oauth_grants_revoke", ShowAs::Done("revoked", None))
                        .ask("End the grant {}? Its program has to ask again."),
                ),
            ],
        },
        CommandEntry::Noun {
            name: "clients",
            about: "Register programs by hand",
            entries: &[
                CommandEntry::Verb(
                    Verb::new("list", "oauth_clients_list", ShowAs::Table(CLIENTS))
                        .empty("taosctl oauth clients add NAME --redirect URI"),
                ),
                CommandEntry::Verb(Verb::new("add", "oauth_clients_create", ShowAs::Record).flags(ADD)),
                CommandEntry::Verb(
                    Verb::new("remove", "oauth_clients_delete", ShowAs::Done("removed", None))
                        .ask("Remove the program {} and end what was granted to it?"),
                ),
            ],
        },
        super::introspect::ENTRY,
    ],
};
