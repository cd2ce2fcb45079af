//! `taosctl users`.

use super::{user_sessions, user_token};
use crate::ctl::core::flags::Flag;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;

const COLUMNS: &[Column] = &[
    Column("NAME", "username"),
    Column("DISPLAY NAME", "display_name"),
    Column("ROLE", "role"),
    Column("DISABLED", "disabled"),
    Column("CREATED", "created_at"),
];

/// The noun `users` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "users",
    about: "Users and their tokens",
    entries: &[
        CommandEntry::Verb(Verb::new("list", "users_list", ShowAs::Table(COLUMNS)).empty("taosctl users create NAME")),
        CommandEntry::Verb(Verb::new("get", "users_get", ShowAs::Record)),
        CommandEntry::Verb(Verb::new("create", "users_create", ShowAs::Record).flags(&[Flag::First("username")])),
        CommandEntry::Verb(Verb::new("update", "users_update", ShowAs::Record)),
        CommandEntry::Verb(
            Verb::new("delete", "users_delete", ShowAs::Done("deleted", None))
                .ask("Delete user {} with its tokens and grants?"),
        ),
        user_token::ENTRY,
        user_sessions::ENTRY,
    ],
};
