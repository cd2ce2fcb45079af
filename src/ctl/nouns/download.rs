//! `taosctl download`: downloads a file from a space, into one directory and nowhere else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::{Map, json};

use super::upload::progress;
use crate::api::safe_file_name;
use crate::client::http::{Direction, Response};
use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::{path, text};
use crate::ctl::login::context::Context;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::{names, show};
use crate::threads::lock;

/// `taosctl download`.
pub const ENTRY: CommandEntry =
    CommandEntry::Own { name: "download", routes: &["uploads_read", "uploads_list"], command, run };

fn command(name: &'static str) -> Command {
    let route = path::route("uploads_read");
    let id = Arg::new("id").value_name("ID").required(true).value_parser(NonEmptyStringValueParser::new());
    Command::new(name)
        .about(route.title)
        .after_help(
            "Writes the file under its own name, without any path. An existing file stays, unless --force is given.",
        )
        .arg(id.help("The file's id, name or address"))
        .args(place_args())
}

/// The flags for the place of the file.
pub(super) fn place_args() -> [Arg; 3] {
    let flag = |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value);
    [
        flag("dir", "DIR").default_value(".").help("The directory to write to"),
        flag("save-as", "NAME").help("Another file name; - writes to stdout"),
        Arg::new("force").long("force").action(ArgAction::SetTrue).help("Replace an existing file"),
    ]
}

fn run(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let id = matches.get_one::<String>("id").and_then(|id| id.rsplit('/').next()).unwrap_or("");
    fetch(context, matches, "uploads_read", id, 0o644)
}

/// Downloads the file of this id, whatever its size, to the place that the flags name. A new file has this mode, less
/// what the umask takes.
pub(super) fn fetch(
    context: &Context,
    matches: &ArgMatches,
    route: &str,
    id: &str,
    mode: u32,
) -> Result<Output, Failure> {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let (route, session) = (path::route(route), context.session()?);
    let ids = names::resolve(&session, route.path, &[id])?;
    let id = ids.first().map_or(id, String::as_str);
    let dir = Path::new(text("dir").unwrap_or("."));
    let to_stdout = text("save-as") == Some("-");
    let part = Arc::new(Mutex::new(if to_stdout { PartialFile::stdout() } else { PartialFile::create(dir, mode)? }));
    let reply = session.send_dressed(route, &path::target(route, &[id], &Map::new()), &|request| {
        lock(&part).again();
        let request = request.with_sink(part.clone(), context.timeout);
        match progress(context, Direction::In) {
            Some(progress) => request.with_progress(progress),
            None => request,
        }
    })?;
    if to_stdout {
        return Ok(Output::default());
    }
    let name = safe_file_name(text("save-as").unwrap_or(&name_of(&reply)));
    let place = dir.join(name);
    let bytes = lock(&part).settle(&place, matches.get_flag("force"))?;
    let shown = place.display().to_string();
    if context.json {
        return Ok(show::one_line(&json!({"file": shown, "bytes": bytes})));
    }
    Ok(Output::text(text::clean(&shown)))
}

/// The file name in the reply's header. The caller must not trust it.
fn name_of(reply: &Response) -> String {
    let value = reply.header("content-disposition").unwrap_or("");
    let encoded = value.split(';').find_map(|part| part.trim().strip_prefix("filename*=UTF-8''"));
    let decoded = encoded.and_then(|text| percent_encoding::percent_decode_str(text).decode_utf8().ok());
    decoded.map_or_else(|| "file".to_owned(), std::borrow::Cow::into_owned)
}

/// An incomplete file. It is deleted if it is dropped before it is complete.
struct PartialFile {
    out: Out,
    written: u64,
}

enum Out {
    Stdout,
    File {
        file: File,
        path: PathBuf,
    },
    /// Output in a pipe cannot be taken back, so a second try is impossible.
    CutOff,
}

impl PartialFile {
    fn stdout() -> Self {
        Self { out: Out::Stdout, written: 0 }
    }

    /// Creates a temporary file in the directory, to be renamed when it is complete.
    fn create(dir: &Path, mode: u32) -> Result<Self, Failure> {
        let path = dir.join(format!(".taosctl-{}.part", std::process::id()));
        // A killed process with the same id may have left it.
        let _ = fs::remove_file(&path);
        let made = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
        let file = made.map_err(|error| cannot(&path, &error))?;
        Ok(Self { out: Out::File { file, path }, written: 0 })
    }

    /// Starts again from an empty file.
    fn again(&mut self) {
        if self.written == 0 {
            return;
        }
        let fresh = match &mut self.out {
            Out::File { file, .. } => file.set_len(0).and_then(|()| file.rewind()).is_ok(),
            Out::Stdout | Out::CutOff => false,
        };
        if fresh {
            self.written = 0;
        } else {
            self.out = Out::CutOff;
        }
    }

    /// Moves the complete file to its place, and returns its bytes. Never follows a symbolic link at the place.
    fn settle(&mut self, place: &Path, force: bool) -> Result<u64, Failure> {
        let Out::File { file, path } = &self.out else { return Ok(self.written) };
        let moved = file.sync_all().and_then(|()| match force {
            true => fs::rename(path, place),
            false => renameat_with(CWD, path, CWD, place, RenameFlags::NOREPLACE).map_err(io::Error::from),
        });
        match moved {
            Ok(()) => Ok(self.written),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let detail = format!("{} is there already.", place.display());
                Err(Failure::usage(detail, "Add --force to write over it, or choose another --output."))
            }
            Err(error) => Err(cannot(place, &error)),
        }
    }
}

fn cannot(place: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("{}: {error}", place.display()), "Choose another place.")
}

impl Write for PartialFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.out {
            Out::Stdout => io::stdout().write(bytes)?,
            Out::File { file, .. } => file.write(bytes)?,
            Out::CutOff => return Err(io::Error::other("the transfer was cut off in the middle")),
        };
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.out {
            Out::Stdout => io::stdout().flush(),
            Out::File { file, .. } => file.flush(),
            Out::CutOff => Ok(()),
        }
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if let Out::File { path, .. } = &self.out {
            // If the file is in its place already, this name no longer exists.
            let _ = fs::remove_file(path);
        }
    }
}
