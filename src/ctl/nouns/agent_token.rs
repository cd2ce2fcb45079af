//! `taosctl agents token`.

use crate::ctl::entry::Entry;
use crate::ctl::flags::Flag;
use crate::ctl::show::Show;
use crate::ctl::verb::Verb;

/// The noun.
pub const ENTRY: Entry = Entry::Noun {
    name: "token",
    about: "An agent's token",
    entries: &[
        Entry::Verb(
            Verb::new("issue", "agents_token_issue", Show::Secret("token"))
                .flags(&[Flag::Named("grace_seconds", "grace")]),
        ),
        Entry::Verb(Verb::new("show", "agents_token_show", Show::Record)),
        Entry::Verb(Verb::new("revoke", "agents_token_revoke", Show::Done("revoked", None))),
    ],
};
