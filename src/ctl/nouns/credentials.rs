//! `taosctl credentials`: keys of the user's agents, and whether some should be deleted.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value, json};

use super::keys::COLUMNS;
use super::subjects;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::flags::Flag;
use crate::ctl::core::output::Output;
use crate::ctl::core::path;
use crate::ctl::login::context::Context;
use crate::ctl::login::session::Session;
use crate::ctl::show::table;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::{self, ShowAs};
use crate::ctl::verbs::verb::Verb;

const REPORT: &[Column] = &[Column("AGENT", "agent"), Column("ACTIVE KEYS", "active"), Column("VERDICT", "verdict")];

const EXPIRING: &[Column] = &[
    Column("EXPIRES", "expires_at"),
    Column("KIND", "kind"),
    Column("AGENT", "agent_name"),
    Column("USER", "username"),
    Column("LABEL", "label"),
    Column("LAST USED", "last_used_at"),
    Column("KEY", "key_id"),
];

/// The noun `credentials` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "credentials",
    about: "Keys of agents, and enrollments",
    entries: &[
        CommandEntry::Verb(
            Verb::new("list", "credentials_list", ShowAs::Table(COLUMNS))
                .dressed(subjects::named)
                .empty("taosctl tokens mint NAME --create"),
        ),
        CommandEntry::Verb(
            Verb::new("expiring", "credentials_expiring", ShowAs::Table(EXPIRING)).empty("taosctl tokens ls"),
        ),
        CommandEntry::Verb(
            Verb::new("issue-agent-pat", "credentials_agent_pat", ShowAs::Kept).flags(&[Flag::Place("agent_id")]),
        ),
        CommandEntry::Verb(Verb::new("issue-enrollment", "credentials_enrollment", ShowAs::Kept)),
        CommandEntry::Verb(
            Verb::new("revoke", "credentials_revoke", ShowAs::Done("revoked", None))
                .ask("Revoke key {} and every token exchanged for it?"),
        ),
        CommandEntry::Own {
            name: "audit",
            routes: &["credentials_list", "ax_agents_manage_list"],
            command: audit_command,
            run: audit,
        },
    ],
};

fn audit_command(name: &'static str) -> Command {
    let strict = Arg::new("strict").long("strict").action(ArgAction::SetTrue);
    Command::new(name)
        .about("See which agents have more keys than they need")
        .after_help(
            "One key is ok, two are a rotation_window, three and more are cleanup_required: revoke what is old.",
        )
        .arg(strict.help("Exit with 1 if a cleanup is required"))
}

fn audit(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let report = report(&ask(&session, "credentials_list")?, &ask(&session, "ax_agents_manage_list")?);
    let dirty = report["summary"]["cleanup_required"] != 0;
    let output = if context.json {
        show::one_line(&report).with_rows("agents")
    } else {
        Output::text(table::table(REPORT, report["agents"].as_array().map_or(&[], Vec::as_slice)))
    };
    Ok(if dirty && matches.get_flag("strict") { output.failing() } else { output })
}

fn ask(session: &Session<'_>, route: &str) -> Result<Vec<Value>, Failure> {
    let route = path::route(route);
    match session.send_for_json(route, &path::target(route, &[], &Map::new()), None)? {
        Value::Array(rows) => Ok(rows),
        _ => Err(Failure::Unexpected("The answer is not a list.".to_owned())),
    }
}

fn verdict(active: usize) -> &'static str {
    match active {
        0 | 1 => "ok",
        2 => "rotation_window",
        _ => "cleanup_required",
    }
}

/// Counts the active keys of each agent, and judges whether there are too many.
fn report(keys: &[Value], agents: &[Value]) -> Value {
    let mut of_agent: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for key in keys.iter().filter(|key| key["lifecycle_state"] == "active") {
        if let Some(agent) = key["bound_agent_id"].as_str() {
            of_agent.entry(agent).or_default().push(&key["credential_id"]);
        }
    }
    let name =
        |id: &str| agents.iter().find(|agent| agent["id"] == id).map_or(json!(id), |agent| agent["name"].clone());
    let row = |(id, keys): (&&str, &Vec<&Value>)| {
        json!({"agent": name(id), "agent_id": id, "active": keys.len(), "verdict": verdict(keys.len()),
            "credential_ids": keys})
    };
    let rows: Vec<Value> = of_agent.iter().map(row).collect();
    let count = |word: &str| rows.iter().filter(|row| row["verdict"] == word).count();
    let words = ["ok", "rotation_window", "cleanup_required"];
    let summary: Map<String, Value> = words.iter().map(|word| ((*word).to_owned(), json!(count(word)))).collect();
    json!({"summary": summary, "agents": rows})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_active_keys_of_agents_count() {
        let key = |id: &str, agent: Value, state: &str| json!({"credential_id": id, "bound_agent_id": agent, "lifecycle_state": state});
        let keys = [
            key("1", json!("a"), "active"),
            key("2", json!("a"), "revoked"),
            key("3", json!("b"), "active"),
            key("4", json!("b"), "active"),
            key("5", json!(null), "active"),
        ];
        let report = report(&keys, &[json!({"id": "a", "name": "Atlas"})]);
        assert_eq!(report["summary"], json!({"ok": 1, "rotation_window": 1, "cleanup_required": 0}));
        assert_eq!(report["agents"][0]["agent"], "Atlas");
        assert_eq!(report["agents"][1]["agent"], "b");
        assert_eq!([1, 2, 3, 4].map(verdict), ["ok", "rotation_window", "cleanup_required", "cleanup_required"]);
    }
}
