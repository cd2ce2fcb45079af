//! `taosctl inbox`: unread messages to the caller. With `--wait` it is the main loop of an agent.

use std::time::{Duration, Instant};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Map, Value, json};

use super::messages::COLUMNS;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::flags;
use crate::ctl::core::output::Output;
use crate::ctl::core::{path, text};
use crate::ctl::login::context::Context;
use crate::ctl::show::table;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::follow::{List, MessageQuery};
use crate::ctl::verbs::names;
use crate::limits::PAGE_MAX;

/// `taosctl inbox`.
pub const ENTRY: CommandEntry =
    CommandEntry::Own { name: "inbox", routes: &["messages_list", "messages_mark_read"], command, run };

fn command(name: &'static str) -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    Command::new(name)
        .about("Show unread messages that are addressed to you")
        .after_help(
            "Those messages that mention you, reply to you or are written to you alone, oldest first. --wait ends as soon \
             as there is one, and survives restarts of the daemon; with --timeout it gives up after so many seconds, exit \
             code 1.",
        )
        .args([
            flag("wait", "Wait until there is something"),
            flag("keep", "Do not mark the shown messages as read"),
            flags::space_arg("space"),
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .default_value("20")
                .value_parser(value_parser!(u64).range(1..=PAGE_MAX))
                .help("Maximum number of messages"),
        ])
}

/// The end of a wait: after `--timeout` seconds if that is given, otherwise after `most`.
pub fn end(matches: &ArgMatches, most: Option<Duration>) -> Option<Instant> {
    let given = matches.value_source("timeout") == Some(ValueSource::CommandLine);
    let seconds = matches.get_one::<u64>("timeout").copied().filter(|_| given).map(Duration::from_secs);
    seconds.or(most).map(|wait| Instant::now() + wait)
}

fn run(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let mut query = Map::from_iter([
        ("addressed".to_owned(), json!(true)),
        ("unread_only".to_owned(), json!(true)),
        ("limit".to_owned(), json!(matches.get_one::<u64>("limit").copied().unwrap_or(20))),
    ]);
    let space = matches.get_one::<String>("space").map(String::as_str);
    if let Some(space) = names::space_or_own(&session, space)? {
        query.insert("space_id".to_owned(), json!(space));
    }
    let wanted = MessageQuery { query };
    let messages = if matches.get_flag("wait") {
        let end = end(matches, None);
        loop {
            // From the beginning of the space: the oldest unread message is first.
            let found = wanted.wait(&session, Some(0), end)?.messages;
            if !found.is_empty() || end.is_some_and(|end| Instant::now() >= end) {
                break found;
            }
        }
    } else {
        let mut query = wanted.query;
        query.insert("after_seq".to_owned(), json!(0));
        let route = path::route("messages_list");
        List::read(session.send_for_json(route, &path::target(route, &[], &query), None)?)?.messages
    };
    if messages.is_empty() {
        let nothing = shown(context, &messages);
        let nothing =
            if context.json { nothing } else { nothing.with_note("Nothing is unread. Next: taosctl messages ls") };
        return Ok(if matches.get_flag("wait") { nothing.failing() } else { nothing });
    }
    // A message is marked as read only after it was printed. Otherwise it could be lost.
    shown(context, &messages).must_arrive().print()?;
    if !matches.get_flag("keep") {
        let route = path::route("messages_mark_read");
        for id in messages.iter().filter_map(|message| message["id"].as_str()) {
            session.send(route, &path::target(route, &[id], &Map::new()), None)?;
        }
    }
    Ok(Output::default())
}

fn shown(context: &Context, messages: &[Value]) -> Output {
    if context.json {
        return Output::text(messages.iter().map(|message| format!("{}\n", text::json_line(message))).collect());
    }
    Output::text(table::table(COLUMNS, messages))
}
