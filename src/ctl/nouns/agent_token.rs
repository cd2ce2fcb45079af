//! `taosctl agents token`.

use crate::ctl::core::flags::Flag;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::Show;
use crate::ctl::verbs::verb::Verb;

/// The noun.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "token",
    about: "An agent's token",
    entries: &[
        CommandEntry::Verb(
            Verb::new("issue", "agents_token_issue", Show::Secret("token"))
                .flags(&[Flag::Named("grace_seconds", "grace")]),
        ),
        CommandEntry::Verb(Verb::new("show", "agents_token_show", Show::Record)),
        CommandEntry::Verb(Verb::new("revoke", "agents_token_revoke", Show::Done("revoked", None))),
    ],
};
