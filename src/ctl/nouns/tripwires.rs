//! `taosctl tripwires`.

use serde_json::{Map, Value};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::path;
use crate::ctl::login::session::Session;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::paging;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;

const COLUMNS: &[Column] = &[
    Column("AGENT", "agent"),
    Column("ID", "id"),
    Column("PATH", "path"),
    Column("FREEZE", "freeze"),
    Column("PLANTED", "planted"),
    Column("TOUCHES", "touches"),
    Column("LAST", "touched_at"),
    Column("FROM", "touched_by"),
];

/// The noun `tripwires` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "tripwires",
    about: "Decoy credentials in agents' containers",
    entries: &[
        CommandEntry::Verb(Verb::new("plant", "tripwires_plant", ShowAs::Record)),
        CommandEntry::Verb(
            Verb::new("list", "tripwires_list", ShowAs::Table(COLUMNS))
                .or_all(rows)
                .empty("taosctl tripwires plant AGENT --help"),
        ),
        CommandEntry::Verb(Verb::new("remove", "tripwires_remove", ShowAs::Done("removed", None))),
    ],
};

/// The tripwires of one agent, or of all agents of the caller.
fn rows(session: &Session<'_>, agent: Option<&str>) -> Result<Vec<Value>, Failure> {
    if let Some(agent) = agent {
        return of_agent(session, agent);
    }
    let agents = paging::rows(session, path::route("agents_list"), &[], Map::new(), None)?;
    let mut all = Vec::new();
    // Only an agent with a container can have a tripwire.
    for agent in agents.iter().filter(|agent| agent["container"].is_object()) {
        match of_agent(session, agent["name"].as_str().unwrap_or_default()) {
            Ok(rows) => all.extend(rows),
            // The caller may see agents of others, and an agent may be archived meanwhile.
            Err(Failure::Refused(refusal)) if matches!(refusal.status, 403 | 404) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(all)
}

fn of_agent(session: &Session<'_>, agent: &str) -> Result<Vec<Value>, Failure> {
    let mut rows = paging::rows(session, path::route("tripwires_list"), &[agent], Map::new(), None)?;
    for row in rows.iter_mut().filter_map(Value::as_object_mut) {
        row.insert("agent".to_owned(), Value::from(agent));
    }
    Ok(rows)
}
