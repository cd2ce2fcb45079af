//! `taosctl upload`: uploads a file into a space.

use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{Arg, ArgMatches, Command};
use serde_json::Value;

use crate::api::FileKind;
use crate::client::http::{Direction, Progress};
use crate::ctl::core::failure::Failure;
use crate::ctl::core::flags;
use crate::ctl::core::input;
use crate::ctl::core::output::Output;
use crate::ctl::core::path;
use crate::ctl::login::context::Context;
use crate::ctl::login::session;
use crate::ctl::login::session::Session;
use crate::ctl::show::bar::Bar;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::names;
use crate::ctl::verbs::show::{self, ShowAs};
use crate::ctl::verbs::verb::Verb;

/// The most bytes of a file; the daemon's own limit may be lower.
const MAX: u64 = 1024 * 1024 * 1024;
const BOUNDARY_BYTES: usize = 16;

/// `taosctl upload`.
pub const ENTRY: CommandEntry = CommandEntry::Own { name: "upload", routes: &["uploads_create"], command, run };
/// Lists the files of a space.
pub const FILES: CommandEntry =
    CommandEntry::Verb(Verb::new("files", "uploads_list", ShowAs::Table(COLUMNS)).empty("taosctl upload FILE"));
/// Deletes a file.
pub const DELETE: CommandEntry = CommandEntry::Verb(
    Verb::new("delete-file", "uploads_delete", ShowAs::Done("deleted", None)).ask("Delete file {} for all members?"),
);

const COLUMNS: &[Column] = &[
    Column("ID", "attachment_id"),
    Column("NAME", "original_filename"),
    Column("BYTES", "size"),
    Column("BY", "created_by"),
    Column("UPLOADED", "created_at"),
];

fn command(name: &'static str) -> Command {
    let route = path::route("uploads_create");
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("TEXT").allow_hyphen_values(true).help(help)
    };
    let file = Arg::new("file").value_name("FILE").required(true).value_parser(NonEmptyStringValueParser::new());
    Command::new(name)
        .about(route.title)
        .after_help("A png, jpeg, gif, webp, pdf, json, markdown, csv or any text in UTF-8.")
        .arg(file.help("The file; - reads stdin"))
        .arg(flag("name", "The name to store; the file's own name if absent"))
        .arg(
            flag("type", "The type of the file; by its name if absent")
                .value_parser(PossibleValuesParser::new(FileKind::SLUGS)),
        )
        .arg(flags::space_arg("space"))
}

fn run(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let file = text("file").unwrap_or("-");
    let own = if file == "-" { None } else { Path::new(file).file_name().and_then(|name| name.to_str()) };
    let name = text("name").or(own).unwrap_or("stdin.txt");
    let kind = text("type").unwrap_or_else(|| kind_of(name));
    let session = context.session()?;
    let space = names::space_or_own(&session, text("space"))?;
    let reply = put(&session, file, space.as_deref(), name, kind)?;
    show::reply(&session, &ShowAs::Record, &[], &reply)
}

/// Uploads a file for a message.
///
/// # Errors
/// The file cannot be read, or the server refuses it.
pub(super) fn attach(session: &Session<'_>, file: &str, space: Option<&str>) -> Result<Value, Failure> {
    let name = Path::new(file).file_name().and_then(|name| name.to_str()).unwrap_or("stdin.txt");
    put(session, file, space, name, kind_of(name))
}

fn put(session: &Session<'_>, file: &str, space: Option<&str>, name: &str, kind: &str) -> Result<Value, Failure> {
    let (content, boundary) = (read(file)?, boundary()?);
    let body = form(&boundary, space, name, kind, &content);
    let route = path::route("uploads_create");
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let reply = session.send_dressed(route, route.path, &|request| {
        let request = request.with_body(&content_type, body.clone());
        match progress(session.context, Direction::Out) {
            Some(progress) => request.with_progress(progress),
            None => request,
        }
    })?;
    session::json(&reply)
}

fn read(file: &str) -> Result<Vec<u8>, Failure> {
    let failure = |error: io::Error| Failure::usage(format!("{file}: {error}"), "Name a file that can be read.");
    let mut bytes = Vec::new();
    input::open(file).map_err(failure)?.take(MAX + 1).read_to_end(&mut bytes).map_err(failure)?;
    if bytes.len() as u64 > MAX {
        return Err(Failure::usage(format!("{file} is larger than any daemon takes."), "Cut it into parts."));
    }
    Ok(bytes)
}

fn boundary() -> Result<String, Failure> {
    let mut bytes = [0; BOUNDARY_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Failure::Output(io::Error::other(error)))?;
    Ok(format!("taosctl-{}", data_encoding::HEXLOWER.encode(&bytes)))
}

fn form(boundary: &str, space: Option<&str>, name: &str, kind: &str, content: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(content.len() + 1024);
    if let Some(space) = space {
        let part = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"space_id\"\r\n\r\n{space}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let plain = |c: char| if c.is_ascii_graphic() && c != '"' && c != '\\' || c == ' ' { c } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{ascii}\"; \
        filename*=UTF-8''{encoded}\r\nContent-Type: {kind}\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body
}

/// The type for the extension of a file name; text for all unknown extensions.
fn kind_of(name: &str) -> &'static str {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end).to_ascii_lowercase();
    let kind = match end.as_str() {
        "png" => FileKind::Png,
        "jpg" | "jpeg" => FileKind::Jpeg,
        "gif" => FileKind::Gif,
        "webp" => FileKind::Webp,
        "pdf" => FileKind::Pdf,
        "json" => FileKind::Json,
        "md" | "markdown" => FileKind::Markdown,
        "csv" => FileKind::Csv,
        _ => FileKind::Plain,
    };
    kind.slug()
}

/// A callback that shows the progress of a transfer. `None` if stderr is not a terminal.
pub(super) fn progress(context: &Context, shown: Direction) -> Option<Progress> {
    if context.json || !io::stderr().is_terminal() {
        return None;
    }
    let bar: OnceLock<Bar> = OnceLock::new();
    Some(Arc::new(move |way, done, total| {
        let Some(total) = total.filter(|total| way == shown && *total > 0) else { return };
        let what = if way == Direction::Out { "uploading" } else { "downloading" };
        let bar = bar.get_or_init(|| Bar::of_bytes(what, total));
        bar.bytes(done);
        if done == total {
            bar.end();
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_type_and_stands_in_the_form_in_both_ways() {
        assert_eq!((kind_of("a.PNG"), kind_of("x.rs"), kind_of("Makefile")), ("image/png", "text/plain", "text/plain"));
        let body = form("b", Some("s"), "naïve \"x\".md", "text/markdown", b"content");
        let text = String::from_utf8(body).unwrap();
        assert!(text.contains("filename=\"na_ve _x_.md\"; filename*=UTF-8''na%C3%AFve%20%22x%22%2Emd"), "{text}");
        assert!(text.starts_with("--b\r\n") && text.ends_with("\r\n\r\ncontent\r\n--b--\r\n"));
    }
}
