//! `taosctl profile`: agents' identities, which are verified before each use.

use std::fmt::Write as _;
use std::path::Path;

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::ctl::core::failure::Failure;
use crate::ctl::core::home::{ACTIVE, Home};
use crate::ctl::core::output::Output;
use crate::ctl::core::server::Server;
use crate::ctl::core::{path, private, text};
use crate::ctl::login::connection::{Connection, checked};
use crate::ctl::login::context::Context;
use crate::ctl::login::profile::{self, SavedProfile};
use crate::ctl::login::session::Session;
use crate::ctl::show::table::{self, Column};
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show;

const COLUMNS: &[Column] =
    &[Column("NAME", "name"), Column("AGENT", "agent_name"), Column("URL", "url"), Column("ACTIVE", "active")];

const fn own(
    name: &'static str,
    command: fn(&'static str) -> Command,
    run: fn(&Context, &ArgMatches) -> Result<Output, Failure>,
) -> CommandEntry {
    CommandEntry::Own { name, routes: &[], command, run }
}

/// The noun `profile` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "profile",
    about: "Identities of agents, bound to host and directory",
    entries: &[
        own("add", add_command, add),
        own("verify", verify_command, verify),
        own("env", env_command, env),
        CommandEntry::Own { name: "use", routes: &["credentials_fingerprint"], command: use_command, run: use_it },
        own("list", list_command, list),
        own("remove", remove_command, remove),
    ],
};
use crate::say::complain;

fn name_arg() -> Arg {
    let name = Arg::new("name").value_name("NAME").value_parser(NonEmptyStringValueParser::new());
    name.help("The profile's name")
}

fn name(matches: &ArgMatches) -> &str {
    matches.get_one::<String>("name").map_or("", String::as_str)
}

fn add_command(name: &'static str) -> Command {
    let option = |id: &'static str, value: &'static str, help: &'static str| {
        Arg::new(id).long(id).value_name(value).value_parser(NonEmptyStringValueParser::new()).help(help)
    };
    Command::new(name)
        .about("Add a profile for a token in a file")
        .after_help("Needs --url and --token-file. Binds the profile to this host, this directory and those below it.")
        .arg(name_arg().required(true))
        .arg(option("agent-name", "NAME", "The agent").required(true))
        .arg(option("agent-id", "ID", "The agent's id"))
        .arg(option("space", "ID", "The space it works in"))
        .arg(option("expires-at", "TIME", "When the token expires, as in 2027-01-31T00:00:00Z"))
        .arg(
            Arg::new("no-bind-workdir")
                .long("no-bind-workdir")
                .action(ArgAction::SetTrue)
                .help("Do not bind the profile to a directory"),
        )
}

fn add(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let wanted = |flag: &str| Failure::usage(format!("{flag} is missing."), format!("Add {flag}."));
    profile::check_name(name(matches))?;
    let url = context.given.url.as_deref().ok_or_else(|| wanted("--url"))?;
    let file = context.given.token_file.as_deref().filter(|file| *file != "-").ok_or_else(|| wanted("--token-file"))?;
    let unreadable = |error| Failure::login(format!("{file}: {error}"), "Name a file that contains only the token.");
    // A symbolic link is not resolved, because its target could change.
    let path = std::path::absolute(Path::new(file)).map_err(unreadable)?;
    let missing = || Failure::login(format!("{file} does not exist."), "Name a file that contains only the token.");
    let token = checked(&String::from_utf8_lossy(&private::read_named(&path)?.ok_or_else(missing)?))?;
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let expires_at = text("expires-at");
    if let Some(end) = expires_at.as_ref().filter(|end| end.parse::<Timestamp>().is_err()) {
        return Err(Failure::usage(format!("{end} is not a time."), "Write it like 2027-01-31T00:00:00Z."));
    }
    let new = SavedProfile {
        name: name(matches).to_owned(),
        url: Server::parse(url)?.to_string(),
        token_file: path,
        agent_name: text("agent-name").unwrap_or_default(),
        agent_id: text("agent-id"),
        space_id: text("space"),
        token_sha256: profile::sha256(token.reveal().as_bytes()),
        host_binding: profile::host(),
        workdir_hash: profile::workdir_hash().filter(|_| !matches.get_flag("no-bind-workdir")),
        expires_at,
    };
    let home = Context::home()?;
    profile::save(&home, &new)?;
    said(context, "added", &new.name)
}

fn said(context: &Context, word: &str, name: &str) -> Result<Output, Failure> {
    Ok(match context.json {
        true => show::one_line(&json!({"profile": name, "status": word})),
        false => Output::text(format!("{word}: {name}")),
    })
}

fn verify_command(name: &'static str) -> Command {
    Command::new(name)
        .about("Check that a profile still matches what it is bound to")
        .after_help("Checks file, mode, owner, hash, host, directory and expiry. Lists every difference and exits with 1 if there is one.")
        .arg(name_arg().help("The active one if absent"))
}

fn verify(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let home = Context::home()?;
    let none = || Failure::login("No profile is active.", "Name one; taosctl profile list shows them.");
    let asked = match matches.get_one::<String>("name") {
        Some(name) => name.clone(),
        None => profile::active(&home)?.ok_or_else(none)?,
    };
    let problems = profile::verify(&profile::load(&home, &asked)?).err().unwrap_or_default();
    let output = if context.json {
        show::one_line(&json!({"profile": asked, "verified": problems.is_empty(), "problems": problems}))
    } else if problems.is_empty() {
        Output::text(format!("verified: {asked}"))
    } else {
        Output::text(problems.iter().fold(format!("not verified: {asked}\n"), |mut lines, problem| {
            let _ = writeln!(lines, "- {}", text::clean(problem));
            lines
        }))
    };
    Ok(if problems.is_empty() { output } else { output.failing() })
}

