//! `taosctl tokens mint`: makes a key for an agent with the user's own login, and saves it where it is needed, in
//! one command.

use std::path::{Path, PathBuf};

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Map, Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::home::is_name;
use crate::ctl::core::output::Output;
use crate::ctl::core::{path, private};
use crate::ctl::login::context::Context;
use crate::ctl::login::profile::{self, SavedProfile};
use crate::ctl::login::project;
use crate::ctl::login::session::Session;
use crate::ctl::show::texts;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::keep;

/// `taosctl tokens mint`.
pub const MINT: CommandEntry = CommandEntry::Own {
    name: "mint",
    routes: &["ax_agents_manage_read", "ax_agents_manage_create", "credentials_agent_pat"],
    command,
    run,
};

fn command(name: &'static str) -> Command {
    let text = |id: &'static str, value: &'static str, help: &'static str| {
        Arg::new(id).long(id).value_name(value).value_parser(NonEmptyStringValueParser::new()).help(help)
    };
    let flag = |id: &'static str, help: &'static str| Arg::new(id).long(id).action(ArgAction::SetTrue).help(help);
    let agent = Arg::new("name").value_name("NAME").required(true).value_parser(NonEmptyStringValueParser::new());
    let audience = text("audience", "WORD", "What the key may be exchanged for").default_value("both");
    let days = Arg::new("expires").long("expires").value_name("DAYS").default_value("90");
    Command::new(name)
        .about("Issue an agent's key; with --create, create the agent first")
        .after_help(
            "Uses the user's login, not the project's or the profile's agent. The key is printed only where it is saved \
             nowhere, or with --print-token.",
        )
        .arg(agent.help("The agent, by name or id"))
        .arg(flag("create", "Create the agent if it does not exist"))
        .arg(audience.value_parser(PossibleValuesParser::new(["cli", "mcp", "both"])))
        .arg(days.value_parser(value_parser!(i64).range(1..=365)).help("Days until the key expires"))
        .arg(text("label", "TEXT", "What people call the key; the agent's name if absent").allow_hyphen_values(true))
        .arg(text("save-to", "DIR", "Write DIR/.taos/NAME.token and DIR/.taos/config.toml"))
        .arg(text("profile", "NAME", "Also make a profile with it"))
        .arg(flag("print-token", "Print the key"))
        .arg(flag("no-print-token", "Do not print the key").conflicts_with("print-token"))
}

/// The flags of the command.
struct MintOptions<'a> {
    agent: &'a str,
    /// The `.taos` folder.
    folder: Option<PathBuf>,
    profile: Option<&'a str>,
    print: bool,
}

fn run(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let wanted = wanted(matches)?;
    let session = context.user_session()?;
    if let Some(profile) = wanted.profile {
        profile::check_server(&Context::home()?, profile, &session.connection.server)?;
    }
    let (agent, created) = find_or_make(&session, wanted.agent, matches.get_flag("create"))?;
    let (name, id) = (text(&agent, "name")?, text(&agent, "id")?);
    if !is_name(name) {
        return Err(Failure::Unexpected("The answer names an agent that cannot be a file's name.".to_owned()));
    }
    if let Some(folder) = &wanted.folder {
        // These tests run before there is a secret to lose.
        private::make_dir(folder)?;
        private::probe(&token_path(folder, name))?;
    }
    let label = matches.get_one::<String>("label").map_or(name, String::as_str);
    let (audience, days) = (matches.get_one::<String>("audience"), matches.get_one::<i64>("expires"));
    let body = json!({"agent_id": id, "audience": audience, "expires_in_days": days, "name": label});
    let route = path::route("credentials_agent_pat");
    let issued = session.send_for_json(route, route.path, Some(&body))?;
    let token = text(&issued, "token")?;
    let saved = save(&session, &wanted, &agent, &issued, token).inspect_err(|_| {
        keep::revoke(&session, &issued["credential_id"]);
    })?;
    let told = json!({
        "agent_name": name,
        "agent_id": id,
        "credential_id": issued["credential_id"],
        "name": issued["name"],
        "audience": issued["audience"],
        "expires_at": issued["expires_at"],
        "created": created,
        "token_file": saved.map(|file| file.display().to_string()),
        "profile": wanted.profile,
    });
    keep::told(context.json, wanted.print.then_some(token), told)
}

