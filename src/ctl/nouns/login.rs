//! `taosctl login`: saves a token or a user's key that the server has accepted.

use std::io::{self, IsTerminal};

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgMatches, Command};
use serde_json::Value;

use super::whoami::{principal, whoami};
use crate::ctl::core::failure::Failure;
use crate::ctl::core::output::Output;
use crate::ctl::core::server::Server;
use crate::ctl::core::{ask, path, text};
use crate::ctl::login::connection::{Connection, ENVIRONMENT, NO_LOGIN, SAVED_LOGIN, read_token};
use crate::ctl::login::context::Context;
use crate::ctl::login::credentials::{self, Saved};
use crate::ctl::login::exchange::{is_agent_key, is_key};
use crate::ctl::login::session::Session;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::show;
use crate::say::complain;
use crate::secret::Plaintext;

/// `taosctl login`.
pub const ENTRY: CommandEntry = CommandEntry::Own {
    name: "login",
    routes: &["auth_whoami", "auth_me", "auth_exchange", "spaces_list"],
    command,
    run,
};

fn command(name: &'static str) -> Command {
    let space = Arg::new("space").long("space").value_name("SPACE").value_parser(NonEmptyStringValueParser::new());
    Command::new(name)
        .about("Check a token or key and save it with its server")
        .after_help(
            "It is asked for, or read from stdin where that is no terminal, or from --token-file. It is saved only if \
             the server accepts it, for its owner's eyes alone. A user's key is exchanged from then on by itself; an \
             agent's key is no login: make a profile of it.",
        )
        .arg(
            space.help(
                "The space of your messages, tasks, context and files: id, slug or name; the default one if absent",
            ),
        )
}

fn run(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let home = Context::home()?;
    let server = context.given.server(&Context::env)?.unwrap_or_else(|| Server::local(&Context::env));
    let token = token(context)?;
    if is_agent_key(token.reveal()) {
        let fix = "Log in with a user's key, or add a profile for this one with taosctl profile add.";
        return Err(Failure::login(
            "This is an agent's key or an enrollment. You can log in only with a user's credential.",
            fix,
        ));
    }
    let copy = Plaintext::new(token.reveal().to_owned());
    let session = Session::new(context, Connection::new(server.clone(), Some(copy), "login"));
    let me = whoami(&session)?;
    let wanted = matches.get_one::<String>("space").map(String::as_str);
    let space_id = if is_key(token.reveal()) || wanted.is_some() { Some(space(&session, wanted)?) } else { None };
    let saved = Saved { server, token, principal: principal(&me)?, space_id };
    credentials::save(&home, &saved)?;
    warn_of_what_comes_first(context, &saved.server);
    Ok(if context.json {
        show::one_line(&me)
    } else {
        Output::text(format!("logged in: {}", text::clean(&format!("{} at {}", saved.principal, saved.server))))
    })
}

/// Warns if the next command would use another source than the login just saved.
fn warn_of_what_comes_first(context: &Context, saved: &Server) {
    let context = Context::without_flags(context.timeout);
    let Ok(session) = context.session() else { return };
    let used = &session.connection;
    let warning = match used.source.as_str() {
        SAVED_LOGIN => return,
        NO_LOGIN => format!("commands go to {}, not to {saved}: unset TAOS_URL to use this login", used.server),
        ENVIRONMENT => "TAOS_TOKEN or TAOS_TOKEN_FILE is set and comes before this login: unset it".to_owned(),
        source => format!("{source} comes before this login"),
    };
    complain(&format!("warning: {}.\n", text::clean(&warning)));
}

/// The id of the requested space, or else of the default space that the server names.
fn space(session: &Session<'_>, wanted: Option<&str>) -> Result<String, Failure> {
    let ask = |route: &str| {
        let route = path::route(route);
        session.send_for_json(route, route.path, None)
    };
    let unexpected = || Failure::Unexpected("The answer names no space.".to_owned());
    let (me, spaces) = (ask("auth_me")?, ask("spaces_list")?);
    let spaces = spaces["spaces"].as_array().ok_or_else(unexpected)?;
    let is = |space: &Value, name: &str| ["id", "slug", "name"].iter().any(|field| space[*field] == name);
    let found = match wanted {
        None => spaces.iter().find(|space| space["id"] == me["space_id"]),
        Some(name) => Some(spaces.iter().find(|space| is(space, name)).ok_or_else(|| {
            let fix = "Name one of them by id, slug or name: taosctl spaces list shows them.";
            Failure::usage("You have no such space; nothing was saved.", fix)
        })?),
    };
    found.and_then(|space| space["id"].as_str()).map(str::to_owned).ok_or_else(unexpected)
}

fn token(context: &Context) -> Result<Plaintext, Failure> {
    match context.given.token()? {
        Some(token) => Ok(token),
        None if io::stdin().is_terminal() => ask::token("token-file"),
        None => read_token("-").map_err(|_| {
            let fix = "Name a file with --token-file, or write the token to stdin.";
            Failure::usage("There is no terminal to prompt for the token, and no token on stdin.", fix)
        }),
    }
}
