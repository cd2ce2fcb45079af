//! `taosctl auth`: shows who the caller is, exchanges a key, and deletes the saved login. Logging in has a file of its
//! own.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::login;
use super::whoami::{principal, whoami};
use crate::ctl::core::failure::Failure;
use crate::ctl::core::flags::Flag;
use crate::ctl::core::home::{CREDENTIALS, JWT_CACHE};
use crate::ctl::core::output::Output;
use crate::ctl::core::{flags, path};
use crate::ctl::login::context::Context;
use crate::ctl::login::exchange as keys;
use crate::ctl::verbs::entry::CommandEntry;
use crate::ctl::verbs::keep;
use crate::ctl::verbs::show::{self, ShowAs};
use crate::ctl::verbs::verb::Verb;
use crate::rest::field::Field;
use crate::rest::route::BodyKind;

/// The noun `auth` with its verbs.
pub const ENTRY: CommandEntry = CommandEntry::Noun {
    name: "auth",
    about: "Log in, log out, and show who you are",
    entries: &[
        login::ENTRY,
        LOGOUT,
        CommandEntry::Own { name: "status", routes: &["auth_whoami"], command: status_command, run: status },
        CommandEntry::Own { name: "whoami", routes: &["auth_me"], command: me_command, run: me },
        CommandEntry::Own { name: "exchange", routes: &["auth_exchange"], command: exchange_command, run: exchange },
    ],
};

/// `auth logout`: deletes the saved login.
pub const LOGOUT: CommandEntry =
    CommandEntry::Own { name: "logout", routes: &[], command: logout_command, run: logout };

/// `taosctl whoami`: shows the credential itself.
pub const WHOAMI: CommandEntry = CommandEntry::Verb(Verb::new("whoami", "auth_whoami", ShowAs::Record));

fn logout_command(name: &'static str) -> Command {
    Command::new(name).about("Delete the saved login").after_help("The token itself stays valid until you revoke it.")
}

fn logout(context: &Context, _: &ArgMatches) -> Result<Output, Failure> {
    let mut removed = false;
    if let Some(home) = Context::find_home()? {
        removed = home.remove(CREDENTIALS)?;
        // Tokens from an exchange of the key would stay valid for minutes.
        home.remove(JWT_CACHE)?;
    }
    Ok(if context.json {
        show::one_line(&json!({"logged_out": removed}))
    } else {
        Output::text(if removed { "logged out" } else { "not logged in" }.to_owned())
    })
}

fn status_command(name: &'static str) -> Command {
    Command::new(name).about("Show the current server and login, and whether the login is valid")
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

fn me_command(name: &'static str) -> Command {
    Command::new(name).about("Show the user or agent, its space, and where the credential comes from")
}

fn me(context: &Context, _: &ArgMatches) -> Result<Output, Failure> {
    let session = context.session()?;
    let route = path::route("auth_me");
    let mut me = session.send_for_json(route, route.path, None)?;
    if !me.is_object() {
        return Err(Failure::Unexpected("The answer is not an object.".to_owned()));
    }
    me["resolved_agent"] = me["bound_agent"].get("agent_name").cloned().unwrap_or_default();
    me["source"] = json!(session.connection.source);
    if context.json { Ok(show::one_line(&me)) } else { show::record(&me) }
}

const EXCHANGE: &[Flag] = &[Flag::Named("requested_token_class", "class"), Flag::Named("requested_ttl", "ttl")];

fn exchange_fields() -> &'static [Field] {
    match path::route("auth_exchange").body {
        BodyKind::Json(fields) => fields,
        _ => &[],
    }
}

fn exchange_command(name: &'static str) -> Command {
    let print = Arg::new("print-token").long("print-token").action(ArgAction::SetTrue);
    Command::new(name)
        .about("Exchange the current key and show the content of the token")
        .after_help("The other commands exchange keys automatically. Only --print-token shows the token itself.")
        .args(flags::args(exchange_fields(), EXCHANGE))
        .arg(print.help("Print the token"))
}

fn exchange(context: &Context, matches: &ArgMatches) -> Result<Output, Failure> {
    let body = Value::Object(flags::read(exchange_fields(), EXCHANGE, matches)?);
    let session = context.session()?;
    let route = path::route("auth_exchange");
    let reply = session.send_for_json(route, route.path, Some(&body))?;
    let wrong = || Failure::Unexpected("The answer to the exchange holds no token.".to_owned());
    let token = reply["access_token"].as_str().ok_or_else(wrong)?;
    let mut claims = Value::Object(keys::claims(token).ok_or_else(wrong)?);
    claims["expires_in"] = reply["expires_in"].clone();
    keep::told(context.json, matches.get_flag("print-token").then_some(token), claims)
}
