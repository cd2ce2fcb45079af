//! `taosctl send`: sends a message. It can wait for the reply, or until the message is read.

use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value, json};

use super::inbox::end;
use super::upload;
use crate::ctl::core::failure::Failure;
use crate::ctl::core::flags;
use crate::ctl::core::output::Output;
use crate::ctl::core::{path, text};
use crate::ctl::login::context::Context;
use crate::ctl::login::session::Session;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::follow::{MessageQuery, line, seq_of};
use crate::ctl::verbs::names;
use crate::ctl::verbs::patience::patiently;

/// How long to wait for a reply or a receipt if `--timeout` is not given.
const PATIENCE: Duration = Duration::from_secs(60);
/// The time between two requests for the receipts.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// `taosctl send`.
pub const ENTRY: CommandEntry = CommandEntry::Own {
    name: "send",
    routes: &["messages_send", "messages_list", "messages_receipts", "uploads_create"],
    command,
    run,
};

fn command(name: &'static str) -> Command {
    let text = |id: &'static str, value: &'static str, help: &'static str| {
        Arg::new(id).long(id).value_name(value).help(help).value_parser(NonEmptyStringValueParser::new())
    };
    let flag = |id: &'static str, help: &'static str| Arg::new(id).long(id).action(ArgAction::SetTrue).help(help);
    Command::new(name)
        .about("Send a message")
        .after_help(
            "Run again under the same --client-id it is not sent twice. --wait prints the reply; --wait-read waits until \
             every recipient has read it. Both end with exit code 1 if that does not happen within --timeout seconds (60).",
        )
        .arg(Arg::new("text").value_name("TEXT").required(true).allow_hyphen_values(true).help("The text; - reads stdin"))
        .args([
            text("to", "NAME", "Mention this member").visible_alias("mention"),
            text("channel", "CHANNEL", "The channel: main, dm:NAME for only one member, or any other"),
            text("reply-to", "ID", "The message it replies to"),
            flags::space_arg("space"),
            text("client-id", "ID", "Your own id of the message: sending it again within a day makes no second message"),
            text("expects-reply-by", "TIME|SECONDS", "Be told if nobody has replied by then"),
            text("metadata", "JSON", "Data of your own, a JSON object"),
            Arg::new("file")
                .long("file")
                .value_name("FILE")
                .action(ArgAction::Append)
                .help("A file to upload and attach; repeatable"),
            flag("wait", "Wait for a reply and print it").conflicts_with("wait-read"),
            flag("wait-read", "Wait until every recipient has read it"),
        ])
}

fn body(session: &Session<'_>, matches: &ArgMatches) -> Result<Value, Failure> {
    let given = |name: &str| matches.get_one::<String>(name).cloned();
    let mut content = match given("text").unwrap_or_default() {
        dash if dash == "-" => flags::read_file("-")?,
        text => text,
    };
    if let Some(name) = given("to") {
        let mention = format!("@{}", name.trim_start_matches('@'));
        if !begins_with(&content, &mention) {
            content = format!("{mention} {content}");
        }
    }
    let mut body = Map::from_iter([("content".to_owned(), json!(content))]);
    let space = names::space_or_own(session, given("space").as_deref())?;
    let fields = [
        ("channel", given("channel")),
        ("parent_id", given("reply-to")),
        ("space_id", space),
        ("client_id", given("client-id")),
    ];
    body.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
    if let Some(files) = matches.get_many::<String>("file") {
        let space = body.get("space_id").and_then(Value::as_str);
        let attached = files.map(|file| attachment(session, file, space)).collect::<Result<_, _>>()?;
        body.insert("attachments".to_owned(), Value::Array(attached));
    }
    if let Some(due) = given("expects-reply-by") {
        let due = due.parse::<i64>().map_or_else(|_| json!(due), |seconds| json!(seconds));
        body.insert("expects_reply_by".to_owned(), due);
    }
    if let Some(text) = given("metadata") {
        let wrong = || Failure::usage("--metadata is no JSON object.", "Write it as {\"key\": \"value\"}.");
        let object: Map<String, Value> = serde_json::from_str(&text).map_err(|_| wrong())?;
        body.insert("metadata".to_owned(), Value::Object(object));
    }
    Ok(Value::Object(body))
}

/// True if a text begins with a mention, and not with that of a longer name.
fn begins_with(content: &str, mention: &str) -> bool {
    let content = content.trim_start();
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    content.get(..mention.len()).is_some_and(|start| start.eq_ignore_ascii_case(mention))
        && !content[mention.len()..].starts_with(is_of_a_name)
}

