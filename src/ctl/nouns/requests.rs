//! `taosctl requests`: what agents ask for, and the decisions.

use std::io::{self, BufRead, IsTerminal, Read};

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::{duration, path, text};
use crate::ctl::login::context::Context;
use crate::ctl::login::session::Session;
use crate::ctl::show::table::{self, Column};
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::{self, Show};
use crate::ctl::verbs::verb::Verb;
use crate::say::{self, Said, complain};

const COLUMNS: &[Column] = &[
    Column("ID", "id"),
    Column("STATE", "state"),
    Column("WHO", "requester"),
    Column("KIND", "kind"),
    Column("ASKED", "asked"),
    Column("REASON", "reason"),
    Column("UNTIL", "until"),
];
const RESULTS: &[Column] = &[Column("ID", "id"), Column("STATE", "state"), Column("ERROR", "error")];
/// Before every notification's id.
const FIRST: &str = "00000000-0000-0000-0000-000000000000";
/// Seconds that one request waits for news at the most.
const WAIT: u64 = 30;
/// Bytes of an answer that are read.
const ANSWER: u64 = 1024;

/// The noun.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "requests",
    about: "What agents ask for, and the decisions",
    entries: &[
        CommandEntry::Verb(Verb::new("list", "requests_list", Show::Table(COLUMNS)).empty("taosctl requests watch")),
        CommandEntry::Verb(Verb::new("show", "requests_get", Show::Record).at_once()),
        CommandEntry::Own {
            name: "watch",
            routes: &["requests_list", "notifications_list", "requests_approve", "requests_deny"],
            command: watch_command,
            run: watch,
        },
        CommandEntry::Own {
            name: "approve",
            routes: &["requests_approve", "requests_decide", "requests_get"],
            command: approve_command,
            run: approve,
        },
        CommandEntry::Own {
            name: "deny",
            routes: &["requests_deny", "requests_decide"],
            command: deny_command,
            run: deny,
        },
        CommandEntry::Verb(Verb::new("revoke", "requests_revoke", Show::Record)),
        CommandEntry::Verb(Verb::new("withdraw", "requests_withdraw", Show::Record)),
    ],
};

fn ids() -> Arg {
    let parser = NonEmptyStringValueParser::new();
    Arg::new("id").value_name("ID").required(true).num_args(1..).value_parser(parser).help("The requests")
}

fn note() -> Arg {
    Arg::new("note").long("note").value_name("TEXT").allow_hyphen_values(true).help("What you say to it")
}

fn approve_command(name: &'static str) -> Command {
    Command::new(name)
        .about("Approve requests")
        .after_help("Gives what was asked for. With the flags it gives less, or answers a question.")
        .args([
            ids(),
            Arg::new("for")
                .long("for")
                .value_name("TIME")
                .value_parser(duration::seconds)
                .help("For how long: 90s, 10m, 2h"),
            Arg::new("scope").long("scope").value_name("SCOPE").action(ArgAction::Append).help("Only these scopes"),
            Arg::new("role").long("role").value_name("ROLE").help("Only this role"),
            Arg::new("option")
                .long("option")
                .value_name("OPTION")
                .help("The option of a question: its text, or its number from 0"),
            Arg::new("text").long("text").value_name("TEXT").allow_hyphen_values(true).help("The answer in words"),
            note(),
        ])
}

fn deny_command(name: &'static str) -> Command {
    Command::new(name).about("Deny requests").args([ids(), note()])
}

fn given(matches: &ArgMatches) -> Vec<&str> {
    matches.get_many::<String>("id").into_iter().flatten().map(String::as_str).collect()
}

fn approve(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let (session, ids) = (context.session()?, given(matches));
    let mut body = Map::new();
    if let Some(seconds) = matches.get_one::<i64>("for") {
        body.insert("duration_seconds".into(), json!(seconds));
    }
    if let Some(scopes) = matches.get_many::<String>("scope") {
        body.insert("scope".into(), json!(scopes.collect::<Vec<_>>()));
    }
    for name in ["role", "text", "note"] {
        if let Some(text) = matches.get_one::<String>(name) {
            body.insert(name.into(), json!(text));
        }
    }
    let option = matches.get_one::<String>("option");
    let is_plain = option.is_none() && body.keys().all(|name| name == "note");
    if ids.len() > 1 && is_plain {
        return decide(context, &session, &ids, "approve", body.get("note"));
    }
    each(context, &ids, |id| {
        let mut body = body.clone();
        if let Some(option) = option {
            body.insert("option".into(), json!(nth(&session, id, option)?));
        }
        post(&session, "requests_approve", id, body)
    })
}

