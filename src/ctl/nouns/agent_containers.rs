//! The verbs of `taosctl agents` that are about an agent's container.

use crate::ctl::core::flags::Flag;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::Show;
use crate::ctl::verbs::verb::Verb;

const CONTAINERS: &[Column] = &[
    Column("NAME", "name"),
    Column("AGENT", "agent_name"),
    Column("STATUS", "status"),
    Column("IP", "ip"),
    Column("MEMORY MB", "memory_mb"),
    Column("CPUS", "cpu_cores"),
];

/// Start.
pub const START: CommandEntry = CommandEntry::Verb(Verb::new("start", "agents_start", Show::Done("started", None)));
/// Stop.
pub const STOP: CommandEntry = CommandEntry::Verb(Verb::new("stop", "agents_stop", Show::Done("stopped", None)));
/// Restart.
pub const RESTART: CommandEntry =
    CommandEntry::Verb(Verb::new("restart", "agents_restart", Show::Done("restarted", None)));
/// How it sleeps and wakes.
pub const WAKE: CommandEntry = CommandEntry::Verb(Verb::new("wake", "agents_wake", Show::Stored("agents_get", "name")));
/// Pause.
pub const PAUSE: CommandEntry = CommandEntry::Verb(Verb::new("pause", "agents_pause", Show::Done("paused", None)));
/// Resume.
pub const RESUME: CommandEntry = CommandEntry::Verb(Verb::new("resume", "agents_resume", Show::Done("resumed", None)));
/// Containers.
pub const LIST: CommandEntry =
    CommandEntry::Verb(Verb::new("containers", "agents_containers", Show::Table(CONTAINERS)));
/// How a deployment goes.
pub const DEPLOY_STATUS: CommandEntry =
    CommandEntry::Verb(Verb::new("deploy-status", "agents_deploy_status", Show::Record));
/// Deploy.
pub const DEPLOY: CommandEntry = CommandEntry::Verb(
    Verb::new("deploy", "agents_deploy", Show::Stored("agents_get", "name"))
        .flags(&[Flag::File("soul_md", "soul"), Flag::File("agent_md", "agent")]),
);

/// All agents at once.
pub const BULK: CommandEntry = CommandEntry::Noun {
    name: "bulk",
    about: "Start, stop or restart every agent that you may edit",
    entries: &[
        CommandEntry::Verb(Verb::new("start", "agents_bulk_start", Show::Results)),
        CommandEntry::Verb(Verb::new("stop", "agents_bulk_stop", Show::Results)),
        CommandEntry::Verb(Verb::new("restart", "agents_bulk_restart", Show::Results)),
    ],
};
