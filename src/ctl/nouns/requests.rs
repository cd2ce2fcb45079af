//! `taosctl requests`: the requests of agents, and the decisions.

use std::io::{self, BufRead, IsTerminal, Read};

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::{duration, path, text};
use crate::ctl::login::context::Context;
use crate::ctl::login::session::Session;
use crate::ctl::show::table::{self, Column};
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::patience::patiently;
use crate::ctl::verbs::show::{self, ShowAs};
use crate::ctl::verbs::verb::Verb;
use crate::say::{Said, complain};

const COLUMNS: &[Column] = &[
    Column("ID", "id"),
    Column("STATE", "state"),
    Column("WHO", "requester"),
    Column("KIND", "kind"),
    Column("ASKED", "asked"),
    Column("REASON", "reason"),
    Column("CODE", "code"),
    Column("UNTIL", "until"),
];
const RESULTS: &[Column] = &[Column("ID", "id"), Column("STATE", "state"), Column("ERROR", "error")];
/// An id before those of all notifications.
const FIRST: &str = "00000000-0000-0000-0000-000000000000";
/// The most seconds that one request waits for notifications.
const WAIT: u64 = 30;
/// The most bytes of an answer.
const ANSWER: u64 = 1024;

/// The noun `requests` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "requests",
    about: "What agents ask for, and the decisions",
    entries: &[
        CommandEntry::Verb(Verb::new("list", "requests_list", ShowAs::Table(COLUMNS)).empty("taosctl requests watch")),
        CommandEntry::Verb(Verb::new("show", "requests_get", ShowAs::Record).at_once()),
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
        CommandEntry::Verb(Verb::new("revoke", "requests_revoke", ShowAs::Record)),
        CommandEntry::Verb(Verb::new("withdraw", "requests_withdraw", ShowAs::Record)),
    ],
};

fn ids() -> Arg {
    let parser = NonEmptyStringValueParser::new();
    Arg::new("id")
        .value_name("ID")
        .required(true)
        .num_args(1..)
        .value_parser(parser)
        .help("The requests' ids; for a join also its code")
}

