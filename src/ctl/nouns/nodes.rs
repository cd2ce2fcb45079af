//! `taosctl nodes`: other machines. `add` and `remove` change the daemon's settings file, so they run on its box.

use std::fmt::Write as _;
use std::io::Read as _;

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use crate::config::edit;
use crate::containers::node::{TrustToken, fingerprint_of};
use crate::containers::{NodeName, NodeOptions};
use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::settings_file::{PLACE, SettingsFile};
use crate::ctl::core::{ask, input, path};
use crate::ctl::login::context::Context;
use crate::ctl::show::table::Column;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show::ShowAs;
use crate::ctl::verbs::verb::Verb;
use crate::secret::Plaintext;

/// The table in the settings file.
const TABLE: &str = "nodes";
/// The most bytes of a trust token.
const TOKEN_BYTES: u64 = 16 * 1024;

const COLUMNS: &[Column] = &[
    Column("NAME", "name"),
    Column("STATUS", "status"),
    Column("CONTAINERS", "containers"),
    Column("CORES", "cores"),
    Column("LOAD", "load"),
    Column("MEMORY", "memory_bytes"),
    Column("USED", "memory_used_bytes"),
    Column("RUNTIME", "runtime"),
    Column("URL", "url"),
    Column("DETAIL", "detail"),
];

/// The noun `nodes` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "nodes",
    about: "Other machines that agents are deployed on",
    entries: &[
        CommandEntry::Verb(Verb::new("list", "nodes_list", ShowAs::Table(COLUMNS)).empty("taosctl nodes add --help")),
        CommandEntry::Own { name: "add", routes: &[], command: add_command, run: add },
        CommandEntry::Verb(Verb::new("check", "nodes_check", ShowAs::Record)),
        CommandEntry::Own { name: "remove", routes: &["nodes_list"], command: remove_command, run: remove },
    ],
};

fn text_arg(id: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(id).value_name(value).value_parser(NonEmptyStringValueParser::new()).help(help)
}

fn file_arg() -> Arg {
    text_arg("file", "FILE", "The daemon's settings").long("file").default_value(PLACE)
}

fn add_command(name: &'static str) -> Command {
    Command::new(name)
        .about("Add a node to the daemon's settings")
        .after_help(
            "Run it as root on the daemon's box. Make the token on the other machine: incus config trust add taosd, or \
             lxc config trust add --name taosd. It is asked for on a terminal. Then reload the daemon and check the node: \
             the first contact redeems the token.",
        )
        .arg(text_arg("name", "NAME", "What the node is to be called").required(true))
        .arg(text_arg("address", "HTTPS_URL", "https://HOST[:PORT]; the first address in the token if absent"))
        .arg(text_arg("join-token-file", "FILE", "A file with the trust token; - reads stdin").long("join-token-file"))
        .arg(
            text_arg("certificate", "SHA256|FILE", "The server's certificate, in place of a token that tells it")
                .long("certificate"),
        )
        .arg(file_arg())
        .arg(Arg::new("print").long("print").action(ArgAction::SetTrue).help("Print the section, change no file"))
}

fn given<'a>(matches: &'a ArgMatches, id: &str) -> Option<&'a str> {
    matches.get_one::<String>(id).map(String::as_str)
}

fn node_name(matches: &ArgMatches) -> Result<NodeName, Failure> {
    let text = given(matches, "name").unwrap_or_default();
    NodeName::parse(text).map_err(|_| {
        let fix = "Use 1 to 32 of a-z, 0-9 and -, a letter first; not auto, cloud or controller.";
        Failure::usage(format!("{text} is not a name for a node."), fix)
    })
}

fn add(_: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let name = node_name(matches)?;
    let certificate = given(matches, "certificate").map(certificate).transpose()?;
    let token = match (given(matches, "join-token-file"), &certificate) {
        (Some(file), _) => Some(trust_token(&token_in(file)?)?),
        (None, Some(_)) => None,
        (None, None) => Some(trust_token(&ask::token("join-token-file")?)?),
    };
    let url = url(given(matches, "address"), token.as_ref())?;
    let mut entries = vec![("url", url.as_str())];
    entries.extend(token.as_ref().map(|token| ("token", token.text.reveal())));
    entries.extend(certificate.as_ref().map(|text| ("certificate", text.as_str())));
    if matches.get_flag("print") {
        return Ok(Output::text(edit::table_text(TABLE, name.as_str(), &entries)));
    }
    let file = SettingsFile::read(given(matches, "file").unwrap_or(PLACE))?;
    let text = edit::with_table(file.text(), TABLE, name.as_str(), &entries).map_err(|why| cannot(&file, &why))?;
    file.replace(&text)?;
    let place = file.path().display();
    let mut note = format!("next: systemctl reload taosd && taosctl nodes check {name}");
    if token.is_some() && file.is_open_to_all() {
        note.insert_str(
            0,
            &format!(
                "every user of this box can read the token in {place}: chgrp taosd {place} && chmod 640 {place}\n"
            ),
        );
    }
    Ok(Output::text(format!("{place}: added [{TABLE}.{name}]")).with_note(&note))
}

