//! `taosctl agents`.

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgMatches, Command};
use serde_json::{Map, Value};

use super::{agent_containers as containers, agent_logs, agent_token, freeze, grants, subjects};
use crate::ctl::core::failure::Failure;
use crate::ctl::core::flags::Flag;
use crate::ctl::core::output::Output;
use crate::ctl::core::path;
use crate::ctl::login::context::Context;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::paging::{limit, rows_wanted};
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;
use crate::ctl::verbs::{paging, place, show};

const COLUMNS: &[Column] = &[
    Column("NAME", "name"),
    Column("STATUS", "status"),
    Column("TOKEN", "has_token"),
    Column("MODEL", "model"),
    Column("OWNER", "owner"),
];

const ARCHIVED: &[Column] = &[
    Column("ID", "id"),
    Column("NAME", "archived_slug"),
    Column("ARCHIVED", "archived_at"),
    Column("CONTAINER", "container"),
    Column("OWNER", "owner"),
];

const STORED: ShowAs = ShowAs::Stored("agents_get", "name");
const RESTORABLE: Option<&str> = Some("It can be brought back: taosctl agents restore {}");

/// The noun `agents` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "agents",
    about: "Agents and their settings",
    entries: &[
        CommandEntry::Verb(
            Verb::new("list", "agents_list", ShowAs::Table(COLUMNS)).empty("taosctl agents create NAME"),
        ),
        CommandEntry::Verb(Verb::new("get", "agents_get", ShowAs::Record)),
        CommandEntry::Verb(Verb::new("calls", "agents_calls", ShowAs::Record)),
        CommandEntry::Verb(Verb::new("create", "agents_create", STORED).noted(other_name)),
        CommandEntry::Verb(Verb::new("update", "agents_update", STORED)),
        CommandEntry::Verb(Verb::new("permissions", "agents_permissions", STORED)),
        CommandEntry::Verb(
            Verb::new("persona", "agents_persona", ShowAs::Part("agent"))
                .flags(&[Flag::File("soul_md", "soul"), Flag::File("agent_md", "agent")]),
        ),
        CommandEntry::Verb(Verb::new("model", "agents_model", STORED).flags(&[Flag::First("model")])),
        CommandEntry::Verb(Verb::new("memory", "agents_memory", ShowAs::Part("agent"))),
        CommandEntry::Verb(
            Verb::new("delete", "agents_delete", ShowAs::Done("archived", RESTORABLE))
                .ask("Archive agent {} and end all its credentials and grants?"),
        ),
        CommandEntry::Verb(
            Verb::new("archived", "agents_archived_list", ShowAs::Table(ARCHIVED)).empty("taosctl agents ls"),
        ),
        CommandEntry::Verb(Verb::new("restore", "agents_restore", STORED)),
        CommandEntry::Verb(
            Verb::new("purge", "agents_purge", ShowAs::Done("purged", None))
                .ask("Delete archived agent {} permanently? You cannot undo this."),
        ),
        CommandEntry::Verb(Verb::new("export", "agents_export", ShowAs::Document)),
        CommandEntry::Verb(Verb::new("register-build", "agentex_agents_register_build", ShowAs::Record)),
        CommandEntry::Verb(Verb::new("register", "agentex_agents_register", ShowAs::Record)),
        CommandEntry::Verb(Verb::new("import", "agents_import", STORED).body_from_file()),
        CommandEntry::Own {
            name: "grants",
            routes: &["agents_get", "grants_list"],
            command: grants_command,
            run: grants_of_agent,
        },
        agent_token::ENTRY,
        containers::DEPLOY,
        containers::DEPLOY_STATUS,
        containers::START,
        containers::STOP,
        containers::RESTART,
        containers::PAUSE,
        containers::RESUME,
        freeze::FREEZE,
        freeze::THAW,
        containers::WAKE,
        containers::BULK,
        agent_logs::ENTRY,
        containers::LIST,
    ],
};

/// A note if the daemon has given the agent another name: the wanted name is taken, or has characters that a name
/// cannot have.
fn other_name(sent: &Map<String, Value>, reply: &Value) -> Option<String> {
    let (wanted, name) = (sent.get("name")?.as_str()?, reply["name"].as_str()?);
    let differs = !wanted.eq_ignore_ascii_case(name);
    let taken =
        name.rsplit_once('-').is_some_and(|(stem, n)| wanted.eq_ignore_ascii_case(stem) && n.parse::<u32>().is_ok());
    let why = if taken { "the name is taken" } else { "a name has only small letters, digits, - and _" };
    differs.then(|| format!("note: the agent is called {name}: {why}"))
}

fn grants_command(name: &'static str) -> Command {
    let agent = Arg::new("name").value_name("NAME").required(true).value_parser(NonEmptyStringValueParser::new());
    let agent = place::described(agent, "/api/agents/", "name", false);
    Command::new(name).about("List the grants on an agent").arg(agent).arg(limit())
}

/// Lists the grants on an agent. Grants refer to the agent's id, but people know its name.
fn grants_of_agent(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let name = matches.get_one::<String>("name").map_or("", String::as_str);
    let get = path::route("agents_get");
    let agent = session.send_for_json(get, &path::target(get, &[name], &Map::new()), None)?;
    let id = agent["id"].as_str().unwrap_or_default();
    let query = Map::from_iter([("resource".to_owned(), Value::from(format!("agent:{id}")))]);
    let mut rows = paging::rows(&session, path::route("grants_list"), &[], query, rows_wanted(matches))?;
    if !context.json {
        subjects::named(&session, &mut rows);
    }
    show::reply(&session, &ShowAs::Table(grants::COLUMNS), &[], &Value::Array(rows))
}
