//! `taosctl spaces`.

use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::Show;
use crate::ctl::verbs::verb::Verb;

const COLUMNS: &[Column] =
    &[Column("ID", "id"), Column("NAME", "name"), Column("SLUG", "slug"), Column("DEFAULT", "is_default")];
const MEMBERS: &[Column] = &[Column("ID", "id"), Column("NAME", "username"), Column("ROLE", "role")];

/// The noun.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "spaces",
    about: "Spaces, which separate agents",
    entries: &[
        CommandEntry::Verb(Verb::new("list", "spaces_list", Show::Rows("spaces", COLUMNS))),
        CommandEntry::Verb(Verb::new("get", "spaces_read", Show::Record)),
        CommandEntry::Verb(Verb::new("members", "spaces_members", Show::Rows("members", MEMBERS))),
        CommandEntry::Verb(Verb::new("create", "spaces_create", Show::Part("space"))),
    ],
};
