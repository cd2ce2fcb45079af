//! `taosctl ui`.

use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::Show;
use crate::ctl::verbs::verb::Verb;

/// The noun.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "ui",
    about: "Notify people",
    entries: &[CommandEntry::Verb(Verb::new("notify", "ui_notify", Show::Said("delivered", "notification_id")))],
};
