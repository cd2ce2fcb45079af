//! `taosctl messages`: the messages of a space.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::flags::{self, Flag};
use crate::ctl::core::output::Output;
use crate::ctl::core::{path, text};
use crate::ctl::login::context::Context;
use crate::ctl::login::session::Session;
use crate::ctl::show::table::{self, Column};
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::follow::{List, MessageQuery, print, seq_of};
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;
use crate::ctl::verbs::{names, wording};
use crate::limits::PAGE_MAX;

/// The columns of a list of messages.
pub const COLUMNS: &[Column] = &[
    Column("SEQ", "seq"),
    Column("ID", "id"),
    Column("FROM", "sender_handle"),
    Column("CONTENT", "content"),
    Column("AT", "created_at"),
];
const RECEIPTS: &[Column] =
    &[Column("NAME", "name"), Column("TYPE", "type"), Column("STATE", "state"), Column("AT", "at")];
const PLACES: &[Flag] = &[Flag::Place("emoji"), Flag::Place("query"), Flag::Place("content")];

/// The noun `messages` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "messages",
    about: "Messages in a space",
    entries: &[
        CommandEntry::Own { name: "list", routes: &["messages_list"], command: list_command, run: list },
        CommandEntry::Verb(Verb::new("get", "messages_get", ShowAs::Record)),
        CommandEntry::Verb(Verb::new("edit", "messages_edit", ShowAs::Record).flags(PLACES)),
        CommandEntry::Verb(
            Verb::new("delete", "messages_delete", ShowAs::Done("deleted", None)).ask("Delete message {}?"),
        ),
        CommandEntry::Verb(Verb::new("read", "messages_mark_read", ShowAs::Done("read", None))),
        CommandEntry::Verb(Verb::new("read-all", "messages_mark_all_read", ShowAs::Said("read", "marked_read"))),
        CommandEntry::Verb(
            Verb::new("replies", "messages_replies", ShowAs::Rows("messages", COLUMNS)).empty("taosctl send --help"),
        ),
        CommandEntry::Verb(
            Verb::new("receipts", "messages_receipts", ShowAs::Rows("receipts", RECEIPTS))
                .empty("taosctl messages get ID"),
        ),
        CommandEntry::Verb(Verb::new("react", "messages_react", ShowAs::Done("reacted", None)).flags(PLACES)),
        CommandEntry::Verb(Verb::new("search", "messages_search", ShowAs::Rows("results", COLUMNS)).flags(PLACES)),
    ],
};

const LIST_FLAGS: &[Flag] = &[Flag::Named("unread_only", "unread")];

fn list_command(name: &'static str) -> Command {
    let route = path::route("messages_list");
    Command::new(name)
        .about(route.title)
        .after_help(wording::about(route))
        .args(flags::args(route.query, LIST_FLAGS))
        .args([
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .default_value("20")
                .value_parser(value_parser!(u64).range(1..=PAGE_MAX))
                .help("Maximum number of messages"),
            Arg::new("follow")
                .long("follow")
                .short('f')
                .action(ArgAction::SetTrue)
                .help("Keep showing new messages until interrupted; every message once, even if the daemon restarts"),
        ])
}

/// The query from the flags. If they name no space, it is the space of the login.
///
/// # Errors
/// A flag cannot be used, or the space cannot be looked up.
pub fn query(session: &Session<'_>, matches: &ArgMatches) -> Result<serde_json::Map<String, Value>, Failure> {
    let mut query = flags::read(path::route("messages_list").query, LIST_FLAGS, matches)?;
    let given = query.get("space_id").and_then(serde_json::Value::as_str).map(str::to_owned);
    if let Some(space) = names::space_or_own(session, given.as_deref())? {
        query.insert("space_id".to_owned(), json!(space));
    }
    Ok(query)
}

/// The space of a message, and its position there.
fn position(session: &Session<'_>, id: &Value) -> Result<(Value, i64), Failure> {
    let route = path::route("messages_get");
    let target = path::target(route, &[id.as_str().unwrap_or("")], &serde_json::Map::new());
    place_of(&session.send_for_json(route, &target, None)?)
}

fn place_of(message: &Value) -> Result<(Value, i64), Failure> {
    Ok((message["space_id"].clone(), seq_of(message)?))
}

fn list(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let mut query = query(&session, matches)?;
    let follows = matches.get_flag("follow");
    let mut first = query.clone();
    first.insert("limit".to_owned(), json!(matches.get_one::<u64>("limit").copied().unwrap_or(20)));
    let route = path::route("messages_list");
    let reply = session.send_for_json(route, &path::target(route, &[], &first), None)?;
    if !follows {
        if context.json {
            return Ok(Output::text(text::json_line(&reply)).with_rows("messages"));
        }
        let unread = reply["unread_count"].clone();
        let messages = List::read(reply)?.messages;
        let note = match messages.is_empty() {
            true => "There is nothing here yet. Next: taosctl send TEXT".to_owned(),
            false => format!("unread: {}", text::plain(&unread)),
        };
        return Ok(Output::text(table::table(COLUMNS, &messages)).with_note(&note));
    }
    let mut list = List::read(reply)?;
    list.messages.sort_by_key(|message| seq_of(message).unwrap_or(0));
    for message in &list.messages {
        if !print(message, context.json)? {
            return Ok(Output::default());
        }
    }
    let shown = list.messages.last().map(seq_of).transpose()?;
    query.shift_remove("before_seq");
    if let Some(id) = query.shift_remove("after") {
        let (space, seq) = match list.messages.last() {
            Some(message) => place_of(message)?,
            None => position(&session, &id)?,
        };
        query.entry("space_id").or_insert(space);
        query.insert("after_seq".to_owned(), json!(seq));
    }
    // After a given position come the oldest messages: between the last of them and the newest there may be more.
    let last = match query.shift_remove("after_seq").and_then(|seq| seq.as_i64()) {
        Some(given) => shown.unwrap_or(given),
        None => shown.unwrap_or(0).max(list.last_seq),
    };
    MessageQuery { query }.each(&session, last, None, |message| Ok(!print(message, context.json)?))?;
    Ok(Output::default())
}
