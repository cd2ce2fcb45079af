//! `taosctl notifications`: shows notifications, and sends them.

use std::collections::HashSet;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::flags::Flag;
use crate::ctl::core::output::Output;
use crate::ctl::core::{path, text};
use crate::ctl::login::context::Context;
use crate::ctl::login::session::Session;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::paging::rows_wanted;
use crate::ctl::verbs::patience::patiently;
use crate::ctl::verbs::show::{self, ShowAs};
use crate::ctl::verbs::verb::Verb;
use crate::say::Said;

const COLUMNS: &[Column] = &[
    Column("ID", "id"),
    Column("TITLE", "title"),
    Column("SOURCE", "source"),
    Column("AT", "created_at"),
    Column("LEVEL", "level"),
    Column("READ", "read"),
];
const LIST: Verb = Verb::new("list", "notifications_list", ShowAs::Table(COLUMNS))
    .flags(&[Flag::Named("unread_only", "unread")])
    .empty("taosctl notify TITLE BODY");
/// An id before all others: if there are no notifications yet, every new one is after it.
const FIRST: &str = "00000000-0000-0000-0000-000000000000";
/// The most seconds that one request waits for notifications.
const WAIT: u64 = 30;

/// The noun `notifications` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "notifications",
    about: "Notifications from agents and users",
    entries: &[
        CommandEntry::Own { name: "list", routes: &["notifications_list"], command: list_command, run: list },
        CommandEntry::Verb(Verb::new("get", "notifications_get", ShowAs::Record)),
        CommandEntry::Verb(Verb::new("count", "notifications_count", ShowAs::Record)),
        CommandEntry::Verb(Verb::new("read", "notifications_read", ShowAs::Done("read", None))),
        CommandEntry::Verb(Verb::new("read-all", "notifications_read_all", ShowAs::Said("read", "updated"))),
        CommandEntry::Verb(
            Verb::new("delete", "notifications_delete", ShowAs::Done("deleted", None)).ask("Delete notification {}?"),
        ),
        CommandEntry::Own { name: "watch", routes: &["notifications_list"], command: watch_command, run: watch },
    ],
};

fn list_command(_: &'static str) -> Command {
    let follow = Arg::new("follow").long("follow").short('f').action(ArgAction::SetTrue);
    LIST.command().arg(follow.help("Also show new ones until interrupted"))
}

fn list(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    if !matches.get_flag("follow") {
        return LIST.run(context, matches);
    }
    // The position to continue from is read first. A notification that arrives meanwhile is in both lists, and is shown
    // once.
    let session = context.session()?;
    let last = newest(&session)?;
    let mut rows = LIST.rows(&session, matches, rows_wanted(matches), None)?;
    let shown = rows.iter().filter_map(|row| id_of(Some(row))).collect();
    if context.json {
        rows.reverse();
        let lines: String = rows.iter().map(|row| line(row, true)).collect();
        if Output::text(lines).print_more()? == Said::Unread {
            return Ok(Output::default());
        }
    } else {
        show::reply(&session, &ShowAs::Table(COLUMNS), &[], &Value::Array(rows))?.print()?;
    }
    follow(&session, last, &shown)
}

fn watch_command(name: &'static str) -> Command {
    Command::new(name).about("Show new notifications until interrupted")
}

fn watch(context: &Context, _: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let last = newest(&session)?;
    follow(&session, last, &HashSet::new())
}

fn ask(session: &Session<'_>, query: Value) -> Result<Vec<Value>, Failure> {
    let Value::Object(query) = query else { return Ok(Vec::new()) };
    let route = path::route("notifications_list");
    match session.send_for_json(route, &path::target(route, &[], &query), None)? {
        Value::Array(rows) => Ok(rows),
        _ => Err(Failure::Unexpected("The answer is not a list.".to_owned())),
    }
}

fn id_of(row: Option<&Value>) -> Option<String> {
    row.and_then(|row| row["id"].as_str()).map(str::to_owned)
}

fn newest(session: &Session<'_>) -> Result<String, Failure> {
    Ok(id_of(ask(session, json!({"limit": 1}))?.first()).unwrap_or_else(|| FIRST.to_owned()))
}

/// Prints the notifications after `last` that were not shown yet, one per line. Ends when the reader closes the pipe,
/// or with a refusal. Waits for a daemon that is unreachable.
fn follow(session: &Session<'_>, mut last: String, shown: &HashSet<String>) -> Result<Output, Failure> {
    // At most half of the timeout, so that the reply does not miss its deadline.
    let wait = WAIT.min(session.context.timeout.as_secs() / 2).max(1);
    loop {
        let rows = patiently(None, || ask(session, json!({"after": last, "wait": wait})))?;
        for row in rows.iter().filter(|row| id_of(Some(row)).is_none_or(|id| !shown.contains(&id))) {
            if Output::text(line(row, session.context.json)).print_more()? == Said::Unread {
                return Ok(Output::default());
            }
        }
        if !rows.is_empty() {
            let wrong = || Failure::Unexpected("A notification has no id.".to_owned());
            last = id_of(rows.last()).ok_or_else(wrong)?;
        }
    }
}

/// A JSON object on one line, or a line for people.
fn line(row: &Value, as_json: bool) -> String {
    if as_json {
        return format!("{}\n", text::json_line(row));
    }
    let empty = Map::new();
    let row = row.as_object().unwrap_or(&empty);
    let field = |name: &str| text::clean(&text::plain(row.get(name).unwrap_or(&Value::Null)));
    format!(
        "{}  {:6}  {}  {}: {}\n",
        field("created_at"),
        field("level"),
        field("source"),
        field("title"),
        field("message")
    )
}