/// The place of an option: it is named by its text, in any case, or by its number.
fn nth(session: &Session<'_>, id: &str, option: &str) -> Result<usize, Failure> {
    let route = path::route("requests_get");
    let request = session.send_for_json(route, &path::target(route, &[id], &Map::new()), None)?;
    let options = request["options"].as_array().cloned().unwrap_or_default();
    let is_it = |one: &Value| one.as_str().is_some_and(|text| text.to_lowercase() == option.to_lowercase());
    let known = || options.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    options.iter().position(is_it).or_else(|| option.parse().ok()).ok_or_else(|| {
        Failure::usage(format!("`{option}` is none of the options."), format!("Name one of these: {}.", known()))
    })
}

fn deny(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let (session, ids) = (context.session()?, given(matches));
    let note = matches.get_one::<String>("note").map(|note| json!(note));
    if ids.len() > 1 {
        return decide(context, &session, &ids, "deny", note.as_ref());
    }
    let body: Map<String, Value> = note.into_iter().map(|note| ("note".to_owned(), note)).collect();
    each(context, &ids, |id| post(&session, "requests_deny", id, body.clone()))
}

fn post(session: &Session<'_>, route: &str, id: &str, body: Map<String, Value>) -> Result<Value, Failure> {
    let route = path::route(route);
    session.send_for_json(route, &path::target(route, &[id], &Map::new()), Some(&Value::Object(body)))
}

/// Decides one after the other; the last is shown whole where it is the only one.
fn each(context: &Context, ids: &[&str], decide: impl Fn(&str) -> Result<Value, Failure>) -> Result<Output, Failure> {
    if let [only] = ids {
        let decided = decide(only)?;
        return if context.json { Ok(show::one_line(&decided)) } else { show::record(&decided) };
    }
    let mut results = Map::new();
    for id in ids {
        let result = match decide(id) {
            Ok(request) => json!({"state": request["state"]}),
            Err(Failure::Refused(refusal)) if refusal.status < 500 && refusal.status != 401 => {
                json!({"error": refusal.error})
            }
            Err(failure) => return Err(failure),
        };
        results.insert((*id).to_owned(), result);
    }
    Ok(told(context, &Value::Object(results)))
}

fn decide(
    context: &Context,
    session: &Session<'_>,
    ids: &[&str],
    decision: &str,
    note: Option<&Value>,
) -> Result<Output, Failure> {
    let mut body = json!({"ids": ids, "decision": decision});
    if let Some(note) = note {
        body["note"] = note.clone();
    }
    let route = path::route("requests_decide");
    let reply = session.send_for_json(route, route.path, Some(&body))?;
    Ok(told(context, &reply["results"]))
}

/// What became of each; the exit code is 1 if one could not be decided.
fn told(context: &Context, results: &Value) -> Output {
    let rows: Vec<Value> = results
        .as_object()
        .into_iter()
        .flatten()
        .map(|(id, result)| json!({"id": id, "state": result["state"], "error": result["error"]}))
        .collect();
    let failed = rows.iter().any(|row| !row["error"].is_null());
    let output = if context.json {
        show::one_line(&json!({"results": results}))
    } else {
        Output::text(table::table(RESULTS, &rows))
    };
    if failed { output.failing() } else { output }
}

fn watch_command(name: &'static str) -> Command {
    Command::new(name)
        .about("Show requests as they come, and ask what to do with each")
        .after_help("Shows those that are pending first. Asks in a terminal alone. Ends when it is interrupted.")
}

fn read(session: &Session<'_>, route: &str, query: Value) -> Result<Vec<Value>, Failure> {
    let Value::Object(query) = query else { return Ok(Vec::new()) };
    let route = path::route(route);
    match session.send_for_json(route, &path::target(route, &[], &query), None)? {
        Value::Array(rows) => Ok(rows),
        _ => Err(Failure::Unexpected("The answer is not a list.".to_owned())),
    }
}

