//! `taosctl freeze` and `taosctl thaw`: agents by name, or all of them. `taosctl agents freeze` and `taosctl agents thaw`
//! are the same commands.

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::{path, text};
use crate::ctl::login::context::Context;
use crate::ctl::login::session::Session;
use crate::ctl::verbs::each::each_named;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::slow;

/// `taosctl freeze`.
pub const FREEZE: CommandEntry = CommandEntry::Own {
    name: "freeze",
    routes: &["agents_freeze", "freeze_all"],
    command: freeze_command,
    run: freeze,
};
/// `taosctl thaw`.
pub const THAW: CommandEntry =
    CommandEntry::Own { name: "thaw", routes: &["agents_thaw", "thaw_all"], command: thaw_command, run: thaw };

fn freeze_command(name: &'static str) -> Command {
    command(name, true)
        .about("Freeze agents: end the use of their credentials at once, then freeze their containers")
        .after_help("taosctl thaw undoes it.")
}

fn thaw_command(name: &'static str) -> Command {
    command(name, false)
        .arg(
            Arg::new("frozen-at")
                .long("frozen-at")
                .value_name("TIME")
                .requires("all")
                .help("With --all: thaw only the agents of the freeze at this time; freeze --all prints it"),
        )
        .about("Thaw frozen agents")
        .after_help("Credentials that were valid at the freeze and were not revoked since work again.")
}

fn command(name: &'static str, reason_required: bool) -> Command {
    let reason = Arg::new("reason")
        .long("reason")
        .value_name("TEXT")
        .allow_hyphen_values(true)
        .value_parser(NonEmptyStringValueParser::new());
    let agents = Arg::new("agent").value_name("AGENT").action(ArgAction::Append);
    Command::new(name)
        .arg(agents.value_parser(NonEmptyStringValueParser::new()).required_unless_present("all").help("By name"))
        .arg(
            Arg::new("all")
                .long("all")
                .action(ArgAction::SetTrue)
                .conflicts_with("agent")
                .help("All your agents; for an admin, all agents of the box"),
        )
        .arg(reason.required(reason_required).help("The reason; the owner reads it"))
        .arg(slow::no_wait())
}

fn freeze(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    run(context, matches, "agents_freeze", "freeze_all")
}

fn thaw(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    run(context, matches, "agents_thaw", "thaw_all")
}

/// Sends all requests first, so that every credential is cut off before the command waits for the first container.
fn run(context: &Context, matches: &ArgMatches, one: &str, all: &str) -> Result<Output, Failure> {
    let session = context.session()?;
    let mut body = json!({"reason": matches.get_one::<String>("reason")});
    let (mut replies, mut code) = (Vec::new(), 0);
    let names: Vec<&str> = matches.get_many::<String>("agent").into_iter().flatten().map(String::as_str).collect();
    let is_list = names.len() > 1;
    if matches.get_flag("all") {
        let route = path::route(all);
        if let Ok(Some(time)) = matches.try_get_one::<String>("frozen-at") {
            body["frozen_at"] = json!(time);
        }
        replies.push(("", session.send_for_json(route, route.path, Some(&body))?));
    } else {
        let route = path::route(one);
        let send = |name| {
            let target = path::target(route, &[name], &Map::new());
            Ok((name, session.send_for_json(route, &target, Some(&body))?))
        };
        let named = names.into_iter().map(|name| (name, name)).collect();
        (replies, code) = each_named(named, is_list, send)?;
    }
    let is_waiting = !matches.get_flag("no-wait");
    let end = |reply| if is_waiting { wait(&session, reply) } else { Ok(reply) };
    let (replies, last) = each_named(replies, is_list, end)?;
    let code = code.max(last);
    let done = if one == "agents_freeze" { "frozen" } else { "thawed" };
    let output = if context.json { show_json(is_list, replies) } else { show(done, &replies) };
    Ok(output.ending_with(code))
}

/// Waits for the operation on the containers. Returns its result.
fn wait(session: &Session<'_>, reply: Value) -> Result<Value, Failure> {
    let Some(id) = reply["operation_id"].as_str() else { return Ok(reply) };
    Ok(slow::follow(session, id)?["result"].take())
}

/// A list if several agents were named, whatever became of each.
fn show_json(is_list: bool, mut replies: Vec<Value>) -> Output {
    let one = if is_list { None } else { replies.pop() };
    Output::text(text::json_line(&one.unwrap_or_else(|| json!(replies))))
}

fn show(done: &str, replies: &[Value]) -> Output {
    let (mut lines, mut notes) = (String::new(), Vec::new());
    for reply in replies {
        let what = match (reply["name"].as_str(), reply["agents"].as_u64()) {
            (Some(name), _) => text::clean(name),
            (None, Some(count)) => format!("{count} agents"),
            (None, None) => "all agents".to_owned(),
        };
        lines.push_str(&format!("{done}: {what}\n"));
        if let Some(time) = reply["frozen_at"].as_str() {
            notes.push(format!("to undo this freeze alone: taosctl thaw --all --frozen-at {time}"));
        }
        let containers = reply["containers"].as_object().into_iter().flatten();
        for (name, result) in containers.filter(|(_, result)| result["success"] == false) {
            let why = text::plain(&result["error"]);
            notes.push(format!("warning: the container of {name} does not follow yet ({why}); the daemon tries again"));
        }
    }
    notes.iter().fold(Output::text(lines), |output, note| output.with_note(&text::clean(note)))
}