fn wanted(matches: &ArgMatches) -> Result<MintOptions<'_>, Failure> {
    let dir = matches.get_one::<String>("save-to").map(Path::new);
    if let Some(dir) = dir.filter(|dir| !dir.is_dir()) {
        let detail = format!("{} is not a directory.", dir.display());
        return Err(Failure::usage(detail, "Create it first, or name another directory with --save-to."));
    }
    let profile = matches.get_one::<String>("profile").map(String::as_str);
    profile.map_or(Ok(()), profile::check_name)?;
    let saves = dir.is_some() || profile.is_some();
    if profile.is_some() {
        Context::home()?;
    }
    if matches.get_flag("no-print-token") && !saves {
        let fix = "Add --save-to DIR or --profile NAME, or leave out --no-print-token.";
        return Err(Failure::usage("The key would be lost: it is neither saved nor printed.", fix));
    }
    let print = matches.get_flag("print-token") || !saves;
    let agent = matches.get_one::<String>("name").map_or("", String::as_str);
    // Absolute, because the profile must find the file from every directory.
    let absolute = |dir: &Path| {
        let failure = |error| Failure::usage(format!("{}: {error}", dir.display()), "Name a directory you can enter.");
        dir.canonicalize().map(|dir| dir.join(project::FOLDER)).map_err(failure)
    };
    Ok(MintOptions { agent, folder: dir.map(absolute).transpose()?, profile, print })
}

fn text<'a>(object: &'a Value, field: &str) -> Result<&'a str, Failure> {
    object[field].as_str().ok_or_else(|| Failure::Unexpected(format!("The answer has no {field}.")))
}

/// The agent, and true if it was created now.
fn find_or_make(session: &Session<'_>, asked: &str, create: bool) -> Result<(Value, bool), Failure> {
    let read = path::route("ax_agents_manage_read");
    match session.send_for_json(read, &path::target(read, &[asked], &Map::new()), None) {
        Ok(agent) => Ok((agent, false)),
        Err(Failure::Refused(refusal)) if refusal.status == 404 && create => {
            let make = path::route("ax_agents_manage_create");
            let body = json!({"name": asked, "space_id": session.connection.space_id});
            Ok((session.send_for_json(make, make.path, Some(&body))?, true))
        }
        Err(Failure::Refused(mut refusal)) if refusal.status == 404 => {
            refusal.more.push(("hint".to_owned(), "--create makes the agent".into()));
            Err(Failure::Refused(refusal))
        }
        Err(failure) => Err(failure),
    }
}

fn token_path(folder: &Path, agent: &str) -> PathBuf {
    folder.join(format!("{agent}.token"))
}

/// Saves the key to the requested places. Returns the path of its file.
fn save(
    session: &Session<'_>,
    wanted: &MintOptions<'_>,
    agent: &Value,
    issued: &Value,
    token: &str,
) -> Result<Option<PathBuf>, Failure> {
    let (name, line) = (text(agent, "name")?, format!("{token}\n"));
    let url = session.connection.server.to_string();
    let mut file = None;
    if let Some(folder) = &wanted.folder {
        let path = token_path(folder, name);
        private::write(&path, line.as_bytes())?;
        let config = texts::render(&[
            ("url", Some(&url)),
            ("token_file", Some(&format!("{name}.token"))),
            ("agent_name", Some(name)),
            ("agent_id", agent["id"].as_str()),
            ("space_id", agent["space_id"].as_str()),
        ]);
        private::write(&folder.join(project::CONFIG), config.as_bytes())?;
        file = Some(path);
    }
    if let Some(profile) = wanted.profile {
        let home = Context::home()?;
        let token_file = match file {
            Some(file) => file,
            // An agent may have several keys, each with a profile of its own.
            None => home.write(&format!("tokens/{profile}.token"), line.as_bytes())?,
        };
        let new = SavedProfile {
            name: profile.to_owned(),
            url,
            token_file: token_file.clone(),
            agent_name: name.to_owned(),
            agent_id: agent["id"].as_str().map(str::to_owned),
            space_id: agent["space_id"].as_str().map(str::to_owned),
            token_sha256: profile::sha256(token.as_bytes()),
            host_binding: profile::host(),
            workdir_hash: profile::workdir_hash(),
            expires_at: issued["expires_at"].as_str().map(str::to_owned),
        };
        profile::save(&home, &new)?;
        file = Some(token_file);
    }
    Ok(file)
}
