//! `taosctl users token`.

use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::Show;
use crate::ctl::verbs::verb::Verb;

const COLUMNS: &[Column] = &[
    Column("ID", "id"),
    Column("LABEL", "label"),
    Column("SCOPE", "scope"),
    Column("CREATED", "created_at"),
    Column("EXPIRES", "expires_at"),
    Column("LAST USED", "last_used_at"),
];

/// The noun.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "token",
    about: "A user's tokens",
    entries: &[
        CommandEntry::Verb(Verb::new("issue", "users_token_issue", Show::Secret("token"))),
        CommandEntry::Verb(Verb::new("list", "users_token_list", Show::Table(COLUMNS))),
        CommandEntry::Verb(Verb::new("revoke", "users_token_revoke", Show::Done("revoked", None))),
    ],
};
