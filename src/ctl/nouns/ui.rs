//! `taosctl ui`.

use crate::ctl::core::flags::Flag;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;

/// `ui notify`: notifies the people of the box.
pub const NOTIFY: CommandEntry = CommandEntry::Verb(NOTIFY_VERB);

const NOTIFY_VERB: Verb = Verb::new("notify", "ui_notify", ShowAs::Said("delivered", "notification_id"))
    .flags(&[Flag::First("title"), Flag::First("body")]);

/// The noun `ui` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun { name: "ui", about: "Notify people", entries: &[NOTIFY] };
