//! `taosctl spaces`.

use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::Show;
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

/// The noun.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "spaces",
    about: "Spaces, which separate agents, and their members",
    entries: &[
        CommandEntry::Verb(Verb::new("list", "spaces_list", Show::Rows("spaces", COLUMNS))),
        CommandEntry::Verb(Verb::new("get", "spaces_read", Show::Record)),
        CommandEntry::Verb(Verb::new("members", "spaces_members", Show::Rows("members", MEMBERS))),
        CommandEntry::Verb(Verb::new("let-in", "spaces_members_add", Show::Record)),
        CommandEntry::Verb(
            Verb::new("remove-member", "spaces_members_remove", Show::Done("removed", None)).ask("Remove member {}?"),
        ),
        CommandEntry::Verb(Verb::new("usage", "spaces_usage", Show::Record)),
        CommandEntry::Verb(Verb::new("create", "spaces_create", Show::Part("space"))),
    ],
};