/// Uploads a file, and returns it as an attachment of a message.
fn attachment(session: &Session<'_>, file: &str, space: Option<&str>) -> Result<Value, Failure> {
    let uploaded = upload::attach(session, file, space)?;
    Ok(json!({
        "id": uploaded["attachment_id"],
        "filename": uploaded["original_filename"],
        "content_type": uploaded["content_type"],
        "size": uploaded["size"],
        "size_bytes": uploaded["size"],
        "url": uploaded["url"],
        "kind": "file",
    }))
}

fn run(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let route = path::route("messages_send");
    let sent = session.send_for_json(route, route.path, Some(&body(&session, matches)?))?;
    let message = sent["message"].clone();
    if !message["id"].is_string() {
        return Err(Failure::Unexpected("The answer holds no message.".to_owned()));
    }
    let end = end(matches, Some(PATIENCE));
    if matches.get_flag("wait") {
        return reply(context, &session, &sent, &message, end);
    }
    if matches.get_flag("wait-read") {
        return read(context, &session, &sent, &message, end);
    }
    if context.json {
        return Ok(Output::text(text::json_line(&sent)));
    }
    let output = Output::text(format!("sent: {}", text::clean(&text::plain(&message["id"]))));
    Ok(match note(&sent["delivery"]) {
        Some(note) => output.with_note(&note),
        None => output,
    })
}

/// A note about the delivery, if nobody listens.
fn note(delivery: &Value) -> Option<String> {
    if delivery["nobody_listening"] != json!(true) {
        return None;
    }
    let recipients = delivery["recipients"].as_array().map_or(&[][..], Vec::as_slice);
    let asleep: Vec<String> = recipients
        .iter()
        .filter(|one| one["listening"] == json!("sleeping"))
        .map(|one| text::clean(&text::plain(&one["name"])))
        .collect();
    if asleep.is_empty() {
        return Some("note: nobody is listening now; it will be there when they look".to_owned());
    }
    Some(format!("note: woken by this message: {}", asleep.join(", ")))
}

/// Waits for a reply to the sent message.
fn reply(
    context: &Context,
    session: &Session<'_>,
    sent: &Value,
    message: &Value,
    end: Option<Instant>,
) -> Result<Output, Failure> {
    let query = Map::from_iter([("space_id".to_owned(), message["space_id"].clone())]);
    let mut found = None;
    MessageQuery { query }.each(session, seq_of(message)?, end, |other| {
        let answers = other["parent_id"] == message["id"] && other["author"] != message["author"];
        if answers {
            found = Some(other.clone());
        }
        Ok(answers)
    })?;
    let mut whole = sent.clone();
    whole["reply"] = found.clone().unwrap_or(Value::Null);
    let output = match &found {
        _ if context.json => Output::text(text::json_line(&whole)),
        Some(found) => Output::text(line(found, false)),
        None => {
            Output::default().with_note("no reply in time; `taosctl messages replies ID` shows one that comes later")
        }
    };
    Ok(if found.is_some() { output } else { output.failing() })
}

/// Waits until every recipient has read the message.
fn read(
    context: &Context,
    session: &Session<'_>,
    sent: &Value,
    message: &Value,
    end: Option<Instant>,
) -> Result<Output, Failure> {
    let route = path::route("messages_receipts");
    let target = path::target(route, &[message["id"].as_str().unwrap_or("")], &Map::new());
    let (receipts, all) = loop {
        let mut reply = patiently(end, || session.send_for_json(route, &target, None))?;
        let receipts = reply["receipts"].take();
        let is_read = |receipt: &Value| receipt["state"] == "read" || receipt["state"] == "answered";
        let all = receipts.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(is_read));
        let nobody = receipts.as_array().is_some_and(Vec::is_empty);
        if all || nobody || end.is_some_and(|end| Instant::now() >= end) {
            break (receipts, all);
        }
        sleep(LOOK_AGAIN);
    };
    let output = if context.json {
        let mut whole = sent.clone();
        whole["receipts"] = receipts;
        Output::text(text::json_line(&whole))
    } else {
        let lines = receipts.as_array().into_iter().flatten().map(|receipt| {
            format!("{}: {}\n", text::clean(&text::plain(&receipt["name"])), text::plain(&receipt["state"]))
        });
        Output::text(lines.collect())
    };
    Ok(if all { output } else { output.failing() })
}
