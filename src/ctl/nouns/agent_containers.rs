//! The verbs of `taosctl agents` that are about an agent's container.

use clap::{Arg, ArgMatches, Command};

use crate::ctl::core::ask;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::flags::Flag;
use crate::ctl::core::output::Output;
use crate::ctl::login::context::Context;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::complete;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;

const CONTAINERS: &[Column] = &[
    Column("NAME", "name"),
    Column("AGENT", "agent_name"),
    Column("STATUS", "status"),
    Column("NODE", "node"),
    Column("IP", "ip"),
    Column("MEMORY MB", "memory_mb"),
    Column("CPUS", "cpu_cores"),
];

/// `agents start`.
pub const START: CommandEntry = CommandEntry::Verb(ONE_START);
/// `agents stop`.
pub const STOP: CommandEntry = CommandEntry::Verb(ONE_STOP);
/// `agents restart`.
pub const RESTART: CommandEntry = CommandEntry::Verb(ONE_RESTART);
/// `agents wake`.
pub const WAKE: CommandEntry =
    CommandEntry::Verb(Verb::new("wake", "agents_wake", ShowAs::Stored("agents_get", "name")));
/// `agents pause`.
pub const PAUSE: CommandEntry = CommandEntry::Verb(Verb::new("pause", "agents_pause", ShowAs::Done("paused", None)));
/// `agents resume`.
pub const RESUME: CommandEntry =
    CommandEntry::Verb(Verb::new("resume", "agents_resume", ShowAs::Done("resumed", None)));
/// `agents containers`: the containers on the box.
pub const LIST: CommandEntry = CommandEntry::Verb(
    Verb::new("containers", "agents_containers", ShowAs::Table(CONTAINERS)).empty("taosctl agents deploy NAME"),
);
/// `agents deploy-status`: the progress of a deployment.
pub const DEPLOY_STATUS: CommandEntry =
    CommandEntry::Verb(Verb::new("deploy-status", "agents_deploy_status", ShowAs::Record));
/// `agents deploy`.
pub const DEPLOY: CommandEntry = CommandEntry::Verb(
    Verb::new("deploy", "agents_deploy", ShowAs::Stored("agents_get", "name"))
        .flags(&[Flag::File("soul_md", "soul"), Flag::File("agent_md", "agent")]),
);

/// `agents bulk`: many agents at once.
pub const BULK: CommandEntry = CommandEntry::Noun {
    name: "bulk",
    about: "Start, stop or restart the agents you name, or every agent that you may edit",
    entries: &[
        CommandEntry::Own { name: "start", routes: &["agents_bulk_start"], command: bulk_command, run: bulk_start },
        CommandEntry::Own { name: "stop", routes: &["agents_bulk_stop"], command: bulk_command, run: bulk_stop },
        CommandEntry::Own {
            name: "restart",
            routes: &["agents_bulk_restart"],
            command: bulk_command,
            run: bulk_restart,
        },
    ],
};

const BULK_START: Verb = Verb::new("start", "agents_bulk_start", ShowAs::Results);
const BULK_STOP: Verb = Verb::new("stop", "agents_bulk_stop", ShowAs::Results);
const BULK_RESTART: Verb = Verb::new("restart", "agents_bulk_restart", ShowAs::Results);
const ONE_START: Verb = Verb::new("start", "agents_start", ShowAs::Done("started", None));
const ONE_STOP: Verb = Verb::new("stop", "agents_stop", ShowAs::Done("stopped", None));
const ONE_RESTART: Verb = Verb::new("restart", "agents_restart", ShowAs::Done("restarted", None));

fn bulk_verb(name: &str) -> &'static Verb {
    match name {
        "start" => &BULK_START,
        "stop" => &BULK_STOP,
        _ => &BULK_RESTART,
    }
}

fn bulk_command(name: &'static str) -> Command {
    let names = Arg::new("name").value_name("NAME").num_args(0..).add(complete::agents());
    let command = bulk_verb(name).command().arg(names.help("The agents, by name or id; every agent if absent"));
    command.arg(ask::yes())
}

fn bulk(context: &Context, matches: &ArgMatches, all: &Verb, one: &Verb) -> Result<Output, Failure> {
    if matches.get_many::<String>("name").is_some_and(|names| names.len() > 0) {
        return one.run(context, matches);
    }
    if !matches.get_flag("yes") {
        ask::confirm(&format!("{} every agent that you may edit?", all.name))?;
    }
    all.run(context, matches)
}

fn bulk_start(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    bulk(context, matches, &BULK_START, &ONE_START)
}

fn bulk_stop(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    bulk(context, matches, &BULK_STOP, &ONE_STOP)
}

fn bulk_restart(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    bulk(context, matches, &BULK_RESTART, &ONE_RESTART)
}
