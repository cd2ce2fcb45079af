//! `taosctl knowledge`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgMatches, Command};
use serde_json::{Map, Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::flags::read_file;
use crate::ctl::core::output::Output;
use crate::ctl::core::path;
use crate::ctl::login::context::Context;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::{self, ShowAs};
use crate::ctl::verbs::verb::Verb;
use crate::limits::KNOWLEDGE_ITEMS;

const COLUMNS: &[Column] =
    &[Column("ID", "id"), Column("TITLE", "title"), Column("SOURCE", "source_id"), Column("PATH", "source_url")];
const HITS: &[Column] =
    &[Column("ID", "id"), Column("SOURCE", "source_id"), Column("TITLE", "title"), Column("TEXT", "snippet")];
const SOURCES: &[Column] = &[
    Column("SOURCE", "source_id"),
    Column("TYPE", "source_type"),
    Column("ITEMS", "items"),
    Column("UPDATED", "updated_at"),
];
/// The most levels of folders below the given folder.
const DEPTH: usize = 8;

/// The noun `knowledge` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "knowledge",
    about: "Documents for agents",
    entries: &[
        CommandEntry::Own { name: "search", routes: &["knowledge_search"], command: search_command, run: search },
        CommandEntry::Verb(
            Verb::new("list", "knowledge_list", ShowAs::Table(COLUMNS)).empty("taosctl knowledge put SOURCE DIR"),
        ),
        CommandEntry::Verb(Verb::new("get", "knowledge_get", ShowAs::Lines("content"))),
        CommandEntry::Verb(
            Verb::new("sources", "knowledge_sources", ShowAs::Table(SOURCES)).empty("taosctl knowledge put SOURCE DIR"),
        ),
        CommandEntry::Own { name: "put", routes: &["knowledge_put"], command: put_command, run: put },
        CommandEntry::Verb(
            Verb::new("rm", "knowledge_delete", ShowAs::Done("deleted", None))
                .ask("Delete source {} with all its items?"),
        ),
        CommandEntry::Verb(Verb::new("prompt", "knowledge_prompt", ShowAs::Lines("prompt"))),
    ],
};

fn required(id: &'static str, name: &'static str) -> Arg {
    Arg::new(id).value_name(name).required(true).value_parser(NonEmptyStringValueParser::new())
}

fn search_command(name: &'static str) -> Command {
    let option = |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value);
    Command::new(name)
        .about(path::route("knowledge_search").title)
        .arg(required("word", "WORD").num_args(1..).help("Words that an item must contain; all of them must occur"))
        .arg(option("category", "CATEGORY").help("Only items with this category"))
        .arg(option("source-id", "ID").help("Only items of this source"))
        .arg(option("limit", "N").help("Rows to show; 100 if absent"))
}

fn search(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let words: Vec<&str> = matches.get_many::<String>("word").into_iter().flatten().map(String::as_str).collect();
    let mut query = Map::from_iter([("q".to_owned(), json!(words.join(" ")))]);
    for name in ["category", "source-id", "limit"] {
        if let Some(value) = matches.get_one::<String>(name) {
            query.insert(name.replace('-', "_"), json!(value));
        }
    }
    let session = context.session()?;
    let route = path::route("knowledge_search");
    let reply = session.send_for_json(route, &path::target(route, &[], &query), None)?;
    show::reply(&session, &ShowAs::Table(HITS), &[], &reply)
}

fn put_command(name: &'static str) -> Command {
    Command::new(name)
        .about(path::route("knowledge_put").title)
        .after_help("Afterwards the source holds exactly the .md files below DIR, each with its path.")
        .arg(required("source", "SOURCE").help("The source, such as app:guides"))
        .arg(required("dir", "DIR").help("A folder of .md files"))
}

fn put(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let text = |name: &str| matches.get_one::<String>(name).map_or("", String::as_str);
    let dir = Path::new(text("dir"));
    let mut files = Vec::new();
    collect(dir, DEPTH, &mut files)?;
    files.sort();
    if files.len() > KNOWLEDGE_ITEMS {
        let detail = format!("{} holds more than {KNOWLEDGE_ITEMS} documents.", dir.display());
        return Err(Failure::usage(detail, "Put them into several sources."));
    }
    let items = files.iter().map(|file| item(dir, file)).collect::<Result<Vec<Value>, _>>()?;
    let session = context.session()?;
    let route = path::route("knowledge_put");
    let target = path::target(route, &[text("source")], &Map::new());
    let reply = session.send_for_json(route, &target, Some(&json!({"items": items})))?;
    show::reply(&session, &ShowAs::Record, &[], &reply)
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format!("{}: {error}", path.display()), "Name a folder of .md files that you can read.")
}

/// The `.md` files below a folder. Symbolic links are not followed: they may form a cycle, or lead outside.
fn collect(dir: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in fs::read_dir(dir).map_err(|error| unreadable(dir, &error))? {
        let entry = entry.map_err(|error| unreadable(dir, &error))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(|error| unreadable(dir, &error))?);
        if kind.is_dir() && depth > 0 {
            collect(&path, depth - 1, files)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    Ok(())
}

fn item(dir: &Path, file: &Path) -> Result<Value, Failure> {
    let below = file.strip_prefix(dir).unwrap_or(file);
    let name = |path: &Path| path.to_str().map(str::to_owned).ok_or_else(|| unreadable(file, &"its name is not UTF-8"));
    Ok(json!({"path": name(below)?, "content": read_file(&name(file)?)?}))
}
