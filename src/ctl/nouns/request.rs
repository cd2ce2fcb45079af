//! `taosctl request` and `taosctl ask`: an agent asks its owner, and waits.

use std::time::{Duration, Instant};

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::flags;
use crate::ctl::core::output::Output;
use crate::ctl::core::{duration, path, text};
use crate::ctl::login::context::Context;
use crate::ctl::login::session::{self, Session};
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::names;
use crate::ctl::verbs::patience::patiently;
use crate::ctl::verbs::show::{self, ShowAs};
use crate::ctl::verbs::verb::Verb;
use crate::say::complain;

/// The most seconds that one request waits.
const WAIT: u64 = 60;
/// Seconds to wait for a question without a time limit of its own: the longest life of a question.
const LONG: i64 = 7 * 86_400;

/// The noun `request` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "request",
    about: "Ask your owner for a scope or a role",
    entries: &[
        CommandEntry::Own {
            name: "scope",
            routes: &["requests_create", "requests_get"],
            command: scope_command,
            run: scope,
        },
        CommandEntry::Verb(Verb::new("answer", "ui_answer", ShowAs::Record).at_once()),
        CommandEntry::Own {
            name: "grant",
            routes: &["requests_create", "requests_get"],
            command: grant_command,
            run: grant,
        },
    ],
};

/// `taosctl ask`.
pub const ASK: CommandEntry =
    CommandEntry::Own { name: "ask", routes: &["ui_ask", "ui_answer"], command: ask_command, run: ask };

fn text_arg(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).value_name(value).value_parser(NonEmptyStringValueParser::new()).help(help)
}

fn asking(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .after_help("Exits with 0 if the agent has the right now, or gets it while --wait waits; otherwise with 1.")
        .args([
            text_arg("reason", "TEXT", "Why; your owner reads it")
                .long("reason")
                .required(true)
                .allow_hyphen_values(true),
            Arg::new("for")
                .long("for")
                .value_name("TIME")
                .value_parser(duration::seconds)
                .help("For how long: 90s, 10m, 2h"),
            Arg::new("wait").long("wait").action(ArgAction::SetTrue).help("Wait for the decision"),
        ])
}

fn scope_command(name: &'static str) -> Command {
    asking(name, "Ask for scopes").arg(text_arg("scope", "SCOPE", "The scopes").required(true).num_args(1..))
}

fn grant_command(name: &'static str) -> Command {
    let role = text_arg("role", "ROLE", "viewer, editor or owner").required(true);
    asking(name, "Ask for a role")
        .arg(text_arg("resource", "RESOURCE", "agent:NAME or space:NAME").required(true))
        .arg(role.value_parser(PossibleValuesParser::new(["viewer", "editor", "owner"])))
}

fn scope(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let scopes: Vec<&String> = matches.get_many::<String>("scope").into_iter().flatten().collect();
    request(context, matches, json!({"kind": "scope", "scope": scopes}))
}

fn grant(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    request(context, matches, json!({"kind": "grant", "resource": text("resource"), "role": text("role")}))
}

fn request(context: &Context, matches: &ArgMatches, mut body: Value) -> Result<Output, Failure> {
    let session = context.session()?;
    body["reason"] = json!(matches.get_one::<String>("reason"));
    if let Some(seconds) = matches.get_one::<i64>("for") {
        body["duration_seconds"] = json!(seconds);
    }
    let route = path::route("requests_create");
    let mut request = session.send_for_json(route, route.path, Some(&body))?;
    if matches.get_flag("wait") && request["state"] == "pending" {
        let id = request["id"].as_str().unwrap_or("").to_owned();
        request =
            wait(&session, "requests_get", &id, LONG, &|request| request["state"] != "pending").inspect_err(|_| {
                complain(&format!("note: the request waits on: taosctl requests show {}\n", text::clean(&id)))
            })?;
    }
    let has_it = request["state"] == "approved" || request["state"] == "not_needed";
    let output = if context.json { show::one_line(&request) } else { show::record(&request)? };
    let waits = request["state"] == "pending";
    Ok(if has_it || (waits && !matches.get_flag("wait")) { output } else { output.failing() })
}

/// Waits until `done` accepts the reply of a route, at most so many seconds, and outlasts restarts of the daemon. Returns
/// the last reply.
fn wait(
    session: &Session<'_>,
    route: &str,
    id: &str,
    seconds: i64,
    done: &dyn Fn(&Value) -> bool,
) -> Result<Value, Failure> {
    let route = path::route(route);
    let end = Instant::now() + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    loop {
        let reply = patiently(Some(end), || {
            let left = end.saturating_duration_since(Instant::now());
            let turn = WAIT.min(left.as_secs() + u64::from(left.subsec_millis() > 0));
            let query = Map::from_iter([("wait".to_owned(), json!(turn))]);
            let target = path::target(route, &[id], &query);
            let patience = session.context.timeout + Duration::from_secs(turn);
            let reply =
                session.send_dressed(route, &target, &|request| request.with_deadline(Instant::now() + patience))?;
            session::json(&reply)
        })?;
        if done(&reply) || Instant::now() >= end {
            return Ok(reply);
        }
    }
}

fn ask_command(name: &'static str) -> Command {
    Command::new(name)
        .about("Ask your owner a question and print only the answer")
        .after_help(
            "Exits with 0 if there is an answer, and with 1 if the question was refused or not answered in time.",
        )
        .args([
            text_arg("question", "QUESTION", "The question").required(true).allow_hyphen_values(true),
            Arg::new("option")
                .long("option")
                .value_name("OPTION")
                .action(ArgAction::Append)
                .help("An answer to choose from"),
            flags::space_arg("space"),
            Arg::new("wait")
                .long("wait")
                .value_name("TIME")
                .value_parser(duration::seconds)
                .help("How long to wait: 90s, 10m, 2h; until it expires if absent"),
            Arg::new("no-wait")
                .long("no-wait")
                .action(ArgAction::SetTrue)
                .conflicts_with("wait")
                .help("Print the question's id and do not wait"),
        ])
}

fn ask(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let mut body = json!({"question": matches.get_one::<String>("question")});
    if let Some(options) = matches.get_many::<String>("option") {
        body["options"] = json!(options.collect::<Vec<_>>());
    }
    if let Some(space) = matches.get_one::<String>("space") {
        body["space_id"] = json!(names::space(&session, space)?);
    }
    let route = path::route("ui_ask");
    let asked = session.send_for_json(route, route.path, Some(&body))?;
    let id = asked["question_id"].as_str().unwrap_or("").to_owned();
    if matches.get_flag("no-wait") {
        return Ok(if context.json { show::one_line(&asked) } else { Output::text(text::clean(&id)) });
    }
    let seconds = matches.get_one::<i64>("wait").copied().unwrap_or(LONG);
    let told = wait(&session, "ui_answer", &id, seconds, &|told| told["status"] != "waiting").inspect_err(|_| {
        complain(&format!("note: the question waits on; its answer: taosctl request answer {}\n", text::clean(&id)));
    })?;
    if context.json {
        let output = show::one_line(&told);
        return Ok(if told["status"] == "answered" { output } else { output.failing() });
    }
    if told["status"] == "answered" {
        return Ok(Output::text(text::clean(&text::plain(&told["answer"]))));
    }
    let note = told["note"].as_str().map(|note| format!(": {}", text::clean(note))).unwrap_or_default();
    let status = text::clean(&text::plain(&told["status"]));
    Ok(Output::default().with_note(&format!("question {id}: {status}{note}")).failing())
}
