//! `taosctl login`: saves a token that the server has accepted.

use std::io::{self, IsTerminal};

use clap::{ArgMatches, Command};

use super::auth::{principal, whoami};
use crate::ctl::connection::{Connection, read_token};
use crate::ctl::context::Context;
use crate::ctl::credentials::{self, Saved};
use crate::ctl::entry::Entry;
use crate::ctl::failure::Failure;
use crate::ctl::output::Output;
use crate::ctl::server::Server;
use crate::ctl::session::Session;
use crate::ctl::{ask, show, text};
use crate::secret::Plaintext;

/// The verb.
pub const ENTRY: Entry = Entry::Own { name: "login", routes: &["auth_whoami"], command, run };

fn command(name: &'static str) -> Command {
    Command::new(name).about("Check a token and save it with its server").after_help(
        "The token is asked for, or read from stdin where that is no terminal, or from --token-file. It is saved only if \
         the server accepts it, for its owner's eyes alone.",
    )
}

fn run(context: &Context, _: &ArgMatches) -> Result<Output, Failure> {
    let no_place =
        || Failure::login("There is no HOME to save the login under.", "Name a directory with TAOS_CONFIG_DIR.");
    let file = context.credentials_file().ok_or_else(no_place)?;
    let server = context.given.server(&Context::env)?.unwrap_or_else(|| Server::local(&Context::env));
    let token = token(context)?;
    let copy = Plaintext::new(token.reveal().to_owned());
    let session = Session::new(context, Connection { server: server.clone(), token: Some(copy), source: "login" });
    let me = whoami(&session)?;
    let saved = Saved { server, token, principal: principal(&me)? };
    credentials::save(&file, &saved)?;
    Ok(if context.json {
        show::one_line(&me)
    } else {
        Output::text(format!("logged in: {}", text::clean(&format!("{} at {}", saved.principal, saved.server))))
    })
}

fn token(context: &Context) -> Result<Plaintext, Failure> {
    match context.given.token()? {
        Some(token) => Ok(token),
        None if io::stdin().is_terminal() => ask::token(),
        None => read_token("-").map_err(|_| {
            let fix = "Name a file with --token-file, or write the token to stdin.";
            Failure::usage("There is no terminal to ask for the token on, and none on stdin.", fix)
        }),
    }
}
