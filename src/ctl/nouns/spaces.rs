//! `taosctl spaces`.

use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;

const COLUMNS: &[Column] =
    &[Column("ID", "id"), Column("NAME", "name"), Column("SLUG", "slug"), Column("DEFAULT", "is_default")];
const MEMBERS: &[Column] = &[
    Column("ID", "id"),
    Column("NAME", "username"),
    Column("TYPE", "type"),
    Column("ROLE", "role"),
    Column("UNTIL", "expires_at"),
];

/// The noun `spaces` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "spaces",
    about: "Spaces, which separate agents, and their members",
    entries: &[
        CommandEntry::Verb(Verb::new("list", "spaces_list", ShowAs::Rows("spaces", COLUMNS))),
        CommandEntry::Verb(Verb::new("get", "spaces_read", ShowAs::Record)),
        CommandEntry::Verb(Verb::new("members", "spaces_members", ShowAs::Rows("members", MEMBERS))),
        CommandEntry::Verb(Verb::new("let-in", "spaces_members_add", ShowAs::Record)),
        CommandEntry::Verb(
            Verb::new("remove-member", "spaces_members_remove", ShowAs::Done("removed", None)).ask("Remove member {}?"),
        ),
        CommandEntry::Verb(Verb::new("usage", "spaces_usage", ShowAs::Record)),
        CommandEntry::Verb(Verb::new("create", "spaces_create", ShowAs::Part("space"))),
    ],
};
