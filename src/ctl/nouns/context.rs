//! `taosctl context`: values that the members of a space share.

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::{Map, Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::flags::{self, read_file};
use crate::ctl::core::output::Output;
use crate::ctl::core::path;
use crate::ctl::login::context::Context;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::{self, ShowAs};
use crate::ctl::verbs::verb::Verb;
use crate::ctl::verbs::{names, wording};
use crate::limits::CONTEXT_TTL;

const COLUMNS: &[Column] =
    &[Column("KEY", "key"), Column("VALUE", "value"), Column("EXPIRES", "expires_at"), Column("BY", "created_by")];

/// The noun `context` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "context",
    about: "Values that agents and users share in a space",
    entries: &[
        CommandEntry::Verb(
            Verb::new("list", "context_list", ShowAs::Table(COLUMNS)).empty("taosctl context set KEY VALUE"),
        ),
        CommandEntry::Verb(Verb::new("get", "context_read", ShowAs::Lines("value"))),
        CommandEntry::Own { name: "set", routes: &["context_set"], command: set_command, run: set },
        CommandEntry::Verb(Verb::new("rm", "context_delete", ShowAs::Done("deleted", None))),
        CommandEntry::Own { name: "promote", routes: &["context_promote"], command: promote_command, run: promote },
    ],
};

fn place(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).value_name(name.to_uppercase()).value_parser(NonEmptyStringValueParser::new()).help(help)
}

fn set_command(name: &'static str) -> Command {
    let ttl =
        Arg::new("ttl").long("ttl").value_name("SECONDS").value_parser(value_parser!(i64).range(1..=CONTEXT_TTL.0));
    let route = path::route("context_set");
    Command::new(name)
        .about(route.title)
        .after_help(wording::about(route))
        .arg(place("key", "The key").required(true))
        .arg(Arg::new("value").value_name("VALUE").help("The value; - reads stdin").required_unless_present("file"))
        .arg(Arg::new("file").long("file").value_name("FILE").conflicts_with("value").help("A file with the value"))
        .arg(ttl.help("Seconds until it ends; 86400 if absent"))
        .arg(flags::space_arg("space"))
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    matches.get_one::<String>(name).map(String::as_str)
}

fn set(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let value = match (text(matches, "file"), text(matches, "value")) {
        (Some(path), _) => read_file(path)?,
        (None, Some("-")) => read_file("-")?,
        (None, value) => value.unwrap_or("").to_owned(),
    };
    let mut body = json!({"key": text(matches, "key"), "value": value});
    if let Some(ttl) = matches.get_one::<i64>("ttl") {
        body["ttl"] = json!(ttl);
    }
    let (route, session) = (path::route("context_set"), context.session()?);
    if let Some(space) = names::space_or_own(&session, text(matches, "space"))? {
        body["space_id"] = json!(space);
    }
    let reply = session.send_for_json(route, route.path, Some(&body))?;
    show::reply(&session, &ShowAs::Record, &[], &reply)
}

fn promote_command(name: &'static str) -> Command {
    let route = path::route("context_promote");
    let kind = Arg::new("artifact-type")
        .long("artifact-type")
        .value_name("TEXT")
        .allow_hyphen_values(true)
        .default_value("RESEARCH");
    Command::new(name)
        .about(route.title)
        .after_help(wording::about(route))
        .arg(place("key", "The key").required(true))
        .arg(kind.help("What it is"))
        .arg(flags::space_arg("space"))
}

fn promote(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let space = match names::space_or_own(&session, text(matches, "space"))? {
        Some(space) => space,
        None => {
            let me = path::route("auth_me");
            let me: Value = session.send_for_json(me, me.path, None)?;
            let wrong = || Failure::Unexpected("The answer names no space.".to_owned());
            me["space_id"].as_str().ok_or_else(wrong)?.to_owned()
        }
    };
    let route = path::route("context_promote");
    let body = json!({"key": text(matches, "key"), "artifact_type": text(matches, "artifact-type")});
    let reply = session.send_for_json(route, &path::target(route, &[&space], &Map::new()), Some(&body))?;
    show::reply(&session, &ShowAs::Record, &[], &reply)
}
