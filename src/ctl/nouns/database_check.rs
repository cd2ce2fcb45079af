//! `taosctl box check`: checks the database while the daemon runs, and waits for the end of the check.

use std::io::{self, IsTerminal};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::{path, text};
use crate::ctl::login::context::Context;
use crate::ctl::login::session::Session;
use crate::ctl::show::bar::Bar;
use crate::ctl::show::table::{self, Column};
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::patience::patiently;
use crate::ctl::verbs::{show, slow};

const COLUMNS: &[Column] = &[Column("CHECK", "name"), Column("STATE", "state"), Column("FOUND", "detail")];
/// Parts of a check.
const PARTS: u64 = 6;
/// Seconds that one request waits for the end. Fewer if a person watches a bar.
const NEWS: u64 = 10;
const NEWS_OF_A_BAR: u64 = 1;
const HELP: &str = "\
The daemon goes on working meanwhile. A check reads the whole database: on a slow card it may take minutes, and the
daemon stops it after 15. If you interrupt the command, the check goes on: stop it with --stop. Ends with 1 if the check
finds damage or does not come to its end.

taosd check does the same with no daemon, for a file of your choice.";

/// `taosctl box check`.
pub const ENTRY: CommandEntry = CommandEntry::Own {
    name: "check",
    routes: &["database_check_begin", "database_check_get", "database_check_stop"],
    command,
    run,
};

fn command(name: &'static str) -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    Command::new(name).about(path::route("database_check_begin").title).after_help(HELP).args([
        flag("last", "Show the last check, or how far the running one is, and begin none"),
        flag("stop", "Stop the check that is running").conflicts_with("last"),
        slow::no_wait().help("Print the state and do not wait for the end").conflicts_with_all(["last", "stop"]),
    ])
}

fn run(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let ask = |route: &str, wait: u64| {
        let route = path::route(route);
        let query = if wait == 0 { Map::new() } else { Map::from_iter([("wait".to_owned(), json!(wait))]) };
        session.send_for_json(route, &path::target(route, &[], &query), None)
    };
    let check = if matches.get_flag("last") {
        ask("database_check_get", 0)?
    } else if matches.get_flag("stop") {
        ask("database_check_stop", 0)?
    } else {
        let begun = ask("database_check_begin", 0)?;
        if matches.get_flag("no-wait") { begun } else { lost(follow(&session, begun, ask)?)? }
    };
    Ok(shown(context, &check))
}

/// Waits for the end of a check. A daemon that has restarted knows nothing about the check.
fn follow(
    session: &Session<'_>,
    mut check: Value,
    ask: impl Fn(&str, u64) -> Result<Value, Failure>,
) -> Result<Value, Failure> {
    let news = if io::stderr().is_terminal() { NEWS_OF_A_BAR } else { NEWS };
    let (wait, mut bar) = (news.min(session.context.timeout.as_secs() / 2), Bar::of_steps());
    while check["state"] == "running" {
        let done = check["findings"].as_array().map_or(0, Vec::len) as u64;
        bar.step("check", &text::plain(&check["step"]), done * 100 / PARTS);
        check = patiently(None, || ask("database_check_get", wait))?;
    }
    Ok(check)
}

/// Fails if the daemon no longer knows the check: then it did not end.
fn lost(check: Value) -> Result<Value, Failure> {
    if check["state"] == "never" {
        let what = "The daemon started again, and the check ended with it.".to_owned();
        return Err(Failure::Unexpected(what));
    }
    Ok(check)
}

fn shown(context: &Context, check: &Value) -> Output {
    let state = check["state"].as_str().unwrap_or("");
    let output = if context.json {
        show::one_line(check)
    } else {
        let word = |one: &Value| if one["ok"] == true { "ok" } else { "failed" };
        let rows = check["findings"].as_array().into_iter().flatten();
        let rows: Vec<Value> =
            rows.map(|one| json!({"name": one["name"], "state": word(one), "detail": one["detail"]})).collect();
        let table = if rows.is_empty() { String::new() } else { table::table(COLUMNS, &rows) };
        Output::text(table).with_note(said(state, check))
    };
    if matches!(state, "damaged" | "failed" | "stopped") { output.failing() } else { output }
}

fn said(state: &str, check: &Value) -> &'static str {
    match state {
        "sound" => "The database is sound.",
        "damaged" => {
            "The database is damaged: stop the daemon and restore a backup. See: taosctl docs recipes/troubleshooting"
        }
        "running" if check["step"].is_null() => "The check has begun. See how far it is with: taosctl box check --last",
        "running" => "The check is running. Stop it with: taosctl box check --stop",
        "stopped" => "The check was stopped before its end: what is not listed was not checked.",
        "failed" => "The database could not be checked; the daemon's log says why.",
        _ => "Nobody has asked for a check since the daemon started. Begin one with: taosctl box check",
    }
}