fn cannot(file: &SettingsFile, why: &str) -> Failure {
    Failure::usage(format!("{}: {why}.", file.path().display()), "Change the file with an editor; nothing was written.")
}

fn token_in(file: &str) -> Result<Plaintext, Failure> {
    let mut text = String::new();
    let read = input::open(file).and_then(|from| from.take(TOKEN_BYTES).read_to_string(&mut text));
    read.map_err(|error| Failure::usage(format!("{file}: {error}."), "Name a file with the trust token alone."))?;
    Ok(Plaintext::new(text))
}

fn trust_token(text: &Plaintext) -> Result<TrustToken, Failure> {
    TrustToken::parse(text.reveal()).map_err(|_| {
        let fix = "Make one on the other machine: incus config trust add taosd, or lxc config trust add --name taosd.";
        Failure::usage("That is not a trust token.", fix)
    })
}

/// A fingerprint, or the absolute path of a certificate file for the daemon.
fn certificate(text: &str) -> Result<String, Failure> {
    if fingerprint_of(text).is_some() {
        return Ok(text.to_owned());
    }
    let found = std::fs::canonicalize(text).map_err(|error| {
        let fix = "Give the SHA-256 that incus info prints as certificate_fingerprint, or a file in PEM.";
        Failure::usage(format!("{text}: {error}."), fix)
    })?;
    crate::client::tls::Pin::of_file(&found)
        .map_err(|why| Failure::usage(format!("{why}."), "Name a file with the server's certificate in PEM."))?;
    Ok(found.display().to_string())
}

fn url(given: Option<&str>, token: Option<&TrustToken>) -> Result<String, Failure> {
    let told = token.and_then(|token| token.addresses.first()).map(|address| format!("https://{address}"));
    let missing = || Failure::usage("The node's address is missing.", "Add it behind the name: https://HOST:8443.");
    let url = given.map(str::to_owned).or(told).ok_or_else(missing)?;
    NodeOptions::endpoint(&url)
        .map_err(|why| Failure::usage(format!("{url} {why}."), "Give the address as https://HOST:8443."))?;
    Ok(url)
}

fn remove_command(name: &'static str) -> Command {
    Command::new(name)
        .about("Take a node out of the daemon's settings")
        .after_help(
            "Run it as root on the daemon's box. If containers of agents are on the node, it asks first: they stay there, \
             and the daemon no longer reaches them. The node trusts this box until you take that back there.",
        )
        .arg(text_arg("name", "NAME", "The node").required(true))
        .arg(file_arg())
        .arg(ask::yes())
}

fn remove(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let name = node_name(matches)?;
    let place = given(matches, "file").unwrap_or(PLACE);
    let without =
        |file: &SettingsFile| edit::without_table(file.text(), TABLE, name.as_str()).map_err(|why| cannot(file, &why));
    // Refuses before it asks. Nobody else has to wait for the answer.
    without(&SettingsFile::read(place)?)?;
    if !matches.get_flag("yes") {
        let session = context.session()?;
        let rows = session.send_for_json(path::route("nodes_list"), "/api/nodes", None)?;
        let is_it = |row: &&Value| row["name"] == name.as_str();
        let there = rows.as_array().and_then(|rows| rows.iter().find(is_it)).map_or(0, containers);
        if there > 0 {
            ask::confirm(&format!("{there} containers of agents are on {name} and will be out of reach. Go on?"))?;
        }
    }
    let file = SettingsFile::read(place)?;
    file.replace(&without(&file)?)?;
    let mut done = format!("{}: removed [{TABLE}.{name}]", file.path().display());
    let _ = write!(done, "\n{name} trusts this box until you take that back there: incus config trust list");
    Ok(Output::text(done).with_note("next: systemctl reload taosd"))
}

fn containers(row: &Value) -> u64 {
    row["containers"].as_u64().unwrap_or_default()
}