fn env_command(name: &'static str) -> Command {
    let ax = Arg::new("ax").long("ax").action(ArgAction::SetTrue).help("The variables of axctl");
    Command::new(name)
        .about("Print a profile as shell commands: eval \"$(taosctl profile env NAME)\"")
        .after_help("Unsets all variables of another identity, even if the profile does not verify.")
        .arg(name_arg().required(true))
        .arg(ax)
}

/// The environment variables for the token, its file, the URL, the agent's name and id, and the space.
const OWN: [&str; 6] =
    ["TAOS_TOKEN", "TAOS_TOKEN_FILE", "TAOS_URL", "TAOS_AGENT_NAME", "TAOS_AGENT_ID", "TAOS_SPACE_ID"];
const AX: [&str; 6] = ["AX_TOKEN", "AX_TOKEN_FILE", "AX_BASE_URL", "AX_AGENT_NAME", "AX_AGENT_ID", "AX_SPACE_ID"];

fn env(_: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let names = if matches.get_flag("ax") { AX } else { OWN };
    let unset = format!("unset {}", names.join(" "));
    let found = Context::home().and_then(|home| profile::load(&home, name(matches)));
    let problems = match found {
        Ok(profile) => match profile::verify(&profile) {
            Ok(_) => return Ok(Output::text(format!("{unset}\n{}", exports(&names, &profile)))),
            Err(problems) => problems,
        },
        Err(failure) => vec![failure.to_string()],
    };
    let output = Output::text(format!("{unset}; false"));
    Ok(problems.iter().fold(output, |output, problem| output.with_note(&text::clean(problem))).failing())
}

/// The token itself is left out: its file is enough, and no child process gets it in its environment.
fn exports(names: &[&str; 6], profile: &SavedProfile) -> String {
    let [_, file, url, agent, id, space] = *names;
    let given = [
        (file, profile.token_file.to_str()),
        (url, Some(profile.url.as_str())),
        (agent, Some(profile.agent_name.as_str())),
        (id, profile.agent_id.as_deref()),
        (space, profile.space_id.as_deref()),
    ];
    let line = |(name, value): (&str, Option<&str>)| Some(format!("export {name}={}\n", quoted(value?)));
    given.into_iter().filter_map(line).collect()
}

/// The text as one word for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn use_command(name: &'static str) -> Command {
    Command::new(name)
        .about("Verify a profile, register with the daemon where its key is used, and make it the active one")
        .arg(name_arg().required(true))
}

fn use_it(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let home = Context::home()?;
    let profile = profile::load(&home, name(matches))?;
    let token = profile::verify(&profile).map_err(|problems| profile::unverified(&profile.name, &problems))?;
    let connection = Connection::new(Server::parse(&profile.url)?, Some(token), "profile");
    if let Err(failure) = register(&Session::new(context, connection), &profile) {
        complain(&format!(
            "warning: the daemon was not told where the key is used: {}\n",
            text::clean(&failure.to_string())
        ));
    }
    home.write(ACTIVE, format!("{}\n", profile.name).as_bytes())?;
    said(context, "active", &profile.name)
}

fn register(session: &Session<'_>, profile: &SavedProfile) -> Result<Value, Failure> {
    let route = path::route("credentials_fingerprint");
    let mut body = json!({"token_sha256": profile.token_sha256, "host_binding": profile.host_binding});
    if let Some(id) = &profile.agent_id {
        body["agent_id"] = json!(id);
    }
    session.send_for_json(route, route.path, Some(&body))
}

fn list_command(name: &'static str) -> Command {
    Command::new(name).about("List the profiles")
}

fn list(context: &Context, _: &ArgMatches) -> Result<Output, Failure> {
    let home = Context::home()?;
    let active = profile::active(&home)?;
    let row = |name: &String| {
        let profile = profile::load(&home, name)?;
        Ok(json!({"name": name, "agent_name": profile.agent_name, "url": profile.url,
            "active": active.as_ref() == Some(name)}))
    };
    let rows = profile::names(&home).iter().map(row).collect::<Result<Vec<Value>, Failure>>()?;
    if context.json {
        return Ok(show::one_line(&Value::from(rows)));
    }
    let output = Output::text(table::table(COLUMNS, &rows));
    let next = "There is nothing here yet. Next: taosctl tokens mint AGENT --profile NAME";
    Ok(if rows.is_empty() { output.with_note(next) } else { output })
}

fn remove_command(name: &'static str) -> Command {
    let delete = Arg::new("delete-token").long("delete-token").action(ArgAction::SetTrue);
    Command::new(name)
        .about("Remove a profile")
        .after_help("The token stays valid until you revoke it with taosctl keys revoke.")
        .arg(name_arg().required(true))
        .arg(delete.help("Remove the file of its token as well"))
}

fn remove(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let home = Context::home()?;
    let asked = name(matches);
    profile::check_name(asked)?;
    if matches.get_flag("delete-token") {
        private::remove(&profile::load(&home, asked)?.token_file)?;
    }
    deactivate(&home, asked)?;
    let removed = profile::remove(&home, asked)?;
    said(context, if removed { "removed" } else { "there was none" }, asked)
}

fn deactivate(home: &Home, name: &str) -> Result<(), Failure> {
    if profile::active(home)?.is_some_and(|active| active == name) {
        home.remove(ACTIVE)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_shell_reads_back_what_was_quoted(text in "[^\u{0}]{0,40}") {
            let word = quoted(&text);
            // Between the outer quotes, a quote occurs only as '\''.
            let inner = &word[1..word.len() - 1];
            prop_assert_eq!(inner.replace(r"'\''", "\u{0}").contains('\''), false);
            prop_assert_eq!(inner.replace(r"'\''", "'"), text);
        }
    }
}
