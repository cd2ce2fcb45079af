//! `taosctl ui`.

use crate::ctl::verbs::entry::Entry;
use crate::ctl::verbs::show::Show;
use crate::ctl::verbs::verb::Verb;

/// The noun.
pub const ENTRY: Entry = Entry::Noun {
    name: "ui",
    about: "Tell people something",
    entries: &[Entry::Verb(Verb::new("notify", "ui_notify", Show::Said("delivered", "notification_id")))],
};
