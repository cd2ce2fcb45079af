//! `taosctl download`: a file out of a space, into one directory and nowhere else.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::{Map, json};

use super::upload::progress;
use crate::api::safe_file_name;
use crate::client::http::{Response, Way};
use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::{path, text};
use crate::ctl::login::context::Context;
use crate::ctl::login::session::ANSWER_BYTES;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show;

/// The verb.
pub const ENTRY: CommandEntry = CommandEntry::Own { name: "download", routes: &["uploads_read"], command, run };

fn command(name: &'static str) -> Command {
    let route = path::route("uploads_read");
    let id = Arg::new("id").value_name("ID").required(true).value_parser(NonEmptyStringValueParser::new());
    Command::new(name)
        .about(route.title)
        .after_help("Under its own name, without any path in it. What is there already stays, unless --force is given.")
        .arg(id.help("The file's id, or its address"))
        .args(place_args())
}

/// Where a file goes.
pub(super) fn place_args() -> [Arg; 3] {
    let flag = |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value);
    [
        flag("dir", "DIR").default_value(".").help("Where to put it"),
        flag("save-as", "NAME").help("Another name for it; - writes to stdout"),
        Arg::new("force").long("force").action(ArgAction::SetTrue).help("Write over what is there"),
    ]
}

fn run(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let id = matches.get_one::<String>("id").and_then(|id| id.rsplit('/').next()).unwrap_or("");
    fetch(context, matches, "uploads_read", id)
}

/// Fetches the file of this id and puts it where the flags say.
pub(super) fn fetch(context: &Context, matches: &ArgMatches, route: &str, id: &str) -> Result<Output, Failure> {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let (route, session) = (path::route(route), context.session()?);
    let reply = session.send_dressed(route, &path::target(route, &[id], &Map::new()), &|request| {
        let request = request.with_max_response(ANSWER_BYTES);
        match progress(context, Way::In) {
            Some(progress) => request.with_progress(progress),
            None => request,
        }
    })?;
    if text("save-as") == Some("-") {
        io::stdout().write_all(&reply.body).and_then(|()| io::stdout().flush()).map_err(Failure::Output)?;
        return Ok(Output::default());
    }
    let name = safe_file_name(text("save-as").unwrap_or(&name_of(&reply)));
    let place = Path::new(text("dir").unwrap_or(".")).join(name);
    save(&place, &reply.body, matches.get_flag("force"))?;
    let shown = place.display().to_string();
    if context.json {
        return Ok(show::one_line(&json!({"file": shown, "bytes": reply.body.len()})));
    }
    Ok(Output::text(text::clean(&shown)))
}

/// The name that the daemon says; what it says is not trusted to be a name.
fn name_of(reply: &Response) -> String {
    let value = reply.header("content-disposition").unwrap_or("");
    let encoded = value.split(';').find_map(|part| part.trim().strip_prefix("filename*=UTF-8''"));
    let decoded = encoded.and_then(|text| percent_encoding::percent_decode_str(text).decode_utf8().ok());
    decoded.map_or_else(|| "file".to_owned(), std::borrow::Cow::into_owned)
}

/// Writes a file beside its place and moves it there whole. A link at the place is never followed.
fn save(place: &Path, bytes: &[u8], force: bool) -> Result<(), Failure> {
    let cannot = |error: io::Error| Failure::usage(format!("{}: {error}", place.display()), "Choose another place.");
    let there = || {
        let detail = format!("{} is there already.", place.display());
        Failure::usage(detail, "Add --force to write over it, or choose another --output.")
    };
    let part = beside(place);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    let moved = written.and_then(|()| match force {
        true => fs::rename(&part, place),
        false => renameat_with(CWD, &part, CWD, place, RenameFlags::NOREPLACE).map_err(io::Error::from),
    });
    moved.map_err(|error| {
        let _ = fs::remove_file(&part);
        if error.kind() == io::ErrorKind::AlreadyExists { there() } else { cannot(error) }
    })
}

fn beside(place: &Path) -> PathBuf {
    let name = format!(".taosctl-{}.part", std::process::id());
    place.with_file_name(name)
}
