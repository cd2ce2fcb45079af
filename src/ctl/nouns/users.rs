//! `taosctl users`.

use super::user_token;
use crate::ctl::core::flags::Flag;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::Entry;
use crate::ctl::verbs::show::Show;
use crate::ctl::verbs::verb::Verb;

const COLUMNS: &[Column] = &[
    Column("NAME", "username"),
    Column("DISPLAY NAME", "display_name"),
    Column("ROLE", "role"),
    Column("DISABLED", "disabled"),
    Column("CREATED", "created_at"),
];

/// The noun.
pub const ENTRY: Entry = Entry::Noun {
    name: "users",
    about: "Users and their tokens",
    entries: &[
        Entry::Verb(Verb::new("list", "users_list", Show::Table(COLUMNS))),
        Entry::Verb(Verb::new("get", "users_get", Show::Record)),
        Entry::Verb(Verb::new("create", "users_create", Show::Record).flags(&[Flag::Also("username", "name")])),
        Entry::Verb(Verb::new("update", "users_update", Show::Record)),
        Entry::Verb(
            Verb::new("delete", "users_delete", Show::Done("deleted", None))
                .ask("Delete user {} with its tokens and grants?"),
        ),
        user_token::ENTRY,
    ],
};
