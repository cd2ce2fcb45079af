//! `taosctl join`: an agent without a credential asks to join, or to come back, and gets its key after a person has
//! approved. The key is written to a file that only its owner can read. It is never printed.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::home::{ACTIVE, Home, is_name};
use crate::ctl::core::output::Output;
use crate::ctl::core::server::Server;
use crate::ctl::core::{duration, path, private, text};
use crate::ctl::login::connection::{Connection, checked};
use crate::ctl::login::context::Context;
use crate::ctl::login::profile::{self, SavedProfile};
use crate::ctl::login::session::Session;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show;
use crate::say::complain;
use crate::secret::Plaintext;

/// The folder for keys from a join.
const KEYS: &str = "keys";
/// Seconds added to the pause if the daemon asks for longer pauses.
const SLOWER: u64 = 5;

/// `taosctl join`.
pub const ENTRY: CommandEntry =
    CommandEntry::Own { name: "join", routes: &["joins_create", "joins_fetch"], command, run };

fn option(id: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).value_name(value).value_parser(NonEmptyStringValueParser::new()).help(help)
}

fn command(name: &'static str) -> Command {
    Command::new(name)
        .about("Ask to become an agent of this box, or to come back as one")
        .after_help(
            "Needs no credential. Shows a code; a person sees the same code and decides. The key is written to a file, \
             and a profile for it is made; it becomes the active one if none is. Exits with 1 if nobody approves.",
        )
        .args([
            option("name", "NAME", "The name of the agent").required(true),
            option("reason", "TEXT", "Why; the person who decides reads it").required(true).allow_hyphen_values(true),
            option("description", "TEXT", "What the agent is for").allow_hyphen_values(true),
            option("save-to", "FILE", "Only write the key to this file, and make no profile"),
            Arg::new("wait")
                .long("wait")
                .value_name("TIME")
                .value_parser(duration::seconds)
                .help("How long to wait: 90s, 5m; until the code expires if absent"),
        ])
}

/// The destination of the key.
enum KeyPlace {
    File(PathBuf),
    Profile(Home),
}

impl KeyPlace {
    fn of(matches: &ArgMatches, name: &str, server: &Server) -> Result<Self, Failure> {
        let Some(file) = matches.get_one::<String>("save-to") else {
            let home = Context::home()?;
            // Tests whether the directory can be written, before there is a key to lose.
            home.write(&format!("{KEYS}/.probe"), b"")?;
            home.remove(&format!("{KEYS}/.probe"))?;
            profile::check_name(name)?;
            profile::check_server(&home, name, server)?;
            return Ok(Self::Profile(home));
        };
        let absolute = std::path::absolute(file);
        let path = absolute.map_err(|error| Failure::usage(format!("{file}: {error}"), "Name another file."))?;
        private::probe(&path)?;
        Ok(Self::File(path))
    }
}

fn run(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let text_of = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let server = context.given.server(&Context::env)?.unwrap_or_else(|| Server::local(&Context::env));
    let place = KeyPlace::of(matches, text_of("name").unwrap_or_default(), &server)?;
    let session = Session::new(context, Connection::new(server.clone(), None, "join"));
    let host = profile::host();
    let mut body = json!({"name": text_of("name"), "reason": text_of("reason")});
    if !host.is_empty() {
        body["origin_hint"] = json!(host.chars().take(64).collect::<String>());
    }
    if let Some(description) = text_of("description") {
        body["description"] = json!(description);
    }
    let route = path::route("joins_create");
    let join = session.send_for_json(route, route.path, Some(&body))?;
    complain(&told(&join));
    let most = matches.get_one::<i64>("wait").and_then(|seconds| u64::try_from(*seconds).ok());
    let Some(key) = wait(&session, &join, most.map(Duration::from_secs))? else {
        return Ok(Output::default().with_note("Nobody has decided yet; run the command again.").failing());
    };
    let token = checked(key["access_token"].as_str().unwrap_or(""))?;
    save(context, &place, &server, &key, &token)
}

/// The instructions for a person who starts the command.
fn told(join: &Value) -> String {
    let field = |name: &str| text::clean(&text::plain(&join[name]));
    format!(
        "Code: {}\nA person approves it at {}\nor on the box: taosctl requests approve {}\n",
        field("user_code"),
        field("verification_uri_complete"),
        field("user_code")
    )
}