fn watch(context: &Context, _: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let asks = !context.json && io::stdin().is_terminal() && io::stderr().is_terminal();
    let mut seen: Vec<String> = Vec::new();
    // Every request comes with a notification to those who decide: that is waited for.
    let newest = read(&session, "notifications_list", json!({"limit": 1}))?;
    let mut last = newest.first().and_then(|row| row["id"].as_str()).unwrap_or(FIRST).to_owned();
    let wait = WAIT.min(context.timeout.as_secs() / 2).max(1);
    loop {
        let mut pending = read(&session, "requests_list", json!({"state": "pending"}))?;
        pending.reverse();
        let of = |request: &Value| request["id"].as_str().unwrap_or("").to_owned();
        for request in pending.iter().filter(|request| !seen.contains(&of(request))) {
            let shown = if context.json { format!("{}\n", text::json_line(request)) } else { line(request) };
            if say::out(&shown).map_err(Failure::Output)? == Said::Unread {
                return Ok(Output::default());
            }
            if asks && !ask(&session, request)? {
                return Ok(Output::default());
            }
        }
        seen = pending.iter().map(of).collect();
        let rows = read(&session, "notifications_list", json!({"after": last, "wait": wait}))?;
        if let Some(id) = rows.last().and_then(|row| row["id"].as_str()) {
            last = id.to_owned();
        }
    }
}

/// A request for people, on a few lines.
fn line(request: &Value) -> String {
    let field = |value: &Value| text::clean(&text::plain(value));
    let mut shown =
        format!("{}  {} asks ({})\n", field(&request["id"]), field(&request["requester"]), field(&request["kind"]));
    for (name, value) in request["asked"].as_object().into_iter().flatten() {
        shown.push_str(&format!("  {}: {}\n", text::clean(name), field(value)));
    }
    shown.push_str(&format!("  reason: {}\n", field(&request["reason"])));
    if let Some(seconds) = request["duration_seconds"].as_i64() {
        shown.push_str(&format!("  for: {seconds} s\n"));
    }
    shown
}

/// Asks what to do with a request, and does it. False: nobody answers any more.
fn ask(session: &Session<'_>, request: &Value) -> Result<bool, Failure> {
    let id = request["id"].as_str().unwrap_or("");
    let options = request["options"].as_array().cloned().unwrap_or_default();
    let is_question = request["kind"] == "confirm";
    complain(match (is_question, options.is_empty()) {
        (true, true) => "Answer (empty: later, deny: refuse): ",
        (true, false) => "Option or its number from 0 (empty: later, deny: refuse): ",
        (false, _) => "Approve? [y/n/later] ",
    });
    let mut answer = String::new();
    if io::stdin().lock().take(ANSWER).read_line(&mut answer).map_err(Failure::Output)? == 0 {
        return Ok(false);
    }
    let answer = answer.trim();
    let mut body = Map::new();
    let route = match (is_question, answer.to_lowercase().as_str()) {
        (_, "") | (false, "later") => return Ok(true),
        (true, "deny") | (false, "n" | "no") => "requests_deny",
        (false, "y" | "yes") => "requests_approve",
        (false, _) => return Ok(true),
        (true, lower) => {
            let is_it = |one: &Value| one.as_str().is_some_and(|text| text.to_lowercase() == lower);
            match options.iter().position(is_it).or_else(|| lower.parse().ok().filter(|nth| *nth < options.len())) {
                Some(nth) => body.insert("option".into(), json!(nth)),
                None => body.insert("text".into(), json!(answer)),
            };
            "requests_approve"
        }
    };
    match post(session, route, id, body) {
        Ok(decided) => complain(&format!("{}\n", text::clean(&text::plain(&decided["state"])))),
        // Somebody else was faster, or it is not this user's to give.
        Err(Failure::Refused(refusal)) if refusal.status < 500 && refusal.status != 401 => {
            complain(&format!("{}\n", text::clean(&refusal.detail)));
        }
        Err(failure) => return Err(failure),
    }
    Ok(true)
}
