//! `taosctl keys`: the caller's keys (personal access tokens).

use super::subjects;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;

/// The columns of a list of keys.
pub const COLUMNS: &[Column] = &[
    Column("ID", "credential_id"),
    Column("NAME", "name"),
    Column("KIND", "kind"),
    Column("AGENT", "bound_agent_id"),
    Column("STATE", "lifecycle_state"),
    Column("EXPIRES", "expires_at"),
    Column("LAST USED", "last_used_at"),
];

/// The noun `keys` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "keys",
    about: "Keys, which are exchanged for short-lived tokens",
    entries: &[
        CommandEntry::Verb(Verb::new("create", "keys_create", ShowAs::Kept)),
        CommandEntry::Verb(
            Verb::new("list", "keys_list", ShowAs::Table(COLUMNS))
                .dressed(subjects::named)
                .empty("taosctl keys create NAME --print-token"),
        ),
        CommandEntry::Verb(Verb::new("rotate", "keys_rotate", ShowAs::Kept)),
        CommandEntry::Verb(
            Verb::new("revoke", "keys_revoke", ShowAs::Done("revoked", None))
                .ask("Revoke key {} and every token exchanged for it?"),
        ),
    ],
};
