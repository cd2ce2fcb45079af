//! `taosctl users token`.

use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;

const COLUMNS: &[Column] = &[
    Column("ID", "id"),
    Column("LABEL", "label"),
    Column("SCOPE", "scope"),
    Column("CREATED", "created_at"),
    Column("EXPIRES", "expires_at"),
    Column("LAST USED", "last_used_at"),
];

/// Issues a token of a user.
pub const ISSUE: Verb = Verb::new("issue", "users_token_issue", ShowAs::Secret("token"));
/// Lists a user's tokens.
pub const LIST: Verb =
    Verb::new("list", "users_token_list", ShowAs::Table(COLUMNS)).own().empty("taosctl users token issue USER");
/// Revokes a token of a user.
pub const REVOKE: Verb = Verb::new("revoke", "users_token_revoke", ShowAs::Done("revoked", None))
    .ask("Revoke token {}? It stops working at once.");

/// The noun `users token` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "token",
    about: "A user's tokens",
    entries: &[CommandEntry::Verb(ISSUE), CommandEntry::Verb(LIST), CommandEntry::Verb(REVOKE)],
};
