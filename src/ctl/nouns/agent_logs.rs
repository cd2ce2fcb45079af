//! `taosctl agents logs`: the end of a container's log; with `--follow` also new lines.

use std::time::Duration;

use clap::{ArgMatches, Command};
use serde_json::{Map, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::{path, text};
use crate::ctl::login::context::Context;
use crate::ctl::login::session::Session;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::patience::patiently;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;
use crate::jobs::events::log_tail::news;
use crate::say::Said;

const LOGS: Verb = Verb::new("logs", "agents_logs", ShowAs::Lines("logs"));
/// Lines that are shown first.
const FIRST: i64 = 100;
/// Lines requested afterwards: as many as may come between two requests.
const LINES: i64 = 2000;
/// The time between two requests.
const PAUSE: Duration = Duration::from_secs(1);
/// The same for a journal: reading it starts a program inside the container.
const JOURNAL_PAUSE: Duration = Duration::from_secs(3);

/// `taosctl agents logs`.
pub const ENTRY: CommandEntry = CommandEntry::Own { name: "logs", routes: &["agents_logs"], command, run };

fn command(_: &'static str) -> Command {
    LOGS.command()
}

fn run(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    if !matches.get_flag("field.follow") {
        return LOGS.run(context, matches);
    }
    let session = context.session()?;
    let agent = matches.get_one::<String>("name").map_or("", String::as_str);
    let wish = matches.get_one::<String>("field.source").map(String::as_str);
    let (mut seen, source) = ask(&session, agent, wish)?;
    let first = matches.get_one::<i64>("field.lines").copied().unwrap_or(FIRST);
    let from = seen.len().saturating_sub(usize::try_from(first).unwrap_or(0));
    let pause = if source == "journal" { JOURNAL_PAUSE } else { PAUSE };
    let mut new = &seen[from..];
    loop {
        for line in new {
            if Output::text(shown(line, context.json)).print_more()? == Said::Unread {
                return Ok(Output::default());
            }
        }
        std::thread::sleep(pause);
        let now = match patiently(None, || ask(&session, agent, Some(&source))) {
            Ok((now, _)) => now,
            // The journal is available again after the next start of the container.
            Err(Failure::Refused(refusal)) if refusal.error == "no_journal" => seen.clone(),
            Err(error) => return Err(error),
        };
        let from = now.len() - news(&seen, &now).len();
        seen = now;
        new = &seen[from..];
    }
}

/// The end of the log, and its source.
fn ask(session: &Session<'_>, agent: &str, source: Option<&str>) -> Result<(Vec<String>, String), Failure> {
    let mut query = Map::from_iter([("lines".to_owned(), json!(LINES))]);
    if let Some(source) = source {
        query.insert("source".to_owned(), json!(source));
    }
    let route = path::route("agents_logs");
    let reply = session.send_for_json(route, &path::target(route, &[agent], &query), None)?;
    let unreadable = || Failure::Unexpected("The answer has no logs.".to_owned());
    let (Some(logs), Some(source)) = (reply["logs"].as_str(), reply["source"].as_str()) else {
        return Err(unreadable());
    };
    Ok((logs.lines().map(str::to_owned).collect(), source.to_owned()))
}

/// A line for people, or a JSON object on one line.
fn shown(line: &str, as_json: bool) -> String {
    match as_json {
        true => format!("{}\n", text::json_line(&json!({"line": line}))),
        false => format!("{}\n", text::clean(line)),
    }
}
