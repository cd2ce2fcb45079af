//! `taosctl backup` and `taosctl backups`.

use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::Show;
use crate::ctl::verbs::verb::Verb;

const COLUMNS: &[Column] =
    &[Column("FILE", "file"), Column("BYTES", "bytes"), Column("CREATED", "created_at"), Column("BLAKE3", "blake3")];

/// Makes one.
pub const BACKUP: CommandEntry = CommandEntry::Verb(Verb::new("backup", "backups_create", Show::Record));
/// Lists them.
pub const BACKUPS: CommandEntry =
    CommandEntry::Verb(Verb::new("backups", "backups_list", Show::Table(COLUMNS)).empty("taosctl backup"));