/// Asks for the key until somebody has decided or the time is over. Continues if the daemon is unreachable for a
/// moment.
fn wait(session: &Session<'_>, join: &Value, most: Option<Duration>) -> Result<Option<Value>, Failure> {
    let seconds = |name: &str, else_: u64| join[name].as_u64().unwrap_or(else_).clamp(1, 3600);
    let life = Duration::from_secs(seconds("expires_in", 600));
    let end = Instant::now() + most.unwrap_or(life).min(life);
    let mut pause = Duration::from_secs(seconds("interval", 5));
    let route = path::route("joins_fetch");
    let body = json!({"device_code": join["device_code"]});
    loop {
        sleep(pause.min(end.saturating_duration_since(Instant::now())));
        match session.send_for_json(route, route.path, Some(&body)) {
            Ok(key) => return Ok(Some(key)),
            Err(Failure::Refused(refusal)) if refusal.error == "authorization_pending" => {}
            Err(Failure::Refused(refusal)) if refusal.error == "slow_down" => pause += Duration::from_secs(SLOWER),
            Err(Failure::Refused(refusal)) if refusal.status == 429 || refusal.status == 503 => {}
            // When the code has expired, the daemon says so itself.
            Err(Failure::Unreachable(_)) if Instant::now() < end => {}
            Err(failure) => return Err(failure),
        }
        if most.is_some() && Instant::now() >= end {
            return Ok(None);
        }
    }
}

/// The name of the new profile: the agent's. A person may have approved another name than the one that was checked, and
/// that of another server's profile is not taken; the agent's id is free.
fn profile_name(home: &Home, server: &Server, key: &Value, name: &str) -> String {
    let id = key["agent_id"].as_str().filter(|id| is_name(id));
    match (profile::check_server(home, name, server), id) {
        (Err(_), Some(id)) => id.to_owned(),
        _ => name.to_owned(),
    }
}

fn save(
    context: &Context,
    place: &KeyPlace,
    server: &Server,
    key: &Value,
    token: &Plaintext,
) -> Result<Output, Failure> {
    let text_of = |name: &str| key[name].as_str().map(str::to_owned);
    let name = text_of("agent_name").unwrap_or_default();
    let line = format!("{}\n", token.reveal());
    let (file, note) = match place {
        KeyPlace::File(path) => {
            private::write_named(path, line.as_bytes())?;
            (path.clone(), None)
        }
        KeyPlace::Profile(home) if is_name(&name) => {
            let profile = profile_name(home, server, key, &name);
            let file = home.write(&format!("{KEYS}/{profile}"), line.as_bytes())?;
            let new = SavedProfile {
                name: profile.clone(),
                url: server.to_string(),
                token_file: std::path::absolute(&file).unwrap_or_else(|_| file.clone()),
                agent_name: name.clone(),
                agent_id: text_of("agent_id"),
                space_id: text_of("space_id"),
                token_sha256: profile::sha256(token.reveal().as_bytes()),
                host_binding: profile::host(),
                workdir_hash: None,
                expires_at: text_of("expires_at"),
            };
            profile::save(home, &new)?;
            let active = profile::active(home)?;
            if active.as_ref().is_none_or(|active| *active == profile) {
                home.write(ACTIVE, format!("{profile}\n").as_bytes())?;
                (file, None)
            } else {
                (file, Some(format!("Another profile is active; use this one with --profile {profile}.")))
            }
        }
        KeyPlace::Profile(_) => return Err(Failure::Unexpected("The answer names no agent.".to_owned())),
    };
    let shown = file.display().to_string();
    let output = if context.json {
        show::one_line(&json!({
            "agent_id": key["agent_id"],
            "agent_name": key["agent_name"],
            "space_id": key["space_id"],
            "scopes": key["scopes"],
            "expires_at": key["expires_at"],
            "url": server.to_string(),
            "token_file": shown,
        }))
    } else {
        Output::text(format!("joined as {}; the key is in {}", text::clean(&name), text::clean(&shown)))
    };
    Ok(note.iter().fold(output, |output, note| output.with_note(note)))
}
