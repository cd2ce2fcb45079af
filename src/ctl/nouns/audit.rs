//! `taosctl audit`.

use super::subjects;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;

const COLUMNS: &[Column] = &[
    Column("AT", "at"),
    Column("ACTOR", "actor"),
    Column("ACTION", "action"),
    Column("RESOURCE", "resource"),
    Column("OUTCOME", "outcome"),
    Column("COUNT", "count"),
    Column("SEQ", "seq"),
];

const HEAD: &[Verb] =
    &[Verb::new("head", "audit_head", ShowAs::Record), Verb::new("verify", "audit_verification", ShowAs::Record)];

/// `taosctl audit`.
pub const ENTRY: CommandEntry = CommandEntry::Verb(
    Verb::new("audit", "audit_list", ShowAs::Table(COLUMNS)).dressed(subjects::called).followed().with(HEAD),
);
