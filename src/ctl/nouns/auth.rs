//! `taosctl auth`: who one is, and forgetting it. Logging in has a file of its own.

use clap::{ArgMatches, Command};
use serde_json::{Map, Value, json};

use super::login;
use crate::ctl::context::Context;
use crate::ctl::entry::Entry;
use crate::ctl::failure::Failure;
use crate::ctl::output::Output;
use crate::ctl::session::Session;
use crate::ctl::show::{self, Show};
use crate::ctl::verb::Verb;
use crate::ctl::{path, private};

/// The noun.
pub const ENTRY: Entry = Entry::Noun {
    name: "auth",
    about: "Log in, log out, and who one is",
    entries: &[
        login::ENTRY,
        Entry::Own { name: "logout", routes: &[], command: logout_command, run: logout },
        Entry::Own { name: "status", routes: &["auth_whoami"], command: status_command, run: status },
        WHOAMI,
    ],
};

/// The verb; it also stands at the top.
pub const WHOAMI: Entry = Entry::Verb(Verb::new("whoami", "auth_whoami", Show::Record));

/// Asks the server who the session's credential is.
///
/// # Errors
/// The server is not there, or refuses.
pub fn whoami(session: &Session<'_>) -> Result<Value, Failure> {
    let route = path::route("auth_whoami");
    session.send_for_json(route, &path::target(route, &[], &Map::new()), None)
}

/// `user:NAME` or `agent:NAME`, of a reply to whoami.
///
/// # Errors
/// The reply is none of a taosd.
pub fn principal(whoami: &Value) -> Result<String, Failure> {
    let name = match whoami["principal"].as_str() {
        Some("user") => whoami["username"].as_str().map(|name| format!("user:{name}")),
        Some("agent") => whoami["agent_name"].as_str().map(|name| format!("agent:{name}")),
        _ => None,
    };
    name.ok_or_else(|| Failure::Unexpected("The answer does not say who the credential is.".to_owned()))
}

fn logout_command(name: &'static str) -> Command {
    Command::new(name).about("Forget the saved login").after_help("The token itself stays good until it is revoked.")
}

fn logout(context: &Context, _: &ArgMatches) -> Result<Output, Failure> {
    let removed = context.credentials_file().map(|path| private::remove(&path)).transpose()?.unwrap_or(false);
    Ok(if context.json {
        show::one_line(&json!({"logged_out": removed}))
    } else {
        Output::text(if removed { "logged out" } else { "not logged in" }.to_owned())
    })
}

fn status_command(name: &'static str) -> Command {
    Command::new(name).about("Show the server in use, the login, and whether it is good")
}

fn status(context: &Context, _: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let me = whoami(&session)?;
    let shown = json!({
        "url": session.connection.server.to_string(),
        "login": session.connection.source,
        "principal": principal(&me)?,
        "role": me["role"],
        "kind": me["kind"],
        "expires_at": me["expires_at"],
    });
    if context.json { Ok(show::one_line(&shown)) } else { show::record(&shown) }
}
