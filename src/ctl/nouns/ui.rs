//! `taosctl ui`.

use crate::ctl::entry::Entry;
use crate::ctl::show::Show;
use crate::ctl::verb::Verb;

/// The noun.
pub const ENTRY: Entry = Entry::Noun {
    name: "ui",
    about: "Tell people something",
    entries: &[Entry::Verb(Verb::new("notify", "ui_notify", Show::Said("delivered", "notification_id")))],
};
