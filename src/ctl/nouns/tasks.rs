//! `taosctl tasks`: the tasks of a space, and working on them.

use std::time::{Duration, Instant};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::{Map, Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::flags::{self, Flag};
use crate::ctl::core::output::Output;
use crate::ctl::core::path;
use crate::ctl::login::context::Context;
use crate::ctl::login::session;
use crate::ctl::show::table::{self, Column};
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::{self, ShowAs};
use crate::ctl::verbs::verb::Verb;
use crate::ctl::verbs::{names, paging, watch, wording};
use crate::limits::{PAGE_MAX, TASK_WAIT};
use crate::rest::route::BodyKind;
use crate::store::tasks::Priority;

const COLUMNS: &[Column] = &[
    Column("ID", "id"),
    Column("TITLE", "title"),
    Column("STATUS", "status"),
    Column("PRIORITY", "priority"),
    Column("ASSIGNEE", "assignee_id"),
];
const CHANGES: &[Column] =
    &[Column("AT", "at"), Column("WHO", "actor"), Column("WHAT", "field"), Column("FROM", "from"), Column("TO", "to")];

/// The noun `tasks` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "tasks",
    about: "Tasks in a space",
    entries: &[
        CommandEntry::Own { name: "list", routes: &["tasks_list"], command: list_command, run: list },
        CommandEntry::Verb(Verb::new("get", "tasks_read", ShowAs::Record)),
        CommandEntry::Verb(Verb::new("create", "tasks_create", ShowAs::Record).flags(&[Flag::Place("title")])),
        CommandEntry::Verb(Verb::new("update", "tasks_update", ShowAs::Record)),
        CommandEntry::Verb(Verb::new("claim", "tasks_claim", ShowAs::Record)),
        CommandEntry::Own { name: "next", routes: &["tasks_next"], command: next_command, run: next },
        CommandEntry::Verb(Verb::new("renew", "tasks_renew", ShowAs::Record)),
        CommandEntry::Verb(Verb::new("release", "tasks_release", ShowAs::Part("task"))),
        CommandEntry::Verb(Verb::new("history", "tasks_history", ShowAs::Rows("history", CHANGES))),
    ],
};

fn list_command(name: &'static str) -> Command {
    let route = path::route("tasks_list");
    Command::new(name)
        .about(route.title)
        .after_help(wording::about(route))
        .args([paging::limit(), watch::arg()])
        .args(flags::args(route.query, &[]))
}

fn list(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    if watch::is_asked(matches) { watch::each(|| look(context, matches)) } else { look(context, matches) }
}

fn look(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let (route, session) = (path::route("tasks_list"), context.session()?);
    let mut query = flags::read(route.query, &[], matches)?;
    names::complete_fields(&session, route, route.query, &mut query)?;
    let wanted = paging::rows_wanted(matches).unwrap_or(usize::MAX);
    let mut tasks: Vec<Value> = Vec::new();
    loop {
        query.insert("limit".into(), json!(PAGE_MAX.min((wanted - tasks.len()) as u64)));
        let mut page = session.send_for_json(route, &path::target(route, &[], &query), None)?;
        let Value::Array(rows) = page["tasks"].take() else {
            return Err(Failure::Unexpected("The answer has no tasks.".to_owned()));
        };
        let more = page.get("next_cursor").cloned().filter(|_| !rows.is_empty());
        tasks.extend(rows);
        match more.filter(|cursor| tasks.len() < wanted && query.get("cursor") != Some(cursor)) {
            Some(cursor) => query.insert("cursor".into(), cursor),
            None => break,
        };
    }
    tasks.truncate(wanted);
    if context.json {
        return Ok(show::one_line(&json!({"tasks": tasks})).with_rows("tasks"));
    }
    let next = "There is nothing here yet. Next: taosctl tasks create TITLE";
    let output = Output::text(table::table(COLUMNS, &tasks));
    Ok(if tasks.is_empty() { output.with_note(next) } else { output })
}

fn next_command(name: &'static str) -> Command {
    let route = path::route("tasks_next");
    let text = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("TEXT").allow_hyphen_values(true).help(help)
    };
    let wait =
        Arg::new("wait").long("wait").value_name("SECONDS").value_parser(value_parser!(i64).range(0..=TASK_WAIT));
    let priority = Arg::new("priority").long("priority").value_name("WORD");
    Command::new(name)
        .about(route.title)
        .after_help("Exits with 1 if there is none.")
        .args(flags::args(next_fields(), &[]))
        .arg(text("status", "Tasks with this status; not_started if absent"))
        .arg(priority.value_parser(PossibleValuesParser::new(Priority::SLUGS)).help("Tasks at least this urgent"))
        .arg(wait.help("Seconds to wait for one; 0 if absent"))
}

fn next_fields() -> &'static [crate::rest::field::Field] {
    match path::route("tasks_next").body {
        BodyKind::Json(fields) => fields,
        _ => &[],
    }
}

fn next(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let (route, session) = (path::route("tasks_next"), context.session()?);
    let mut body = flags::read(next_fields(), &[], matches)?;
    names::complete_fields(&session, route, next_fields(), &mut body)?;
    let mut filter = Map::new();
    for name in ["status", "priority"] {
        if let Some(word) = matches.get_one::<String>(name) {
            filter.insert(name.to_owned(), json!(word));
        }
    }
    if !filter.is_empty() {
        body.insert("filter".into(), Value::Object(filter));
    }
    let wait = matches.get_one::<i64>("wait").copied().unwrap_or(0);
    body.insert("wait".into(), json!(wait));
    let body = Value::Object(body).to_string();
    let patience = context.timeout + Duration::from_secs(u64::try_from(wait).unwrap_or(0));
    let reply = session.send_dressed(route, route.path, &|request| {
        request.with_body("application/json", body.clone()).with_deadline(Instant::now() + patience)
    })?;
    let reply = session::json(&reply)?;
    if reply["task"].is_null() {
        let nothing =
            if context.json { show::one_line(&reply) } else { Output::default().with_note("There is no task.") };
        return Ok(nothing.failing());
    }
    if context.json { Ok(show::one_line(&reply)) } else { show::record(&reply) }
}
