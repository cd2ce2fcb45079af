//! The input of every command: the global flags, read once.

use std::env;
use std::time::Duration;

use clap::ArgMatches;

use super::connection::{self, LoginFlags, LoginSource, SAVED_LOGIN, SavedLogin};
use super::credentials::{self, Saved};
use super::session::Session;
use super::{profile, project};
use crate::ctl::core::failure::Failure;
use crate::ctl::core::format::Format;
use crate::ctl::core::home::Home;
use crate::limits::IDEMPOTENCY_KEY_CHARS;
use crate::say::complain;
use crate::secret::Plaintext;

const ARGV_WARNING: &str = "warning: others on this machine can read --token in the process list; use --token-file\n";

/// The global flags.
#[derive(Debug)]
pub struct Context {
    /// The flags for server and token.
    pub given: LoginFlags,
    /// The profile named by `--profile`, which overrides all other sources.
    pub profile: Option<String>,
    /// True if the output is JSON. The other formats for programs are made from it at the end.
    pub json: bool,
    /// How long to wait for a reply.
    pub timeout: Duration,
    /// The idempotency key of this command's change.
    pub key: String,
}

impl Context {
    /// Reads the global flags.
    ///
    /// # Errors
    /// [`Failure::Usage`] if a flag cannot be used.
    pub fn new(matches: &ArgMatches) -> Result<Self, Failure> {
        let text = |name: &str| matches.get_one::<String>(name).cloned();
        // This is first, so that every later failure is printed in the chosen format.
        let format = text("format");
        let fields: Vec<String> = matches.get_many("fields").into_iter().flatten().cloned().collect();
        let some = !fields.is_empty();
        let format = Format::choose(format.as_deref(), matches.get_flag("json"), matches.get_flag("quiet"), fields);
        if some && !format.is_machine() {
            let detail = "--fields chooses what JSON, YAML and JSON lines hold.";
            return Err(Failure::usage(detail, "Leave out -o, or give -o yaml or -o jsonl."));
        }
        let token = text("token").map(Plaintext::new);
        let given = LoginFlags { url: text("url"), token, token_file: text("token-file"), ..LoginFlags::default() };
        if given.token.is_some() {
            complain(ARGV_WARNING);
        }
        let key = match text("idempotency-key") {
            None => uuid::Uuid::new_v4().to_string(),
            Some(key) if key.len() <= IDEMPOTENCY_KEY_CHARS && key.bytes().all(|b| b.is_ascii_graphic()) => key,
            Some(_) => {
                let detail = format!("--idempotency-key takes 1 to {IDEMPOTENCY_KEY_CHARS} visible ASCII characters.");
                return Err(Failure::usage(detail, "Give another key, or leave it out."));
            }
        };
        let timeout = Duration::from_secs(matches.get_one("timeout").copied().unwrap_or(30));
        Ok(Self { given, profile: text("profile"), json: format.is_machine(), timeout, key })
    }

    /// The context of a command without global flags: the environment, and this timeout.
    pub fn without_flags(timeout: Duration) -> Self {
        Self { given: LoginFlags::default(), profile: None, json: true, timeout, key: String::new() }
    }

    /// The session with the server named by flags, environment, project, profile or saved login, or else with the
    /// daemon of this machine.
    ///
    /// # Errors
    /// A flag, a variable or a saved login cannot be used.
    pub fn session(&self) -> Result<Session<'_>, Failure> {
        if let Some(name) = &self.profile {
            if self.given.url.is_some() || self.given.token.is_some() || self.given.token_file.is_some() {
                let fix = "Leave out --url and --token-file, or --profile.";
                return Err(Failure::usage("--profile names its own server and token.", fix));
            }
            return Ok(Session::new(self, profile::kept(&Self::home()?, name)?.into()));
        }
        let places: [LoginSource<'_>; 3] = [&project::here, &profile::in_use, &saved_login];
        Ok(Session::new(self, connection::choose(&self.given, &Self::env, &places)?))
    }

    /// Like [`Context::session`], but without the agents of project and profile: for what a user does for agents.
    ///
    /// # Errors
    /// A flag, a variable or a saved login cannot be used.
    pub fn user_session(&self) -> Result<Session<'_>, Failure> {
        Ok(Session::new(self, connection::choose(&self.given, &Self::env, &[&saved_login])?))
    }

    /// The configuration directory, if the environment has a base directory for it.
    ///
    /// # Errors
    /// [`Failure::Usage`] if `TAOS_CONFIG_DIR` cannot be used.
    pub fn find_home() -> Result<Option<Home>, Failure> {
        Home::find(&Self::env)
    }

    /// The configuration directory.
    ///
    /// # Errors
    /// The environment names no directory, or one that cannot be used.
    pub fn home() -> Result<Home, Failure> {
        let fix = "Name a directory with TAOS_CONFIG_DIR.";
        Self::find_home()?
            .ok_or_else(|| Failure::login("HOME is not set, so there is no place for the configuration.", fix))
    }

    /// An environment variable; `None` if it is empty.
    pub fn env(name: &str) -> Option<String> {
        env::var(name).ok().filter(|value| !value.is_empty())
    }
}

fn saved_login() -> Result<Option<SavedLogin>, Failure> {
    let saved = Context::find_home()?.map(|home| credentials::load(&home)).transpose()?.flatten();
    Ok(saved.map(|saved| {
        let Saved { server, token, space_id, .. } = saved;
        SavedLogin { server, token, source: SAVED_LOGIN.to_owned(), space_id }
    }))
}