fn note() -> Arg {
    Arg::new("note").long("note").value_name("TEXT").allow_hyphen_values(true).help("A note for the agent")
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
            Arg::new("as")
                .long("as")
                .value_name("WHO")
                .value_parser(PossibleValuesParser::new(["new", "same"]))
                .help("For a join: a new agent, or the same agent again; its old credentials then end"),
            Arg::new("name").long("name").value_name("NAME").help("For a join: another name"),
            Arg::new("keep-old")
                .long("keep-old")
                .value_name("HOURS")
                .value_parser(clap::value_parser!(i64).range(0..=24))
                .help("For the same agent: hours that its old credentials stay valid"),
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
    if let Some(hours) = matches.get_one::<i64>("keep-old") {
        body.insert("keep_old_hours".into(), json!(hours));
    }
    for name in ["role", "text", "as", "name", "note"] {
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

/// The index of an option, which is named by its text (in any case) or by its number.
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

/// Decides one request after the other. A single one is shown complete.
fn each(context: &Context, ids: &[&str], decide: impl Fn(&str) -> Result<Value, Failure>) -> Result<Output, Failure> {
    if let [only] = ids {
        let decided = decide(only)?;
        return if context.json { Ok(show::one_line(&decided)) } else { show::record(&decided) };
    }
    let (mut results, mut code) = (Map::new(), 0);
    for id in ids {
        let result = match decide(id) {
            Ok(request) => json!({"state": request["state"]}),
            Err(Failure::Refused(refusal)) if refusal.status < 500 && refusal.status != 401 => {
                json!({"error": refusal.error})
            }
            Err(failure) if results.is_empty() => return Err(failure),
            // What is decided already must be shown.
            Err(failure) => {
                complain(&failure.told());
                code = failure.exit_code();
                break;
            }
        };
        results.insert((*id).to_owned(), result);
    }
    Ok(told(context, &Value::Object(results)).ending_with(code))
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

/// The result of each request. The exit code is 1 if one could not be decided.
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
        .about("Show new requests, and ask you about each")
        .after_help("Shows pending requests first. Asks only in a terminal. Runs until interrupted.")
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
    // Each request makes a notification to those who decide. The command waits for that notification, and waits while
    // the daemon is unreachable or restarts.
    let newest = patiently(None, || read(&session, "notifications_list", json!({"limit": 1})))?;
    let mut last = newest.first().and_then(|row| row["id"].as_str()).unwrap_or(FIRST).to_owned();
    let wait = WAIT.min(context.timeout.as_secs() / 2).max(1);
    loop {
        let mut pending = patiently(None, || read(&session, "requests_list", json!({"state": "pending"})))?;
        pending.reverse();
        let of = |request: &Value| request["id"].as_str().unwrap_or("").to_owned();
        for request in pending.iter().filter(|request| !seen.contains(&of(request))) {
            let shown = if context.json { format!("{}\n", text::json_line(request)) } else { line(request) };
            if Output::text(shown).print_more()? == Said::Unread {
                return Ok(Output::default());
            }
            if asks && !ask(&session, request)? {
                return Ok(Output::default());
            }
        }
        seen = pending.iter().map(of).collect();
        let rows = patiently(None, || read(&session, "notifications_list", json!({"after": last, "wait": wait})))?;
        if let Some(id) = rows.last().and_then(|row| row["id"].as_str()) {
            last = id.to_owned();
        }
    }
}

/// A request for people, on several lines.
fn line(request: &Value) -> String {
    let field = |value: &Value| text::clean(&text::plain(value));
    let mut shown =
        format!("{}  {} asks ({})\n", field(&request["id"]), field(&request["requester"]), field(&request["kind"]));
    for (name, value) in request["asked"].as_object().into_iter().flatten() {
        shown.push_str(&format!("  {}: {}\n", text::clean(&name.replace('_', " ")), field(value)));
    }
    shown.push_str(&format!("  reason: {}\n", field(&request["reason"])));
    if request["kind"] == "join" {
        shown.push_str(&format!("  code: {}\n", field(&request["code"])));
        if request["agent"].is_object() {
            let seen = &request["agent"]["last_used_at"];
            let seen = if seen.is_string() { field(seen) } else { "never".to_owned() };
            shown.push_str(&format!("  there is such an agent, last seen: {seen}\n"));
        }
    }
    if let Some(seconds) = request["duration_seconds"].as_i64() {
        shown.push_str(&format!("  for: {}\n", duration::words(seconds)));
    }
    shown
}

/// The prompt for a request.
fn prompt(request: &Value) -> &'static str {
    let has_options = request["options"].as_array().is_some_and(|options| !options.is_empty());
    match request["kind"].as_str() {
        Some("confirm") if has_options => "Option or its number from 0 (n: refuse to answer, d: decide later): ",
        Some("confirm") => "Answer (n: refuse to answer, d: decide later): ",
        Some("join") if request["agent"].is_object() => {
            "Do you see the same code there? s: the same agent again, its old credentials end; n: no; d: decide later: "
        }
        Some("join") => "Do you see the same code there? y: let it in; n: no; d: decide later: ",
        _ => "Approve? y: yes; n: no; d: decide later: ",
    }
}

/// A route and its body.
type Meant = (&'static str, Map<String, Value>);

/// The route and the body for an answer. `None` if the person decides later, `Err` if the answer is not valid.
fn meant(request: &Value, answer: &str) -> Result<Option<Meant>, ()> {
    let (lower, mut body) = (answer.to_lowercase(), Map::new());
    let options = request["options"].as_array().cloned().unwrap_or_default();
    let exists = request["kind"] == "join" && request["agent"].is_object();
    // An option with the text of a command word counts as the option.
    let is_it = |one: &Value| one.as_str().is_some_and(|text| text.to_lowercase() == lower);
    if let Some(nth) = options.iter().position(is_it) {
        body.insert("option".into(), json!(nth));
        return Ok(Some(("requests_approve", body)));
    }
    match lower.as_str() {
        "" | "d" | "later" => return Ok(None),
        "n" | "no" => return Ok(Some(("requests_deny", body))),
        "s" | "same" if exists => {
            body.insert("as".into(), json!("same"));
        }
        "y" | "yes" if request["kind"] == "join" && !exists => {
            body.insert("as".into(), json!("new"));
        }
        "y" | "yes" if request["kind"] != "confirm" && !exists => {}
        _ if request["kind"] != "confirm" => return Err(()),
        lower => match lower.parse::<usize>().ok().filter(|nth| *nth < options.len()) {
            Some(nth) => {
                body.insert("option".into(), json!(nth));
            }
            None if request["asked"]["free_text"] == true => {
                body.insert("text".into(), json!(answer));
            }
            None => return Err(()),
        },
    }
    Ok(Some(("requests_approve", body)))
}

/// Reads one line, to its end. `None` at the end of the input, `Err` for a line that is too long or not UTF-8.
fn read_answer(input: &mut impl BufRead) -> io::Result<Option<Result<String, ()>>> {
    let mut line = Vec::new();
    if input.take(ANSWER + 1).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let is_short = line.len() as u64 <= ANSWER;
    // The rest of a long line must not become the next answer.
    let mut rest = line.clone();
    while !rest.ends_with(b"\n") {
        rest.clear();
        if input.take(ANSWER).read_until(b'\n', &mut rest)? == 0 {
            break;
        }
    }
    Ok(Some(String::from_utf8(line).map_err(|_| ()).and_then(|line| if is_short { Ok(line) } else { Err(()) })))
}

/// Asks the person what to do with a request, and does it. Returns false at the end of stdin.
fn ask(session: &Session<'_>, request: &Value) -> Result<bool, Failure> {
    let id = request["id"].as_str().unwrap_or("");
    let (route, body) = loop {
        complain(prompt(request));
        let Some(answer) = read_answer(&mut io::stdin().lock()).map_err(Failure::Output)? else { return Ok(false) };
        let Ok(answer) = answer else {
            complain(&format!("An answer is a text of at most {ANSWER} bytes.\n"));
            continue;
        };
        match meant(request, answer.trim()) {
            Ok(Some(meant)) => break meant,
            Ok(None) => return Ok(true),
            Err(()) => complain("That is none of the answers.\n"),
        }
    };
    match patiently(None, || post(session, route, id, body.clone())) {
        Ok(decided) => complain(&format!("{}\n", text::clean(&text::plain(&decided["state"])))),
        // Somebody else has decided already, or this user may not decide.
        Err(Failure::Refused(refusal)) if refusal.status < 500 && refusal.status != 401 => {
            complain(&format!("{}\n", text::clean(&refusal.detail)));
        }
        Err(failure) => return Err(failure),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(request: &Value, answer: &str) -> Option<&'static str> {
        meant(request, answer).ok().flatten().map(|(route, _)| route)
    }

    #[test]
    fn a_long_line_is_one_answer_that_is_refused() {
        let long = format!("{}\nyes\n", "é".repeat(1100));
        let mut input = long.as_bytes();
        assert_eq!(read_answer(&mut input).unwrap(), Some(Err(())));
        assert_eq!(read_answer(&mut input).unwrap(), Some(Ok("yes\n".to_owned())));
        assert_eq!(read_answer(&mut input).unwrap(), None);
        let odd: &[u8] = b"\xff\nno";
        let mut input = odd;
        assert_eq!(read_answer(&mut input).unwrap(), Some(Err(())));
        assert_eq!(read_answer(&mut input).unwrap(), Some(Ok("no".to_owned())));
    }

    #[test]
    fn an_answer_means_what_the_prompt_says() {
        let scope = json!({"kind": "scope", "options": null});
        assert_eq!(route(&scope, "Y"), Some("requests_approve"));
        assert_eq!(route(&scope, "no"), Some("requests_deny"));
        assert_eq!(meant(&scope, "d"), Ok(None));
        assert!(meant(&scope, "s").is_err() && meant(&scope, "maybe").is_err());
    }

    #[test]
    fn who_comes_back_is_never_let_in_by_a_plain_yes() {
        let back = json!({"kind": "join", "agent": {"id": "i", "name": "atlas"}});
        assert!(meant(&back, "y").is_err());
        assert_eq!(meant(&back, "s").unwrap().unwrap().1["as"], "same");
        let new = json!({"kind": "join", "agent": null});
        assert_eq!(meant(&new, "y").unwrap().unwrap().1["as"], "new");
        assert!(meant(&new, "s").is_err());
    }

    #[test]
    fn a_question_is_answered_by_option_number_or_words() {
        let yes_no = json!({"kind": "confirm", "options": ["yes", "no"], "asked": {}});
        assert_eq!(meant(&yes_no, "no").unwrap().unwrap().1["option"], 1, "no is an answer here");
        assert_eq!(meant(&yes_no, "0").unwrap().unwrap().1["option"], 0);
        assert_eq!(route(&yes_no, "n"), Some("requests_deny"));
        assert!(meant(&yes_no, "2").is_err() && meant(&yes_no, "maybe").is_err());
        let free = json!({"kind": "confirm", "options": ["main"], "asked": {"free_text": true}});
        assert_eq!(meant(&free, "release").unwrap().unwrap().1["text"], "release");
    }
}
